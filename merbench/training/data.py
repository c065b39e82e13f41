"""Which utterances are trained on, and what of them is kept in memory."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from merbench.corruption import corruptions
from merbench.errors import MerbenchError
from merbench.media.conform import conform
from merbench.options import build, has_option, split_spec
from merbench.rng import Stream, derive_key, torch_seed
from merbench.types import Batch, Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from merbench.corruption import Corruption
    from merbench.datasets import Dataset
    from merbench.training import recipe
    from merbench.training._trainable import Trainable
    from merbench.types import Sample, Utterance

Purpose = Literal["train", "validation"]
"""What noise is drawn for; each has seeds of its own."""

CLEAN = 0
"""The version of an utterance in which nothing is corrupted; the others are 1, 2, ..."""


@dataclass(frozen=True)
class Splits:
    """What each stage is trained on, what chooses the best epoch, and what is not seen (maybe nothing)."""

    train: Mapping[str, tuple[Utterance, ...]]
    validation: tuple[Utterance, ...]
    test: tuple[Utterance, ...]

    @cached_property
    def seen(self) -> tuple[Utterance, ...]:
        """Everything trained or tuned on, each once."""
        rows = [*(u for part in self.train.values() for u in part), *self.validation]
        return tuple({u.id: u for u in rows}.values())


def make_splits(dataset: Dataset, recipe: recipe.Recipe) -> Splits:
    """Split a dataset as a recipe says.

    Raises:
        MerbenchError: a split is not there or is empty; validation shares speakers with training; there are
            too few speakers to hold some out; a stage has one class only.
    """
    data, everything = recipe.data, dataset.utterances()
    there = sorted({u.split for u in everything})
    named = {s.name: _first(s.split or data.train, there, "train", dataset) for s in recipe.stages}
    learned = [u for u in everything if u.split in named.values()]
    held: dict[str, tuple[Utterance, ...]] = {}
    for part, wanted in (("test", data.test), ("validation", data.validation)):
        choice = _first(wanted, there, part, dataset, optional=part == "test")
        if isinstance(choice, float):
            speakers = _hold_out(part, choice, learned, dataset.name)
            held[part] = tuple(u for u in learned if _group(u) in speakers)
            learned = [u for u in learned if _group(u) not in speakers]
        else:
            held[part] = tuple(u for u in everything if u.split == choice)
    splits = Splits(
        train={name: tuple(u for u in learned if u.split == split) for name, split in named.items()},
        validation=held["validation"],
        test=held["test"],
    )
    _check(splits, data.speaker_disjoint, dataset)
    return splits


def _first(
    wanted: Sequence[str | float],
    there: Sequence[str],
    part: str,
    dataset: Dataset,
    *,
    optional: bool = False,
) -> Any:
    """Return the first wanted split that is there, or the share that comes before it."""
    found = next((choice for choice in wanted if isinstance(choice, float) or choice in there), None)
    if found is None and not optional:
        names = " or ".join(f"'{choice}'" for choice in wanted)
        share = "" if part == "train" else f", or a share of its speakers: {part} = 0.15"
        raise MerbenchError(
            f"dataset '{dataset.name}' has no split {names} to take for {part}",
            fix=f"name one of its splits ({', '.join(there)}) in [data] of the recipe{share}",
        )
    return found


def _group(utterance: Utterance) -> str:
    """Return what must not be torn apart: the speaker, else the dialogue, else the utterance itself."""
    return utterance.speaker or utterance.dialogue or utterance.id


def _hold_out(part: str, share: float, rows: Iterable[Utterance], dataset: str) -> frozenset[str]:
    groups = sorted({_group(u) for u in rows}, key=lambda group: derive_key(part, f"{dataset}:{group}"))
    count = max(1, round(share * len(groups)))
    if count >= len(groups):
        raise MerbenchError(
            f"{part} cannot take {share:g} of {len(groups)} speakers and leave some to train on",
            fix=f"name a split for {part} in [data] of the recipe, or train on more speakers",
        )
    return frozenset(groups[:count])


def _check(splits: Splits, speaker_disjoint: bool, dataset: Dataset) -> None:
    for name, rows in splits.train.items():
        classes = {u.label for u in rows}
        if len(classes) < 2:
            found = f"only the class '{classes.pop()}'" if classes else "nothing"
            raise MerbenchError(
                f"stage '{name}' has {found} to learn from in dataset '{dataset.name}'",
                fix="train on data with two classes or more",
            )
    if not splits.validation:
        raise MerbenchError(
            f"the validation split of dataset '{dataset.name}' is empty",
            fix="give it utterances, or write a share of speakers: validation = 0.15",
        )
    heard = {_group(u) for rows in splits.train.values() for u in rows}
    shared = sorted(heard & {_group(u) for u in splits.validation})
    if shared and speaker_disjoint:
        raise MerbenchError(
            f"{len(shared)} speakers of the validation split are also trained on ({shared[0]} ...)",
            fix="write a share of speakers, validation = 0.15, or speaker_disjoint = false, in [data]",
        )


@dataclass(frozen=True)
class Hardening:
    """Corrupted versions of utterances for one purpose; its seeds are never those of a suite."""

    corruptions: tuple[Corruption, ...]
    noise: recipe.Noise
    dataset: str
    purpose: Purpose
    seed: int
    pool: Pool

    def versions(self, utterance: Utterance, epochs: int) -> frozenset[int]:
        """Return which versions of an utterance so many epochs take."""
        return frozenset(self.version(utterance, epoch) for epoch in range(epochs))

    def version(self, utterance: Utterance, epoch: int) -> int:
        """Return which version of an utterance an epoch takes: `CLEAN`, or a number up to ``draws``."""
        noisy = self._stream(utterance, "share", epoch).one_uniform() < self.noise.share
        return 1 + epoch % self.noise.draws if noisy else CLEAN

    def corrupt(self, sample: Sample, version: int) -> Batch:
        """Return one version of a sample as a batch of one."""
        clean = Batch.of([sample])
        if version == CLEAN:
            return clean
        chance = self._stream(sample.utterance, "which", version)
        corruption, severity = chance.choice(self.corruptions), chance.choice(self.noise.severities)
        params = corruption.draw_all(
            [sample], self.pool, self.dataset, seed=self._suite_seed, replicate=version
        )
        return corruption.apply(clean, params, self.pool, **corruption.strength(severity))[0]

    @cached_property
    def _suite_seed(self) -> int:
        """A seed of 63 bits out of a namespace of its own: no suite is ever drawn with it."""
        return torch_seed("hardening", self.purpose, str(self.seed))

    def _stream(self, utterance: Utterance, what: str, number: int) -> Stream:
        fields = (self.purpose, what, str(self.seed), f"{self.dataset}:{utterance.id}", str(number))
        return Stream.of("hardening", *fields)


def make_corruptions(noise: recipe.Noise, noise_root: Any) -> tuple[Corruption, ...]:
    """Make the corruptions of a recipe; folds and root go to those that have them."""
    shared = {"noise_folds": noise.noise_folds, "noise_root": noise_root}
    made = []
    for spec in noise.corruptions:
        name, values = split_spec(spec)
        cls = corruptions[name]
        common = {k: v for k, v in shared.items() if v is not None and has_option(cls, k)}
        made.append(build(cls, cls.name, {**common, **values}))
    return tuple(made)


class Examples:
    """What the network reads of utterances: each is decoded once, or every time without `keep`.

    Args:
        dataset: whose utterances they are.
        trainable: the network.
        hardening: what corrupts them, if anything does.
        ahead: which versions of an utterance will be asked for: they are made when it is first decoded.
        keep: whether what was made is kept in memory.
        workers: threads that decode.
    """

    def __init__(
        self,
        dataset: Dataset,
        trainable: Trainable,
        hardening: Hardening | None,
        ahead: Callable[[Utterance], Collection[int]],
        *,
        keep: bool,
        workers: int,
    ) -> None:
        self._dataset = dataset
        self._trainable = trainable
        self._hardening = hardening
        self._ahead = ahead
        self._keep = keep
        self._workers = workers
        self._kept: dict[str, dict[int, Any]] = {}
        self._made = 0
        self.seconds = 0.0
        """How long preparing has taken so far."""

    @property
    def seconds_each(self) -> float:
        """How long it has taken to prepare an utterance, on average."""
        return self.seconds / max(1, self._made)

    def waiting(self, utterances: Iterable[Utterance], rows: int) -> int:
        """Return how many are still to be prepared on the way through `rows` rows of these utterances."""
        return len({u.id for u in utterances} - self._kept.keys()) if self._keep else rows

    def versions(self, rows: Sequence[Utterance], epoch: int) -> list[tuple[Utterance, int]]:
        """Return the version of each utterance that an epoch takes."""
        hardening = self._hardening
        return [(u, CLEAN if hardening is None else hardening.version(u, epoch)) for u in rows]

    def inputs(self, wanted: Sequence[tuple[Utterance, int]]) -> list[Any]:
        """Return what `Trainable.prepare` makes of each utterance in one version."""
        started = time.perf_counter()
        with ThreadPoolExecutor(self._workers) as pool:
            if not self._keep:
                made = list(pool.map(lambda item: self._prepare(item[0], {item[1]})[item[1]], wanted))
                self._made += len(made)
            else:
                new = {u.id: u for u, version in wanted if version not in self._kept.get(u.id, ())}
                asked: dict[str, set[int]] = {}
                for u, version in wanted:
                    asked.setdefault(u.id, set()).add(version)
                prepared = pool.map(
                    lambda u: self._prepare(u, asked[u.id].union(self._ahead(u))), new.values()
                )
                for name, versions in zip(new, prepared, strict=True):
                    self._kept.setdefault(name, {}).update(versions)
                made = [self._kept[u.id][version] for u, version in wanted]
                self._made += len(new)
        self.seconds += time.perf_counter() - started
        return made

    def _prepare(self, utterance: Utterance, versions: Collection[int]) -> dict[int, Any]:
        sample, wants = self._dataset.load(utterance), self._trainable.wants
        hardening, made = self._hardening, dict[int, Any]()
        for version in versions:
            batch = Batch.of([sample]) if hardening is None else hardening.corrupt(sample, version)
            media = conform(batch, sample_rate=wants.sample_rate, frame_size=wants.frame_size)
            (made[version],) = self._trainable.prepare(media, [utterance])
        return made
