"""Labels that people gave to the corrupted clips themselves, laid over a suite.

Noise can change what people perceive. Where somebody asked them again, a model is scored against both:
the label that the clean clip has, and the one that the clip has as the model got it. Neither replaces
the other, and media, rows and content hashes stay what they are.

A table (CSV, TSV or Parquet) has the columns ``sample_id`` and ``label`` and, as far as they are there,
``cell_id``, ``corruption`` and ``severity``, which say of which cells a row speaks: of all that fit what
it fills in. ``annotator`` makes a row one person's judgement, and ``votes`` that of so many people.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from merbench.datasets._tabular import read_columns
from merbench.errors import MerbenchError
from merbench.hashing import hash_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from merbench.datasets._tabular import Row
    from merbench.types import Cell

FILE = "labels.json"
"""What the labels are called in the folder of a suite and of a run."""

_NEEDED = ("sample_id", "label")
_OF_CELL = ("cell_id", "corruption", "severity")
_OF_PEOPLE = ("annotator", "votes")
_COLUMNS = (*_NEEDED, *_OF_CELL, *_OF_PEOPLE)

Votes = dict[str, int]
"""How many people gave each label."""


@dataclass(frozen=True)
class Overlay:
    """Votes by cell and sample: ``votes[cell_id][sample_id][label]``."""

    votes: Mapping[str, Mapping[str, Votes]]

    @property
    def sha256(self) -> str:
        """The hash of the votes, however the table was written down."""
        return hash_json(self.to_json())

    @property
    def clips(self) -> int:
        """How many clips have votes."""
        return sum(map(len, self.votes.values()))

    def to_json(self) -> dict[str, Any]:
        """Return the votes as they are stored."""
        return {cell: {sample: dict(v) for sample, v in rows.items()} for cell, rows in self.votes.items()}

    @classmethod
    def read(cls, path: Path, sha256: str) -> Overlay:
        """Read what a suite or a run stored.

        Raises:
            MerbenchError: the file is missing or damaged, or holds other labels than it should.
        """
        try:
            overlay = cls(json.loads(path.read_text(encoding="utf-8")))
            same = overlay.sha256 == sha256
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise MerbenchError(
                f"{path}, the labels laid over this, cannot be read ({error})",
                fix="run the command that wrote it again",
            ) from error
        if not same:
            raise MerbenchError(
                f"{path} does not hold the labels that were laid over this",
                fix="run the command that wrote it again",
            )
        return overlay


def winner(votes: Votes) -> str | None:
    """Return the label that most people gave, ``None`` where it is not a single one."""
    most = max(votes.values())
    winners = [label for label, n in votes.items() if n == most]
    return winners[0] if len(winners) == 1 else None


def read_overlay(path: Path, cells: Sequence[Cell], ids: Sequence[str], labels: Sequence[str]) -> Overlay:
    """Read a table of labels for a suite with these cells, samples and labels.

    Raises:
        MerbenchError: the table cannot be read or lacks a column; or, with its line: a column that means
            nothing, an unknown sample or label, a cell that is not in the suite, a judgement given twice.
    """
    rows = read_columns(path, _NEEDED)
    unknown = sorted({name for row in rows[:1] for name in row.cells} - set(_COLUMNS))
    if unknown:  # a misspelt 'severity' would spread its labels over all of them
        raise MerbenchError(
            f"the column '{unknown[0]}' of {path} means nothing here",
            fix=f"the columns are {', '.join(_COLUMNS)}: rename it or leave it out",
        )
    known = set(ids)
    seen: dict[tuple[str, ...], str] = {}
    votes: dict[str, dict[str, Votes]] = {}
    for row in rows:
        sample, label = str(row.cells["sample_id"]).strip(), str(row.cells["label"]).strip()
        if sample not in known:
            raise MerbenchError(
                f"{row.where}: there is no sample '{sample}' in this suite",
                fix="leave the row out, or make the suite without the --split or --limit that leaves it out",
            )
        if label not in labels:
            raise MerbenchError(
                f"{row.where}: '{label}' is no label of this dataset", fix=f"write one of {', '.join(labels)}"
            )
        person = _filled(row, "annotator") + (f"/{label}" if "votes" in row.cells else "")
        for cell in _cells_of(row, cells):
            before = seen.setdefault((cell.cell_id, sample, person), row.where)
            if before != row.where:
                raise MerbenchError(
                    f"{row.where}: '{sample}' in {cell.cell_id} was labelled in {before} already",
                    fix="give each judgement once; a column 'annotator' tells people apart",
                )
            counts = votes.setdefault(cell.cell_id, {}).setdefault(sample, {})
            counts[label] = counts.get(label, 0) + _votes(row)
    if not votes:
        raise MerbenchError(f"{path} holds no labels", fix="give at least one row")
    return Overlay(votes)


def _cells_of(row: Row, cells: Sequence[Cell]) -> Iterator[Cell]:
    asked = {name: value for name in _OF_CELL if (value := _filled(row, name))}
    found = [
        cell for cell in cells if all(str(getattr(cell, name)) == value for name, value in asked.items())
    ]
    if not found:
        what = ", ".join(f"{name} {value}" for name, value in asked.items())
        raise MerbenchError(
            f"{row.where}: this suite has no cell with {what}",
            fix="'merbench suite show' lists the cells; a row without any speaks of all",
        )
    yield from found


def _filled(row: Row, column: str) -> str:
    """Return a cell as text, empty where it or its column is not there."""
    value = row.cells.get(column)
    return "" if value is None else str(value).strip()


def _votes(row: Row) -> int:
    text = _filled(row, "votes")
    if "votes" not in row.cells:
        return 1
    if not text.isdecimal() or int(text) == 0:
        raise MerbenchError(
            f"{row.where}: '{text}' is no number of votes", fix="write a whole number above 0"
        )
    return int(text)
