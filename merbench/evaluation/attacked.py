"""A suite, and behind its natural cells those that attack one model.

Adversarial cells are a kind of their own: they are made with the model in hand and are keyed by its
fingerprint, and so no suite that several models share can hold them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

from merbench.attacks import Target, Victims, asked
from merbench.attacks._attack import ROWS
from merbench.attacks._queries import Queries
from merbench.attacks._scores import Judge
from merbench.errors import MerbenchError
from merbench.hashing import hash_json
from merbench.suites.plan import Plan
from merbench.suites.source import Chunk
from merbench.types import Batch, Cell, Packed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from merbench.attacks import Attack
    from merbench.labels import LabelMap
    from merbench.models import Adapter
    from merbench.suites.overlay import Overlay
    from merbench.suites.source import Facts, Source
    from merbench.types import Achieved, Modality, Params, Sample, Utterance

MODEL = "model"
"""The option of an adversarial cell that holds the fingerprint of the model it attacks."""

_FITTED_ON = ("train", "validation")
"""Splits that a perturbation may be fitted on, the first one there that is not scored."""


def attacked_recipe(natural: str, adversarial: Sequence[Cell]) -> str:
    """Return the recipe_id of the suite with the recipe_id `natural` and these cells behind its own."""
    return hash_json([natural, [asked(cell) for cell in adversarial]])


@dataclass(frozen=True, eq=False)
class Attacked:
    """A `merbench.suites.source.Source`: the cells of `natural`, then those of `attacks` on a model.

    A row that the model already gets wrong is left as it is: nothing needs to be done to it. Rows that it
    gets right are attacked in groups of `ROWS` neighbours, so that a cell's bytes do not depend on the batch
    size, nor on ``--limit`` but for the last group.
    """

    natural: Source
    target: Target
    attacks: tuple[Attack, ...]
    severities: tuple[int, ...]

    @property
    def facts(self) -> Facts:
        """What a reader of results must know about the data."""
        return self.natural.facts

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The natural cells, then each attack's."""
        return (*self.natural.cells, *(cell for _, _, cell in self._adversarial))

    @cached_property
    def _adversarial(self) -> list[tuple[Attack, int, Cell]]:
        fingerprint = self.target.adapter.fingerprint()
        return [
            (attack, severity, attack.cell(severity, fingerprint, self.target.seed))
            for attack in self.attacks
            for severity in self.severities
        ]

    @cached_property
    def recipe_id(self) -> str:
        """The hash of the natural recipe and of the adversarial cells."""
        return attacked_recipe(self.natural.recipe_id, [cell for _, _, cell in self._adversarial])

    @property
    def content_root(self) -> str | None:
        """That of the natural cells; what the others hold follows from them and from the model."""
        return self.natural.content_root

    @property
    def cropping(self) -> Mapping[str, Any] | None:
        """How frames are cropped to faces."""
        return self.natural.cropping

    @property
    def overlay(self) -> Overlay | None:
        """The labels laid over the natural cells."""
        return self.natural.overlay

    @property
    def size(self) -> int:
        """How many samples every cell has."""
        return self.natural.size

    @property
    def shards(self) -> int:
        """How many shards there are."""
        return self.natural.shards

    def index(self) -> tuple[Utterance, ...]:
        """Return every utterance in keyed order."""
        return self.natural.index()

    def chunks(self, shard: int, *, workers: int = 2) -> Iterator[Chunk]:
        """Yield the natural suite's chunks, with the adversarial cells behind the natural ones."""
        for chunk in self.natural.chunks(shard, workers=workers):
            yield Chunk(
                utterances=chunk.utterances,
                clean=chunk.clean,
                achieved=chunk.achieved,
                cells=chain(chunk.cells, self._attacked(chunk)),
            )

    def _attacked(self, chunk: Chunk) -> Iterator[tuple[Cell, Batch, list[Params], list[Achieved]]]:
        uses = self.target.adapter.uses
        groups = self.victims(chunk)
        classes = self.target.labels.classes
        for attack, severity, cell in self._adversarial:
            budget = attack.budget(severity)
            outcomes = [(rows, attack.perturb(victims, budget).batch) for rows, victims in groups]
            batch = _replaced(chunk.clean, outcomes, attack.alters(uses))
            achieved: list[Achieved] = []
            for utterance, reason in zip(
                chunk.utterances, attack.why_not(chunk.clean, uses, budget), strict=True
            ):
                unscored = None if utterance.label in classes else "its label is not scored"
                why = unscored or reason
                achieved.append({"applied": True} if why is None else {"applied": False, "reason": why})
            yield cell, batch, [{}] * len(achieved), achieved

    def victims(self, chunk: Chunk) -> list[tuple[list[int], Victims]]:
        """Return the rows of a chunk that the model gets right, in groups, with their places."""
        target = self.target
        scored = [i for i, u in enumerate(chunk.utterances) if u.label in target.labels.classes]
        if not scored:
            return []
        clean = chunk.clean.take(scored)
        answers = Queries(target.adapter, clean).answers(clean)
        truth = [chunk.utterances[i].label for i in scored]
        margins = Judge(target.adapter, target.labels).margins(answers, truth)
        right = [i for i, margin in zip(scored, margins.tolist(), strict=True) if margin <= 0]
        groups = [right[start : start + ROWS] for start in range(0, len(right), ROWS)]
        return [
            (rows, Victims.of(target, chunk.clean.take(rows), [chunk.utterances[i] for i in rows]))
            for rows in groups
        ]


def attack_model(
    natural: Source,
    adapter: Adapter,
    labels: LabelMap,
    attacks: Sequence[Attack],
    severities: Sequence[int],
    *,
    seed: int = 0,
) -> Attacked:
    """Return `natural` with the cells of these attacks on a model behind its own.

    Raises:
        MerbenchError: an attack cannot be run on this model or given twice, or the model answers values and
            no labels.
    """
    if not adapter.labels:
        raise MerbenchError(
            f"{adapter.name} answers values and no labels, and attacks are on labels",
            fix="let it answer logits too: return merbench.models.Valued(values, logits)",
        )
    for attack in attacks:
        attack.require(adapter, severities)
    if len(set(attacks)) < len(attacks):
        raise MerbenchError("an attack is asked for twice", fix="give each attack and its options once")
    target = Target(adapter, labels, natural.facts.dataset, seed, _others(natural))
    return Attacked(natural, target, tuple(attacks), tuple(severities))


def _others(natural: Source) -> Any:
    """Return what loads utterances of another split than the scored one, ``None`` where there are none."""
    if not isinstance(natural, Plan) or natural.split is None:
        return None
    splits = {u.split for u in natural.dataset.utterances()} - {natural.split}
    split = next((split for split in _FITTED_ON if split in splits), None)
    if split is None:
        return None

    def load(count: int) -> list[Sample]:
        chosen, _ = natural.dataset.select(split, count)
        return [natural.load(utterance) for utterance in chosen]

    return load


def _replaced(
    clean: Batch, outcomes: Sequence[tuple[Sequence[int], Batch]], altered: Sequence[Modality]
) -> Batch:
    """Return the clean batch with its attacked rows exchanged; media that nobody alters are shared."""
    media: dict[str, Any] = {}
    for modality in altered:
        field = {"audio": "audio", "vision": "frames", "text": "text"}[modality]
        rows = list(getattr(clean, field))
        for places, batch in outcomes:
            for place, row in zip(places, getattr(batch, field), strict=True):
                rows[place] = row
        if modality == "text":
            media[field] = tuple(rows)
        else:
            media[field] = Packed.of(rows, cast("Packed", getattr(clean, field)).values.dtype)
    return clean.replace(**media)
