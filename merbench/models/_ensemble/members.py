"""One label space for models that were trained with different ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from merbench.errors import MerbenchError
from merbench.labels import counterpart
from merbench.media.conform import conform
from merbench.models import _probabilities
from merbench.models._adapter import Answered, SplitAdapter, Valued
from merbench.models._validate import blamed, check_output

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from merbench.models._adapter import Adapter
    from merbench.types import Batch, Modality

Space = Literal["shared", "all"]
"""``shared``: the labels that every member has; what a member gives to others is left out and the rest
scaled up to 1. ``all``: every label of any member; a member gives nothing to those that it has not."""


@dataclass(frozen=True)
class Member:
    """One model of several, its answers read as distributions over `labels`.

    `table` leads from each of its own labels to one of `labels`, or to ``None``.
    """

    adapter: Adapter
    labels: tuple[str, ...]
    table: Mapping[str, str | None]

    @property
    def splits(self) -> bool:
        """Whether it can answer from encodings of one modality each."""
        return isinstance(self.adapter, SplitAdapter)

    def predict(self, batch: Batch) -> npt.NDArray[np.float64]:
        """Return distributions [N, C] of a batch as the model wants it (`views`)."""
        with blamed(self.adapter):
            return self.read(self.adapter.predict(batch.only(*self.adapter.uses)), len(batch))

    def encode(self, modality: Modality, batch: Batch) -> npt.NDArray[np.float32]:
        """Return what this model keeps of one modality: its encodings, or its answers if it has no other."""
        if not isinstance(self.adapter, SplitAdapter):
            return self.predict(batch).astype(np.float32)
        with blamed(self.adapter):
            return np.asarray(self.adapter.encode(modality, batch), dtype=np.float32)

    def fuse(
        self,
        encodings: Mapping[Modality, npt.NDArray[np.float32]],
        present: Mapping[Modality, npt.NDArray[np.bool_]],
    ) -> npt.NDArray[np.float64]:
        """Return distributions [N, C] from what `encode` kept."""
        if not isinstance(self.adapter, SplitAdapter):
            return np.asarray(next(iter(encodings.values())), dtype=np.float64)
        with blamed(self.adapter):
            rows = len(next(iter(present.values())))
            return self.read(self.adapter.fuse(encodings, present), rows)

    def read(self, output: Any, n: int) -> npt.NDArray[np.float64]:
        """Return distributions [N, C] for what the model answered; a row of zeros abstains.

        A text counts as certainty; one that names none of the labels says nothing.
        """
        answers = check_output(output, n, self.adapter.labels, self.adapter.targets)
        if isinstance(answers, Answered | Valued):
            answers = cast("npt.NDArray[np.float64]", answers.logits)  # a member has labels: `join_labels`
        if isinstance(answers, list):
            said = [
                None if (word := self.adapter.parse(text)) is None else self._place(word) for text in answers
            ]
            return np.array([[float(label == word) for label in self.labels] for word in said])
        known = _probabilities.softmax(answers) @ self._columns
        total = known.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(known, total, out=np.zeros_like(known), where=total > 0))

    def _place(self, word: str) -> str | None:
        return self.table.get(word) or counterpart(word, self.labels)

    @cached_property
    def _columns(self) -> npt.NDArray[np.float64]:
        return _probabilities.merging([str(label) for label in self.table.values()], self.labels)


def views(members: Sequence[Member], batch: Batch) -> list[Batch]:
    """Return the batch as each member wants it; those that want the same share one copy."""
    made = {
        wants: conform(batch, sample_rate=wants.sample_rate, frame_size=wants.frame_size)
        for wants in {member.adapter.wants for member in members}
    }
    return [made[member.adapter.wants] for member in members]


def join_labels(adapters: Sequence[Adapter], space: Space) -> tuple[Member, ...]:
    """Return the models as members of one label space, whose words are those of the first that has them.

    Labels are matched as a model's with a dataset's (`merbench.labels`): same spelling, else same concept.

    Raises:
        MerbenchError: fewer than two labels are shared, or one could mean two of another model's.
    """
    silent = next((adapter.name for adapter in adapters if not adapter.labels), None)
    if silent is not None:
        raise MerbenchError(
            f"{silent} answers values and no labels, and an ensemble combines labels",
            fix="leave it out, or let it answer logits as well",
        )
    words = list(adapters[0].labels)
    for adapter in adapters[1:]:
        words += [label for label in adapter.labels if counterpart(label, words) is None]
    tables = [{label: counterpart(label, words) for label in adapter.labels} for adapter in adapters]
    if space == "shared":
        words = [word for word in words if all(word in table.values() for table in tables)]
        if len(words) < 2:
            sets = "; ".join(f"{a.name}: {', '.join(a.labels)}" for a in adapters)
            what = f"only '{words[0]}'" if words else "no label"
            raise MerbenchError(
                f"the models share {what} ({sets})",
                fix="leave one of them out, rename its labels, or write labels=all",
            )
    labels = tuple(words)
    tables = [{own: word if word in labels else None for own, word in table.items()} for table in tables]
    return tuple(Member(a, labels, table) for a, table in zip(adapters, tables, strict=True))
