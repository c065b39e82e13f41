"""What a dataset asks beside one label out of C: numbers, several labels at once, a distribution.

Every utterance keeps one label, so whatever works on labels works on every dataset. A `Task` says what
its further numbers (`merbench.types.Utterance.targets`) are:

=============== ============================================== =======================================
kind            a target is                                    a model answers
=============== ============================================== =======================================
``dimensional`` a real number: sentiment, valence, arousal     a number each
``multi-label`` 1 where this label is present, else 0          the probability of each label, 0..1
``soft``        the share of raters who chose this label       a distribution over the labels
=============== ============================================== =======================================
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from merbench.errors import MerbenchError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from merbench.types import JSON

    Floats = npt.NDArray[np.float64]

Kind = Literal["dimensional", "multi-label", "soft"]

PRESENT = 0.5
"""From this probability on, a label counts as present."""

SUM_TOLERANCE = 1e-3
"""How far a distribution may be from summing to 1: half-precision softmax."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a dataset's targets are.

    `targets` names them in the order of `Utterance.targets`. Where `steps` are given, they are the
    dataset's labels, and they name the whole numbers from `low` on which the first target was rated: a
    value's label is the step nearest to it, an end of the scale for a value beyond. Labels of other
    dimensional tasks say something else than the values do.
    """

    kind: Kind
    targets: tuple[str, ...]
    low: int | None = None
    steps: tuple[str, ...] = ()

    @property
    def names_labels(self) -> bool:
        """Whether a label follows from values."""
        return self.kind != "dimensional" or bool(self.steps)

    @property
    def label_names(self) -> set[str]:
        """The labels that may follow from values, but for the one that says that none is present."""
        return set(self.steps or self.targets)

    @property
    def is_signed(self) -> bool:
        """Whether the values are on one scale from negative to positive, such as sentiment."""
        return self.low is not None and self.low < 0 and len(self.targets) == 1

    def step(self, values: Floats) -> npt.NDArray[np.int64]:
        """Return the index of the step nearest to each value; halves go to the even number."""
        low = self.low or 0
        return np.rint(np.clip(values, low, low + len(self.steps) - 1)).astype(np.int64) - low

    def label(self, values: Floats, labels: Sequence[str]) -> list[str]:
        """Return the label that follows from each row of values [N, T].

        ``multi-label``: the most probable label of those present, or the one label of the dataset that is
        no target if none is. ``soft``: the most probable one. The first in order wins a tie.
        """
        if self.kind == "dimensional":
            return [self.steps[i] for i in self.step(values[:, 0])]
        best = values.argmax(axis=1)
        if self.kind == "soft":
            return [self.targets[i] for i in best]
        none = next(label for label in labels if label not in self.targets)
        present = values.max(axis=1) >= PRESENT
        return [self.targets[i] if there else none for i, there in zip(best, present, strict=True)]

    def to_json(self) -> dict[str, JSON]:
        """Return the task as it enters a manifest or a result."""
        return {**asdict(self), "targets": list(self.targets), "steps": list(self.steps)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Task:
        """Read a task back."""
        return cls(**{**value, "targets": tuple(value["targets"]), "steps": tuple(value["steps"])})


@dataclass(frozen=True, slots=True)
class TargetMap:
    """Where a model's values go: for each of the task's targets the model's column, if it has one."""

    task: Task
    columns: tuple[int | None, ...]

    @property
    def table(self) -> dict[str, bool]:
        """Which targets the model answers."""
        return {
            name: column is not None for name, column in zip(self.task.targets, self.columns, strict=True)
        }

    @property
    def names_labels(self) -> bool:
        """Whether labels follow from what the model answers."""
        needed = self.columns[:1] if self.task.kind == "dimensional" else self.columns
        return self.task.names_labels and None not in needed

    def read(self, values: npt.NDArray[np.floating]) -> Floats:
        """Return a model's values [N, K] as values of the task's targets [N, T]; NaN where it has none.

        Raises:
            MerbenchError: the task asks for probabilities, and these are none.
        """
        found = np.full((len(values), len(self.columns)), np.nan)
        for target, column in enumerate(self.columns):
            if column is not None:
                found[:, target] = values[:, column]
        if self.task.kind != "dimensional":
            self._require_probabilities(found)
        return found

    def _require_probabilities(self, values: Floats) -> None:
        outside = (values < 0) | (values > 1)
        if outside.any():
            row, target = np.argwhere(outside)[0]
            raise MerbenchError(
                f"the model answered {values[row, target]:g} as the probability of "
                f"'{self.task.targets[target]}'",
                fix="answer probabilities from 0 to 1 (a sigmoid or a softmax of the logits)",
            )
        total = values.sum(axis=1)
        if self.task.kind == "soft" and (abs(total - 1) > SUM_TOLERANCE).any():
            raise MerbenchError(
                f"the model answered a distribution that sums to {total[abs(total - 1).argmax()]:.3f}",
                fix="answer probabilities that sum to 1 (a softmax of the logits)",
            )


def map_targets(model_targets: Sequence[str], task: Task | None) -> TargetMap | None:
    """Match a model's targets with a task's by name; ``None`` where they share none.

    Raises:
        MerbenchError: the model lists a target twice.
    """
    twice = sorted({name for name in model_targets if list(model_targets).count(name) > 1})
    if twice:
        raise MerbenchError(f"the model lists the target '{twice[0]}' twice", fix="list each target once")
    if task is None or not set(model_targets) & set(task.targets):
        return None
    place = {name: column for column, name in enumerate(model_targets)}
    return TargetMap(task, tuple(place.get(name) for name in task.targets))
