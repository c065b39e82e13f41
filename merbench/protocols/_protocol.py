"""What a protocol says, read strictly from its TOML file (`merbench.strict`)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from merbench.datasets import datasets, load_dataset
from merbench.datasets._view import Folds as FoldsOfView
from merbench.datasets._view import Merge, view
from merbench.errors import MerbenchError
from merbench.hashing import hash_json
from merbench.options import split_spec
from merbench.strict import Shelf, read, require
from merbench.types import SEVERITIES, MediaSpec

if TYPE_CHECKING:
    from merbench.datasets import Card, Dataset
    from merbench.types import JSON

Unit = Literal["speaker", "dialogue", "session", "sample"]
Metric = Literal[
    "uar",
    "accuracy",
    "macro_f1",
    "weighted_f1",
    "mae",
    "mse",
    "pearson",
    "ccc",
    "acc2",
    "f1",
    "acc2_nonzero",
    "f1_nonzero",
    "acc5",
    "acc7",
    "mer2023_score",
    "multilabel_f1",
    "multilabel_micro_f1",
    "weighted_accuracy",
    "map",
    "js_divergence",
    "cosine",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The classes and the dataset's own labels that count as each; `dropped` ones are left out."""

    classes: dict[str, tuple[str, ...]]
    dropped: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(len(self.classes) > 1, "there are fewer than two classes")
        require(all(self.classes.values()), "a class has no label")
        named = [*(label for labels in self.classes.values() for label in labels), *self.dropped]
        twice = next((label for label in named if named.count(label) > 1), None)
        require(twice is None, f"the label '{twice}' is named twice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Which of the dataset's own splits are for what.

    `validation` is a split or a share of the training speakers. `share_speakers` says that the dataset's
    authors let speakers occur on both sides; everything else about contamination still holds.
    """

    test: str
    train: str
    validation: str | float = 0.15
    share_speakers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Folds:
    """Cross-validation: every fold is tested once, by a model that was trained without it.

    `by` names the fact that decides: ``speaker``, ``dialogue``, ``split``, or another one of the dataset's
    (``session``); `members` are its values, a list per fold. What chooses a model's best epoch is the
    ``next`` fold (after the last comes the first), or a share of the training speakers.
    """

    by: str
    members: tuple[tuple[str, ...], ...]
    validation: Literal["next"] | float = "next"

    def __post_init__(self) -> None:
        require(len(self.members) > 1, "members lists fewer than two folds")
        named = [value for values in self.members for value in values]
        twice = next((value for value in named if named.count(value) > 1), None)
        require(twice is None, f"members names '{twice}' twice")
        enough = len(self.members) > 2 or self.validation != "next"
        require(enough, "with two folds, validation is a share of the training speakers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """The cells: corruptions or presets as ``--corruption`` takes them, at these severities.

    `noise_folds` and `snr_reference` go to every corruption that has them; without them, its own. `faces` is
    how frames are cropped to the face after they were corrupted (``--faces``); without it they are not.
    """

    corruptions: tuple[str, ...] = ("core",)
    severities: tuple[int, ...] = SEVERITIES
    noise_folds: tuple[int, ...] = ()
    snr_reference: Literal["speech", "whole"] | None = None
    faces: Literal["fixed", "redetect"] | None = None
    seed: int = 0
    replicates: int = 1

    def __post_init__(self) -> None:
        require(bool(self.corruptions), "corruptions cannot be empty")
        require(set(self.severities) <= set(SEVERITIES) and bool(self.severities), "severities are 1 to 5")
        require(self.seed >= 0, "seed is at least 0")
        require(self.replicates >= 1, "replicates is at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """How many utterances there are, for `check_protocol`; what nobody published is left out.

    `utterances` are all that are scored or trained on, `labels` count the dataset's own labels, `classes`
    those of the protocol, and `parts` its splits, or its folds by number. `source` says who published them.
    """

    source: str
    utterances: int | None = None
    labels: dict[str, int] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A protocol, read and checked.

    `unit` is what is independent, `metric` the primary one, `transcript` where the text is from,
    `reference` the model to which corruption errors are relative, if one is agreed upon. `bibtex` is of
    what the protocol is taken from; the dataset's own is on its card.
    """

    name: str
    title: str
    dataset: str
    unit: Unit
    about: str = ""
    metric: Metric = "uar"
    transcript: str = ""
    reference: str | None = None
    bibtex: str = ""
    labels: Labels | None = None
    split: Split | None = None
    folds: Folds | None = None
    suite: Suite = field(default_factory=Suite)
    media: MediaSpec = field(default_factory=MediaSpec)
    published: Published | None = None

    def __post_init__(self) -> None:
        one = (self.split is None) != (self.folds is None)
        require(one, "say which part is tested: [split] or [folds], one of the two")

    @property
    def merge(self) -> Merge | None:
        """What becomes of the dataset's labels; ``None`` if they are scored as they are."""
        return None if self.labels is None else Merge(self.labels.classes, self.labels.dropped)

    @property
    def card(self) -> Card:
        """The card of the dataset: its licence and who may have it."""
        return datasets[split_spec(self.dataset)[0]].card

    @property
    def bibliography(self) -> tuple[str, ...]:
        """BibTeX of the dataset and of the protocol, where there is any."""
        return tuple(entry.strip() for entry in (self.card.bibtex, self.bibtex) if entry.strip())

    def to_json(self) -> dict[str, Any]:
        """Return everything that it says, defaults included."""
        return dataclasses.asdict(self)

    @property
    def sha256(self) -> str:
        """The hash of everything that it says."""
        return hash_json(self.to_json())

    def facts(self) -> dict[str, JSON]:
        """Return what a reader of results must know, as it enters them."""
        merge, folds = self.merge, self.folds
        return {
            "name": self.name,
            "title": self.title,
            "sha256": self.sha256,
            "unit": self.unit,
            "metric": self.metric,
            "transcript": self.transcript,
            "reference": self.reference,
            "bibtex": self.bibtex.strip(),
            "labels": None if merge is None else merge.to_json(),
            "folds": None if folds is None else self._folds().to_json(),
            "test": None if self.split is None else self.split.test,
            "share_speakers": self.split is not None and self.split.share_speakers,
            "severities": list(self.suite.severities),
        }

    def open(self, root: Path | None = None) -> Dataset:
        """Return the dataset to be tested, with merged classes; every fold is a split of its own.

        Args:
            root: where the files lie; by default the dataset's folder in ``MERBENCH_DATA``.

        Raises:
            MerbenchError: there is no such dataset, or it does not have a label that is merged or dropped.
        """
        return self.over(load_dataset(self.dataset, root, self.media))

    def over(self, dataset: Dataset) -> Dataset:
        """Return what `open` does of a dataset that is open already."""
        return view(dataset, self.merge, None if self.folds is None else self._folds())

    def open_for_training(
        self, root: Path | None, fold: int | None, media: MediaSpec | None = None
    ) -> Dataset:
        """Return the dataset to train a model on; `parts` says which splits are for what.

        Args:
            root: as `open` takes it.
            fold: the fold, from 1, that the model is not to see: then the splits are ``train``, ``test``
                and, if a fold is for validation, ``validation``.
            media: what media are to be, instead of the protocol's own.

        Raises:
            MerbenchError: there is no such fold, or one must be named and is not; or as `open`.
        """
        count = 0 if self.folds is None else len(self.folds.members)
        if count and fold is None:
            raise MerbenchError(
                f"protocol '{self.name}' has {count} folds",
                fix=f"say which one the model is not to see: --fold 1 to --fold {count}, one model each",
            )
        if fold is not None and not 1 <= fold <= count:
            raise MerbenchError(
                f"protocol '{self.name}' has no fold {fold}",
                fix=f"its folds are 1 to {count}" if count else "it has none: leave --fold out",
            )
        dataset = load_dataset(self.dataset, root, media or self.media)
        return view(dataset, self.merge, None if self.folds is None else self._folds(fold))

    def _folds(self, fold: int | None = None) -> FoldsOfView:
        assert self.folds is not None
        validated = fold is not None and self.folds.validation == "next"
        return FoldsOfView(self.folds.by, self.folds.members, fold, validated)

    def parts(self) -> dict[str, Any]:
        """Return which splits of `open_for_training` are for what, as a recipe's ``[data]`` says it."""
        if self.split is not None:
            return {
                "train": (self.split.train,),
                "validation": (self.split.validation,),
                "test": (self.split.test,),
                "speaker_disjoint": not self.split.share_speakers,
            }
        share = None if self.folds is None else self.folds.validation
        validation = "validation" if share == "next" else share
        return {"train": ("train",), "validation": (validation,), "test": ("test",), "speaker_disjoint": True}

    def followed(self, fold: int | None) -> dict[str, JSON]:
        """Return what a checkpoint says about the protocol that it was trained by."""
        return {"name": self.name, "sha256": self.sha256, "fold": fold}


PROTOCOLS = Shelf(
    "protocol",
    Path(__file__).parent,
    tuple(f.name for f in dataclasses.fields(Protocol) if f.name != "name"),
)


def load_protocol(name: str) -> Protocol:
    """Return the protocol that `name` (a committed one, or a path to a TOML) describes.

    Raises:
        MerbenchError: it is not there, is no TOML, lacks a key, or has an unknown key or a bad value.
    """
    path = PROTOCOLS.path(name)
    tables = PROTOCOLS.tables(path)
    about = tables.get("about", "")
    tidy = {"about": " ".join(about.split())} if isinstance(about, str) else {}
    return read(Protocol, {**tables, **tidy, "name": path.stem}, "", path)
