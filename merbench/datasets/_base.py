"""What a dataset reader owes."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from merbench.errors import MerbenchError
from merbench.options import build, canonical, split_spec
from merbench.registry import Registry
from merbench.rng import derive_key
from merbench.types import JSON, MediaSpec, Modality, Pool, Sample, Utterance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from merbench.targets import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is known about a dataset before anybody has it on disk.

    `text_informative` is whether the transcript carries emotion: scripted sets (RAVDESS, CREMA-D,
    nEMO) read the same sentences in every emotion, so text cells are "not applicable" there.
    `restricted` sets are never redistributed: reports and publications hold no media or transcripts.
    `expected` are published counts by name, e.g. ``{"utterances": 1440}``; `unit` is the default unit
    of analysis (``speaker``, ``dialogue``, ``session``, or ``sample`` where nobody annotated any).
    """

    title: str
    labels: tuple[str, ...]
    modalities: tuple[Modality, ...]
    text_informative: bool
    licence: str
    licence_url: str
    restricted: bool
    bibtex: str
    layout: str
    unit: str = "speaker"
    expected: dict[str, int] = field(default_factory=dict)
    known_bad: dict[str, str] = field(default_factory=dict)
    needs_root: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that an integrity check noticed: ``error`` (unusable), ``warning`` or ``info``."""

    level: str
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What `Dataset.check` found, with counts per label, split and speaker."""

    findings: tuple[Finding, ...]
    counts: dict[str, dict[str, int]]

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return not any(f.level == "error" for f in self.findings)


@dataclass(frozen=True)
class Dataset(ABC):
    """A reader: an index of utterances, and canonical media on demand.

    A reader is a frozen dataclass whose further fields are its options. Indexing decodes no media;
    `load` decodes one utterance and is called from several threads.
    """

    name: ClassVar[str]
    """Set by the registry from the file's name."""
    card: ClassVar[Card]

    root: Path | None = None
    media: MediaSpec = field(default_factory=MediaSpec)

    @abstractmethod
    def utterances(self) -> tuple[Utterance, ...]:
        """Return every utterance of every split, sorted by id.

        Raises:
            MerbenchError: the root is missing or does not have the expected layout, an id occurs
                twice, a label is unknown.
        """

    @abstractmethod
    def load(self, utterance: Utterance) -> Sample:
        """Return the utterance with its canonical media.

        Raises:
            MerbenchError: a file is truncated, empty, holds NaN, or lacks the stream it should have.
        """

    @abstractmethod
    def source_hash(self, utterances: Sequence[Utterance]) -> str:
        """Return a hash over the *content* of these utterances' sources, their labels and transcripts."""

    @abstractmethod
    def check(self) -> CheckReport:
        """Look at everything on disk and report: counts against the published ones, defects, duplicates."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The label set, in the order used by every table and confusion matrix."""
        return self.card.labels

    @property
    def text_informative(self) -> bool:
        """Whether text cells mean anything here."""
        return self.card.text_informative

    @property
    def task(self) -> Task | None:
        """What is asked beside the label, with these options; ``None``: nothing."""
        return None

    def target_means(self) -> dict[str, list[float]]:
        """Return the mean of every target in each split; nothing where there are no targets."""
        rows: dict[str, list[tuple[float, ...]]] = {}
        for u in self.utterances() if self.task is not None else ():
            rows.setdefault(u.split, []).append(u.targets)
        return {split: np.mean(rows[split], axis=0).tolist() for split in sorted(rows)}

    def label_counts(self) -> dict[str, dict[str, int]]:
        """Return how often each label occurs in each split, zeros included."""
        tally = Counter((u.split, u.label) for u in self.utterances())
        splits = sorted({split for split, _ in tally})
        return {split: {label: tally[split, label] for label in self.labels} for split in splits}

    def identity(self) -> dict[str, JSON]:
        """Return name and options as they enter a recipe."""
        return {"name": self.name, "options": canonical(self)}

    def draw_options(self) -> dict[str, JSON]:
        """Return the options that decide the content: with others it is another dataset of that name."""
        return canonical(self, draw_only=True)

    def select(
        self, split: str | None = None, limit: int | None = None
    ) -> tuple[tuple[Utterance, ...], Pool]:
        """Return the utterances to score, in keyed order, and the frozen pool that draws choose from.

        The order is a hash of the ids. So neither an adapter nor whoever reads a suite row by row can
        learn anything from it (sorted RAVDESS ids are sorted by emotion), and the first `limit` are an
        unbiased choice in which a smaller limit is a prefix of a larger one.

        Args:
            split: one split; ``None`` takes ``test`` if there is one and everything otherwise.
            limit: keep this many; the pool stays the full split.

        Raises:
            MerbenchError: there is no such split.
        """
        everything = self.utterances()
        splits = Counter(u.split for u in everything)
        if split is None and "test" in splits:
            split = "test"
        if split is not None and split not in splits:
            raise MerbenchError(
                f"dataset '{self.name}' has no split '{split}'",
                fix=f"its splits are: {', '.join(sorted(splits))}",
            )
        chosen = [u for u in everything if split in (None, u.split)]
        keyed = sorted(chosen, key=lambda u: derive_key("order", f"{self.name}:{u.id}"))
        return tuple(keyed[:limit]), Pool(tuple(chosen), self.load)

    def require_root(self) -> Path:
        """Return the root folder or file.

        Raises:
            MerbenchError: none was given, or it does not exist.
        """
        expected = f"pass --root DIR, where DIR holds {self.card.layout}; licence: {self.card.licence_url}"
        if self.root is None:
            raise MerbenchError(
                f"dataset '{self.name}' needs its files: there is no --root, and no folder '{self.name}' in "
                "MERBENCH_DATA",
                fix=expected,
            )
        if not self.root.exists():
            raise MerbenchError(
                f"the root of dataset '{self.name}' does not exist: {self.root}", fix=expected
            )
        return self.root


def default_root(name: str) -> Path | None:
    """Return ``$MERBENCH_DATA/<name>`` if it is there."""
    base = os.environ.get("MERBENCH_DATA")
    path = Path(base) / name if base else None
    return path if path is not None and path.exists() else None


def load_dataset(spec: str, root: Path | None = None, media: MediaSpec | None = None) -> Dataset:
    """Return the reader that ``name`` or ``name:option=value,...`` describes; no media is decoded.

    Args:
        spec: as ``--dataset`` takes it.
        root: where the files lie; by default the dataset's folder in ``MERBENCH_DATA``.
        media: what the canonical media are; by default `MediaSpec()`.

    Raises:
        MerbenchError: there is no such dataset or option.
    """
    name, values = split_spec(spec)
    cls = datasets[name]
    return build(cls, cls.name, values, root=root or default_root(cls.name), media=media or MediaSpec())


datasets: Registry[Dataset] = Registry("dataset", "merbench.datasets", Dataset, separator="-")  # type: ignore[type-abstract]
