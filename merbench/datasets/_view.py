"""A dataset seen through a protocol: labels merged or left out, utterances in folds; its media are its own.

This is the one place where classes are merged. What was done is part of the dataset's identity, so that a
suite with merged labels and one without never share a recipe.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from merbench.datasets._base import Dataset
from merbench.errors import MerbenchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from merbench.datasets._base import CheckReport
    from merbench.targets import Task
    from merbench.types import JSON, Sample, Utterance

FOLD = "protocol_fold"
"""The fact in `Utterance.extra` that says, counted from 1, in which fold's test part an utterance is.

A reader's own ``fold``, if it has one, is something else.
"""

_GROUPS = ("speaker", "dialogue", "split")


@dataclass(frozen=True)
class Merge:
    """The classes that are scored, each with the dataset's own labels that count as it.

    Utterances with a label in `dropped` are left out.
    """

    classes: Mapping[str, tuple[str, ...]]
    dropped: tuple[str, ...] = ()

    @cached_property
    def table(self) -> dict[str, str | None]:
        """The class of every label; ``None`` for one that is left out."""
        return {
            **{label: name for name, labels in self.classes.items() for label in labels},
            **dict.fromkeys(self.dropped),
        }

    def to_json(self) -> dict[str, JSON]:
        """Return the merge as it enters a recipe."""
        classes: JSON = {name: list(labels) for name, labels in self.classes.items()}
        return {"classes": classes, "dropped": list(self.dropped)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Merge:
        """Read a merge back from a recipe."""
        classes = {name: tuple(labels) for name, labels in value["classes"].items()}
        return cls(classes, tuple(value["dropped"]))


@dataclass(frozen=True, slots=True)
class Folds:
    """Which values of a fact are in which fold's test part.

    `by` is ``speaker``, ``dialogue``, ``split`` or a fact in `Utterance.extra` (``session``). `trained` is
    the fold, from 1, that a model is trained for; ``None`` to test every fold. The training part is what is
    neither tested nor, with `validated`, in the next fold (after the last comes the first).
    """

    by: str
    members: tuple[tuple[str, ...], ...]
    trained: int | None = None
    validated: bool = False

    def of(self, utterance: Utterance) -> int:
        """Return the fold, from 1, in whose test part an utterance is.

        Raises:
            MerbenchError: it is in none.
        """
        value = getattr(utterance, self.by) if self.by in _GROUPS else utterance.extra.get(self.by)
        found = next((k for k, values in enumerate(self.members, 1) if str(value) in values), None)
        if value is None or found is None:
            what = f"no {self.by}" if value is None else f"the {self.by} '{value}'"
            raise MerbenchError(
                f"the utterance '{utterance.id}' has {what}, and so is in no fold",
                fix="in [folds] of the protocol, 'by' names the fact and 'members' every one of its values",
            )
        return found

    def split(self, fold: int) -> str:
        """Return what a fold's test part is used for."""
        if self.trained is None:
            return f"fold{fold}"
        if fold == self.trained:
            return "test"
        return "validation" if self.validated and fold == self.trained % len(self.members) + 1 else "train"

    def to_json(self) -> dict[str, JSON]:
        """Return the folds as they enter a recipe."""
        whole: dict[str, JSON] = {"by": self.by, "members": [list(values) for values in self.members]}
        return (
            whole if self.trained is None else {**whole, "trained": self.trained, "validated": self.validated}
        )

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Folds:
        """Read folds back from a recipe."""
        return cls(**{**value, "members": tuple(map(tuple, value["members"]))})


@dataclass(frozen=True)
class View(Dataset):
    """A dataset with merged labels, folds, or both. Make one with `view`."""

    inner: Dataset | None = None
    merge: Merge | None = None
    folds: Folds | None = None

    def __post_init__(self) -> None:
        inner = self._inner
        if (inner.root, inner.media) != (self.root, self.media):
            object.__setattr__(self, "inner", dataclasses.replace(inner, root=self.root, media=self.media))
        object.__setattr__(self, "name", inner.name)
        object.__setattr__(self, "card", inner.card)

    @property
    def _inner(self) -> Dataset:
        assert self.inner is not None
        return self.inner

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, each where the dataset has the first of its labels."""
        if self.merge is None:
            return self._inner.labels
        return tuple(dict.fromkeys(c for label in self._inner.labels if (c := self.merge.table.get(label))))

    @property
    def text_informative(self) -> bool:
        """Whether text cells mean anything here."""
        return self._inner.text_informative

    @property
    def task(self) -> Task | None:
        """What is asked beside the label."""
        return self._inner.task

    def identity(self) -> dict[str, JSON]:
        """Return the dataset's own identity and what was made of it."""
        parts = {"labels": self.merge, "folds": self.folds}
        made: JSON = {name: part.to_json() for name, part in parts.items() if part is not None}
        return {**self._inner.identity(), "view": made}

    def draw_options(self) -> dict[str, JSON]:
        """Return the dataset's options that decide its content."""
        return self._inner.draw_options()

    def utterances(self) -> tuple[Utterance, ...]:
        """Return what is scored, sorted by id.

        Raises:
            MerbenchError: an utterance has a label that is neither in a class nor dropped, or is in no fold.
        """
        return tuple(seen for seen, _ in self._rows.values())

    def load(self, utterance: Utterance) -> Sample:
        """Return the utterance with the media that it has in the dataset itself."""
        return dataclasses.replace(self._inner.load(self._own(utterance)), utterance=utterance)

    def source_hash(self, utterances: Sequence[Utterance]) -> str:
        """Return the hash of these utterances' sources, with their own labels: the rest is in `identity`."""
        return self._inner.source_hash([self._own(u) for u in utterances])

    def check(self) -> CheckReport:
        """Look at everything on disk, as the dataset itself does."""
        return self._inner.check()

    def _own(self, utterance: Utterance) -> Utterance:
        return self._rows[utterance.id][1]

    @cached_property
    def _rows(self) -> dict[str, tuple[Utterance, Utterance]]:
        """Every utterance as it is scored and as the dataset has it, by id."""
        return {own.id: (seen, own) for own, seen in self._seen()}

    def _seen(self) -> Iterator[tuple[Utterance, Utterance]]:
        for own in self._inner.utterances():
            seen = own
            if self.merge is not None:
                label = self._class_of(own, self.merge)
                if label is None:
                    continue
                seen = dataclasses.replace(seen, label=label)
            if self.folds is not None:
                fold = self.folds.of(own)
                extra = {**own.extra, FOLD: fold}
                seen = dataclasses.replace(seen, split=self.folds.split(fold), extra=extra)
            yield own, seen

    def _class_of(self, utterance: Utterance, merge: Merge) -> str | None:
        if utterance.label not in merge.table:
            raise MerbenchError(
                f"the utterance '{utterance.id}' of dataset '{self.name}' has the label '{utterance.label}', "
                "which is in no class",
                fix="add it to a class, or to 'dropped', in [labels] of the protocol",
            )
        return merge.table[utterance.label]


def view(dataset: Dataset, merge: Merge | None = None, folds: Folds | None = None) -> Dataset:
    """Return a dataset with merged labels and in folds; without both, the dataset itself.

    Raises:
        MerbenchError: a class is made of a label that the dataset does not have.
    """
    if merge is None and folds is None:
        return dataset
    unknown = [label for label in (merge.table if merge else ()) if label not in dataset.labels]
    if unknown:
        raise MerbenchError(
            f"dataset '{dataset.name}' has no label '{unknown[0]}'",
            fix=f"mend [labels] of the protocol; its labels are: {', '.join(dataset.labels)}",
        )
    return View(root=dataset.root, media=dataset.media, inner=dataset, merge=merge, folds=folds)


def view_from_recipe(dataset: Dataset, made: Mapping[str, Any] | None) -> Dataset:
    """Return the view that `made`, from a recipe's dataset or a result's protocol, describes."""
    labels, folds = ((made or {}).get(part) for part in ("labels", "folds"))
    return view(
        dataset,
        None if labels is None else Merge.from_json(labels),
        None if folds is None else Folds.from_json(folds),
    )
