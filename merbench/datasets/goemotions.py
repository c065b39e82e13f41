"""GoEmotions: Reddit comments labelled with 27 emotions or neutral, or with Ekman's six or neutral.

``train.tsv``, ``dev.tsv`` and ``test.tsv`` have no header and the columns text, label numbers (``3,4`` is
several) and id; ``labels.txt`` or ``emotions.txt`` beside them says what is counted. One label per row is
scored here, so rows with several are left out; with ``multi_label=first`` the first of them in the order of
the label set stands for all, and with ``target=emotions`` every row is asked which emotions are present.
Grouping comes before: a comment that is angry and annoyed has one of Ekman's emotions.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from merbench.datasets._base import Card, Finding
from merbench.datasets._files import FileDataset, Index, Source, note
from merbench.datasets._tabular import read_columns, read_utf8
from merbench.errors import MerbenchError
from merbench.options import option
from merbench.targets import Task
from merbench.types import Utterance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from merbench.datasets._tabular import Row

# The grouping that the authors publish as ekman_mapping.json. Together the values are the 28 labels.
_EKMAN = {
    "anger": ("anger", "annoyance", "disapproval"),
    "disgust": ("disgust",),
    "fear": ("fear", "nervousness"),
    "joy": (
        *("admiration", "amusement", "approval", "caring", "desire", "excitement", "gratitude", "joy"),
        *("love", "optimism", "pride", "relief"),
    ),
    "neutral": ("neutral",),
    "sadness": ("disappointment", "embarrassment", "grief", "remorse", "sadness"),
    "surprise": ("confusion", "curiosity", "realization", "surprise"),
}
_GROUP = {label: group for group, members in _EKMAN.items() for label in members}
_NONE = "neutral"
_LABELS = {
    "original": (*sorted(set(_GROUP) - {_NONE}), _NONE),  # emotions.txt: alphabetical, neutral last
    "ekman": tuple(_EKMAN),
}
_PUBLISHED = {"train": 43_410, "dev": 5_426, "test": 5_427}
_LABEL_FILES = ("labels.txt", "emotions.txt")
_FOLDERS = {"original": (".", "data", "original", "data/original"), "ekman": ("ekman", "data/ekman")}


@dataclass(frozen=True)
class GoEmotions(FileDataset):
    """A dataset of fine-grained emotions."""

    card = Card(
        title="GoEmotions",
        labels=_LABELS["original"],
        modalities=("text",),
        text_informative=True,
        licence="Apache-2.0",
        licence_url="https://github.com/google-research/google-research/tree/master/goemotions",
        restricted=False,
        bibtex="""@inproceedings{demszky2020goemotions,
  author    = {Demszky, Dorottya and Movshovitz-Attias, Dana and Ko, Jeongwoo and Cowen, Alan and
               Nemade, Gaurav and Ravi, Sujith},
  title     = {{GoEmotions}: A Dataset of Fine-Grained Emotions},
  booktitle = {Proceedings of the 58th Annual Meeting of the Association for Computational Linguistics},
  year      = {2020}
}""",
        layout="train.tsv, dev.tsv, test.tsv and emotions.txt (or labels.txt), perhaps below data",
        unit="sample",
        expected={"utterances": sum(_PUBLISHED.values())},
    )

    grouping: Literal["original", "ekman"] = option("original", "28 labels, or Ekman's six and neutral")
    multi_label: Literal["drop", "first"] = option(
        "drop", "rows with several labels: leave them out, or take the first in the order of the label set"
    )
    target: Literal["label", "emotions"] = option(
        "label", "emotions: which of them are present is asked, of every row", later=True
    )

    @property
    def task(self) -> Task | None:
        """Which emotions are present, if it is asked."""
        emotions = tuple(name for name in self.labels if name != _NONE)
        return Task(kind="multi-label", targets=emotions) if self.target == "emotions" else None

    @property
    def labels(self) -> tuple[str, ...]:
        """The label set of the grouping."""
        return _LABELS[self.grouping]

    @property
    def expected(self) -> Mapping[str, int]:
        """Nothing: the rows of each split are compared instead, before those with several labels go."""
        return {}

    def read_index(self) -> Index:
        """Read the splits that are there."""
        folder = self._folder()
        names = _read_names(folder)
        if self.grouping == "original" and set(names) == set(_EKMAN):
            raise MerbenchError(
                f"the labels in {folder} are grouped already", fix="ask for goemotions:grouping=ekman"
            )
        utterances: dict[str, Utterance] = {}
        findings: list[Finding] = []
        several = []
        for split, published in _PUBLISHED.items():
            path = folder / f"{split}.tsv"
            if not path.is_file():
                findings.append(Finding("info", split, f"is not here: there is no {path.name}"))
                continue
            columns = ("text", "labels", "id")
            rows = read_columns(path, columns, header=columns)
            findings += _against_published(split, len(rows), published)
            for row in rows:
                try:
                    found = self._grouped(row, names)
                    if row.cells["id"] in utterances:
                        raise MerbenchError(f"id '{row.cells['id']}' stands there already")
                except MerbenchError as error:
                    findings.append(Finding("error", row.where, str(error)))
                    continue
                if len(found) > 1 and self.multi_label == "drop" and self.target == "label":
                    several.append(row.cells["id"])
                else:
                    utterances[row.cells["id"]] = _utterance(row, split, found, self.task)
        findings += note("info", f"{len(several)} rows with several labels are left out", several)
        return Index(tuple(u for _, u in sorted(utterances.items())), tuple(findings))

    def _folder(self) -> Path:
        """Return where the splits are; files that are grouped already serve the same grouping only."""
        root = self.require_root()
        groupings = ("ekman", "original") if self.grouping == "ekman" else ("original",)
        for name in (name for grouping in groupings for name in _FOLDERS[grouping]):
            if any((root / name / f"{split}.tsv").is_file() for split in _PUBLISHED):
                return root / name
        raise MerbenchError(
            f"{root} holds no split of GoEmotions",
            fix=f"expected {self.card.layout}; get it from {self.card.licence_url}",
        )

    def _grouped(self, row: Row, names: tuple[str, ...]) -> list[str]:
        """Return the row's labels, each once, in the order of the label set.

        Raises:
            MerbenchError: one is no number, or beyond the names.
        """
        by_number = {str(number): name for number, name in enumerate(names)}
        try:
            given = {by_number[number] for number in row.cells["labels"].split(",")}
        except KeyError as error:
            raise MerbenchError(
                f"'{row.cells['labels']}' are no numbers from 0 to {len(names) - 1}",
                fix="compare the table with its list of labels",
            ) from error
        if self.grouping == "ekman":
            given = {_GROUP[name] for name in given}
        return sorted(given, key=self.labels.index)


def _read_names(folder: Path) -> tuple[str, ...]:
    """Return what the label numbers mean: the list beside the tables, or else the published order."""
    path = next((folder / name for name in _LABEL_FILES if (folder / name).is_file()), None)
    if path is None:
        return _LABELS["original"]
    names = tuple(filter(None, map(str.strip, read_utf8(path).splitlines())))
    unknown = sorted(set(names) - set(_GROUP))
    if unknown or not names:
        raise MerbenchError(
            f"{path} names the emotion '{unknown[0] if unknown else ''}', which is not one of GoEmotions'",
            fix=f"expected {', '.join(_LABELS['original'])}",
        )
    return names


def _against_published(split: str, found: int, published: int) -> Iterator[Finding]:
    if found != published:
        level = "info" if found < published else "warning"
        yield Finding(level, split, f"{found} rows, and {published} were published")


def _utterance(row: Row, split: str, labels: list[str], task: Task | None) -> Utterance:
    return Utterance(
        id=row.cells["id"],
        label=labels[0] if task is None else next((name for name in labels if name != _NONE), _NONE),
        split=split,
        extra={"labels": labels},
        targets=() if task is None else tuple(float(name in labels) for name in task.targets),
        source=Source(text=unicodedata.normalize("NFC", row.cells["text"])),
    )
