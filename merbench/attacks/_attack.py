"""What an attack owes: its card, and `perturb`.

An attack is one file below a plug-in package: a frozen dataclass deriving from `Attack`, whose fields are
its options (`merbench.options`). It is given a model and a few of its clean rows, and returns those rows
altered within the budget, as canonical media that were written and read back.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from merbench.errors import MerbenchError
from merbench.hashing import canonical_json
from merbench.models import Differentiable
from merbench.options import build, canonical, option, split_spec
from merbench.registry import Registry
from merbench.rng import Stream
from merbench.types import MODALITIES, SEVERITIES, Batch, Cell, Modality

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from merbench.attacks._ball import Norm
    from merbench.labels import LabelMap
    from merbench.models import Adapter
    from merbench.types import JSON, Achieved, Sample, Utterance

FAMILY = "adversarial"
"""The family of adversarial cells: ``adversarial/pgd``."""

ROWS = 8
"""Rows attacked at once: neighbours in the suite's order, whatever ``--batch-size`` says."""

UNDER_ONE_STEP = "the budget is under one quantisation step"
ABSENT = "it has none of the attacked modalities"

_FULL_SCALE = 65_535  # from the lowest to the highest level of PCM16
_WHITE = 255
_SNR = (50.0, 40.0, 30.0, 20.0, 10.0)  # dB; the scale of Speech Robust Bench (Shah et al. 2024)
_LEVELS = (0.5, 1.0, 2.0, 4.0, 8.0)  # of 255; ImageNet's usual range (Croce et al., RobustBench, 2021)
_SNR_RANGE = (-20.0, 100.0)  # dB: beyond, there is nothing left of the sound, or nothing to hear


@dataclass(frozen=True, slots=True)
class Budget:
    """How far a row may be altered: audio in dB SNR, frames in levels of 255, text in characters.

    A sound's root mean square may change by so much that its whole-clip SNR stays at `snr_db` or above, a
    clip's by at most `levels`. With the l2 norm that is the radius itself (times the root of the number of
    values); with linf no single value changes by more, which is the smaller ball of the two.
    """

    snr_db: float
    levels: float
    flips: int

    def radius(self, modality: Modality, clean: npt.NDArray[Any], norm: Norm) -> float:
        """Return the radius of the ball in whole media levels, 0 where it is under one quantisation step."""
        if modality == "audio":
            power = float(np.mean(np.square(clean.astype(np.float64)))) if clean.size else 0.0
            rms = math.inf if self.snr_db == -math.inf else math.sqrt(power) * 10 ** (-self.snr_db / 20)
            widest = _FULL_SCALE
        else:
            rms, widest = self.levels, _WHITE
        rms = min(rms, float(widest))
        return float(math.floor(rms)) if norm == "linf" else _at_least_one(rms * math.sqrt(clean.size))


def _at_least_one(radius: float) -> float:
    return radius if radius >= 1 else 0.0


NOTHING = Budget(math.inf, 0.0, 0)
EVERYTHING = Budget(-math.inf, math.inf, 2**31)
"""A budget that allows any sound and any picture."""


@dataclass(frozen=True, eq=False)
class Target:
    """The model under attack, and how its answers are read.

    `others` returns utterances of the dataset that are not scored, for perturbations that are fitted;
    ``None`` where there are none. `memo` is what attacks keep between rows.
    """

    adapter: Adapter
    labels: LabelMap
    dataset: str
    seed: int = 0
    others: Callable[[int], Sequence[Sample]] | None = None
    memo: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Victims:
    """A few clean rows of one suite, in canonical media, with the class that each is scored by."""

    target: Target
    clean: Batch
    ids: tuple[str, ...]
    truth: tuple[str, ...]
    memo: dict[Any, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, target: Target, clean: Batch, utterances: Sequence[Utterance]) -> Victims:
        """Return these rows of a chunk."""
        return cls(target, clean, tuple(u.id for u in utterances), tuple(u.label for u in utterances))

    def __len__(self) -> int:
        return len(self.ids)

    def streams(self, attack: Attack, *fields: str) -> list[Stream]:
        """Return every row's randomness: of its id and the attack's options, whatever the severity."""
        name, options = f"{FAMILY}/{attack.name}@{attack.version}", canonical_json(canonical(attack))
        where, seed = self.target.dataset, str(self.target.seed)
        return [Stream.of(name, options, f"{where}:{one}", seed, *fields) for one in self.ids]


@dataclass(frozen=True, eq=False)
class Outcome:
    """Altered rows, what was really done to each, and which never showed a gradient, bool [N]."""

    batch: Batch
    achieved: list[Achieved]
    masked: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Attack(ABC):
    """Somebody who wants the model to be wrong, and how far they may go."""

    name: ClassVar[str]
    """Set by the registry from the file's name."""
    version: ClassVar[int] = 1
    """Raised whenever what it finds changes."""
    changes: ClassVar[tuple[Modality, ...]]
    """The modalities it knows how to alter."""
    knows: ClassVar[Literal["gradients", "answers", "another model"]]
    """What it is told of the model; ``gradients`` is a white-box attack, the others are black-box ones."""
    source: ClassVar[str]
    """Where the attack and its constants come from."""

    modalities: tuple[Literal["audio", "vision", "text"], ...] | None = option(
        None, "what it may alter; by default all that it can and that the model reads"
    )

    @abstractmethod
    def perturb(self, victims: Victims, budget: Budget) -> Outcome:
        """Return the rows altered within `budget`, written as a suite writes them and read back."""

    def budget(self, severity: int) -> Budget:
        """Return the budget of a severity in 1..5."""
        return Budget(_SNR[severity - 1], _LEVELS[severity - 1], severity)

    @abstractmethod
    def why_not(self, clean: Batch, uses: Sequence[Modality], budget: Budget) -> list[str | None]:
        """Return for each row why it cannot be altered within `budget`, ``None`` if it can.

        Of the media alone: whatever the model answers, the same rows count as attacked.
        """

    def doubled(self) -> Attack | None:
        """Return the same attack with twice the steps or queries, ``None`` if there is no such thing."""
        return None

    def alters(self, uses: Sequence[Modality]) -> tuple[Modality, ...]:
        """Return what it alters of what a model reads.

        Raises:
            MerbenchError: the model does not read what was asked for, or the attack cannot alter it.
        """
        wanted = MODALITIES if self.modalities is None else self.modalities
        for modality in () if self.modalities is None else self.modalities:
            if modality not in self.changes:
                raise MerbenchError(
                    f"the attack '{self.name}' cannot alter {modality}",
                    fix=f"it alters {' and '.join(self.changes)}: write {self.name}:modalities="
                    f"{'+'.join(self.changes)}",
                )
            if modality not in uses:
                raise MerbenchError(
                    f"the model does not read {modality}, so '{self.name}' cannot reach it there",
                    fix=f"it reads {' and '.join(uses) or 'nothing'}: leave modalities= out, or name these",
                )
        found = tuple(m for m in MODALITIES if m in wanted and m in self.changes and m in uses)
        if not found:
            raise MerbenchError(
                f"the attack '{self.name}' alters {' and '.join(self.changes)}, and the model reads "
                f"{' and '.join(uses) or 'nothing'} of that kind",
                fix="choose another attack: 'merbench list attacks' shows all",
            )
        return found

    def require(self, adapter: Adapter, severities: Sequence[int]) -> None:
        """Check that it can be run on this model at these severities.

        Raises:
            MerbenchError: it cannot.
        """
        self.alters(adapter.uses)
        if self.knows == "gradients" and not isinstance(adapter, Differentiable):
            raise MerbenchError(
                f"'{self.name}' needs gradients, and {adapter.name} offers none (merbench.models."
                "Differentiable)",
                fix=f"use an attack that needs only answers: --attack {' or --attack '.join(BLACK_BOX)}",
            )

    def identity(self) -> dict[str, JSON]:
        """Return the options as they enter a cell, with outside models identified by content."""
        return canonical(self)

    def cell(self, severity: int, model: str | None, seed: int) -> Cell:
        """Return the cell that it fills at `severity` for the model with this fingerprint."""
        return Cell(
            corruption=f"{FAMILY}/{self.name}",
            version=self.version,
            severity=severity,
            options={**self.identity(), "model": model},
            seed=seed,
        )


@dataclass(frozen=True)
class MediaAttack(Attack):
    """An attack on sounds and pictures, whose budgets may be set."""

    changes: ClassVar[tuple[Modality, ...]] = ("audio", "vision")

    norm: Literal["linf", "l2"] = option("linf", "what the budget limits: every value, or their energy")
    snr: tuple[float, ...] | None = option(
        None, "audio budgets of severities 1-5 in dB SNR instead of 50+40+30+20+10"
    )
    levels: tuple[float, ...] | None = option(
        None, "vision budgets of severities 1-5 in levels of 255 instead of 0.5+1+2+4+8"
    )

    def __post_init__(self) -> None:
        self._check("snr", self.snr, *_SNR_RANGE, falling=True)
        self._check("levels", self.levels, 0.0, float(_WHITE), falling=False)
        if self.norm == "linf" and self.levels is not None and min(self.levels) < 1:
            raise MerbenchError(
                f"'{self.name}' cannot have a budget of {min(self.levels):g} levels: a picture's values are "
                "whole, and that is under one quantisation step",
                fix="give at least 1, or norm=l2, which limits all values together",
            )

    def _check(
        self, what: str, values: tuple[float, ...] | None, low: float, high: float, *, falling: bool
    ) -> None:
        if values is None:
            return
        order = sorted(values, reverse=falling)
        if (
            len(values) != len(SEVERITIES)
            or list(values) != order
            or not low < min(values) <= max(values) <= high
        ):
            raise MerbenchError(
                f"'{self.name}' cannot have {what}={'+'.join(f'{value:g}' for value in values)}",
                fix=f"give five budgets from the smallest to the largest, within {low:g} and {high:g}",
            )

    def budget(self, severity: int) -> Budget:
        """Return the budget of a severity in 1..5."""
        usual = super().budget(severity)
        snr = usual.snr_db if self.snr is None else self.snr[severity - 1]
        levels = usual.levels if self.levels is None else self.levels[severity - 1]
        return Budget(snr, levels, usual.flips)

    def why_not(self, clean: Batch, uses: Sequence[Modality], budget: Budget) -> list[str | None]:
        """Return for each row why it cannot be altered within `budget`, ``None`` if it can."""
        radii = [
            [None if row is None else budget.radius(m, row, self.norm) for row in packed]
            for m, packed in (("audio", clean.audio), ("vision", clean.frames))
            if m in self.alters(uses)
        ]
        return [
            None if any(found) else ABSENT if set(found) == {None} else UNDER_ONE_STEP
            for found in zip(*radii, strict=True)
        ]

    def require(self, adapter: Adapter, severities: Sequence[int]) -> None:
        """Check that it can be run on this model at these severities.

        Raises:
            MerbenchError: it cannot, or every budget asked for is under one quantisation step.
        """
        super().require(adapter, severities)
        largest = self.budget(max(severities)).levels
        if self.alters(adapter.uses) == ("vision",) and self.norm == "linf" and largest < 1:
            raise MerbenchError(
                f"'{self.name}' cannot attack frames at severity {max(severities)}: {largest:g} of 255 is "
                "under one quantisation step of a picture",
                fix="ask for severity 2 to 5 (1, 2, 4, 8 of 255), or for norm=l2",
            )


def for_any_model(cell: Cell) -> Cell:
    """Return the cell as it is the same for all models: an attack's names the one it attacks."""
    if cell.family != FAMILY:
        return cell
    options = {key: value for key, value in cell.options.items() if key != "model"}
    return dataclasses.replace(cell, options=options)


def asked(cell: Cell) -> str:
    """Return the id by which a cell is the same for all models."""
    return for_any_model(cell).cell_id


def parse_attack(spec: str) -> Attack:
    """Make an attack from ``name:key=value,...``.

    Raises:
        MerbenchError: there is no such attack or option.
    """
    name, values = split_spec(spec.removeprefix(f"{FAMILY}/"))
    cls = attacks[name]
    return build(cls, cls.name, values)


attacks: Registry[Attack] = Registry("attack", "merbench.attacks", Attack)  # type: ignore[type-abstract]

BLACK_BOX = ("square", "char_flips", "transfer:surrogate=MODEL")
"""What can be said to a user whose model has no gradients."""
