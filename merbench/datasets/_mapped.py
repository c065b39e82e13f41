"""Tables in which the user says which column is what."""

from __future__ import annotations

import dataclasses
import unicodedata
from abc import abstractmethod
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from merbench.datasets._base import Finding
from merbench.datasets._files import FileDataset, Index, Source, note
from merbench.datasets._tabular import read_utf8
from merbench.errors import MerbenchError
from merbench.media.decode import Embedded
from merbench.options import option
from merbench.types import Utterance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from merbench.datasets._tabular import Row, Rows
    from merbench.media.decode import MediaFile
    from merbench.types import JSON

_MEDIA = ("audio", "video", "image", "text")
_ROLES = ("id", *_MEDIA, "label", "speaker", "dialogue", "split")
_ID_DIGITS = 6
_SUFFIXES = {
    "audio": (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac"),
    "video": (".mp4", ".avi", ".mkv", ".mov", ".webm", ".flv", ".mpg", ".mpeg"),
    "image": (".jpg", ".jpeg", ".png", ".bmp"),
}
"""How names of media files end, by the role that a column of them would have."""


@dataclass(frozen=True)
class MappedDataset(FileDataset):
    """A dataset whose utterances are the rows of a table; a subclass says where the table is.

    Columns named `id`, `audio`, `video`, `image`, `text`, `label`, `speaker`, `dialogue` and `split` are
    used as what they are called; an option of that name maps another column. All but `label` and one of
    the media may be absent. Other columns travel along as the utterance's `extra`.
    """

    id: str = option("id", "column of ids; without one: the media file's name, or the row number")
    audio: str = option("audio", "column of paths of sound files")
    video: str = option("video", "column of paths of video files; their sound is used too")
    image: str = option("image", "column of paths of still images")
    text: str = option("text", "column of transcripts")
    label: str = option("label", "column of emotions")
    speaker: str = option("speaker", "column of speakers")
    dialogue: str = option("dialogue", "column of dialogues")
    split: str = option("split", "column of splits; without one everything is 'test'")
    label_names: tuple[str, ...] = option(
        (),
        "the label set in order, which whole numbers in the label column index from 0: a+b+c, or the name "
        "of a file beside the table with one per line; without it: what the table has, sorted",
    )
    multi_label: Literal["error", "drop"] = option("error", "rows with several labels, such as '3,4'")
    text_informative: bool = option(True, "false where every emotion reads the same sentences")
    licence: str = option("unknown", "the licence of the data")
    restricted: bool = option(True, "false where media and transcripts may be published")

    def __post_init__(self) -> None:
        card = dataclasses.replace(
            type(self).card,
            licence=self.licence,
            restricted=self.restricted,
            text_informative=self.text_informative,
        )
        object.__setattr__(self, "card", card)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The label set: `label_names`, or what the table has, sorted."""
        return self._label_set or tuple(sorted({u.label for u in self.index.utterances}))

    @cached_property
    def _label_set(self) -> tuple[str, ...]:
        """`label_names`, read from a file where there is only one: no label set has a single label."""
        if len(self.label_names) != 1:
            return self.label_names
        root = self.require_root()
        path = (root if root.is_dir() else root.parent) / self.label_names[0]
        return tuple(filter(None, map(str.strip, read_utf8(path).splitlines())))

    @abstractmethod
    def read_table(self) -> Rows:
        """Return the table.

        Raises:
            MerbenchError: there is none, or it cannot be read.
        """

    @property
    def where(self) -> str:
        """What the table is called in messages."""
        return str(self.root)

    @property
    def media_folder(self) -> Path | None:
        """What paths in the table start from, itself relative to the table's folder."""
        return None

    def read_index(self) -> Index:
        """Read the table."""
        table = self.read_table()
        return _Reader(self, table, self._columns(table)).read()

    def _columns(self, table: Rows) -> dict[str, str]:
        """Return the column of every role that the table has.

        Raises:
            MerbenchError: a column that the user named, or one that must be there, is not.
        """
        defaults = {f.name: f.default for f in dataclasses.fields(self)}
        wanted = {role: getattr(self, role) for role in _ROLES}
        found = {role: name for role, name in wanted.items() if name in table.columns}
        columns = f"the columns are: {', '.join(table.columns)}"
        for role, name in wanted.items():
            if role not in found and (name != defaults[role] or role == "label"):
                raise MerbenchError(
                    f"{self.where} has no column '{name}' for {role}",
                    fix=f"map one with {self.name}:{role}=COLUMN; {columns}",
                )
        if not any(role in found for role in _MEDIA):
            raise MerbenchError(
                f"{self.where} has no column of media or transcripts",
                fix=f"map one with {self.name}:text=COLUMN (or audio, video, image); {columns}",
            )
        return found


@dataclass
class _Reader:
    """Turns rows into utterances and collects what is wrong with them."""

    dataset: MappedDataset
    table: Rows
    columns: dict[str, str]
    findings: list[Finding] = field(default_factory=list)
    padded: Counter[str] = field(default_factory=Counter)
    dropped: list[str] = field(default_factory=list)

    def read(self) -> Index:
        seen: dict[str, str] = {}
        utterances = []
        for number, row in enumerate(self.table.rows):
            try:
                utterance = self._utterance(row, number)
                if utterance is None:
                    continue
                if utterance.id in seen:
                    raise MerbenchError(
                        f"id '{utterance.id}' stands already at {seen[utterance.id]}",
                        fix=f"map a column of unique ids with {self.dataset.name}:id=COLUMN",
                    )
            except MerbenchError as error:
                self.findings.append(Finding("error", row.where, str(error)))
            else:
                seen[utterance.id] = row.where
                utterances.append(utterance)
        self.findings += self._unread()
        for column, count in self.padded.items():
            what = f"{count} cells have blanks around them, which are stripped"
            self.findings.append(Finding("warning", f"column '{column}'", what))
        self.findings += note(
            "warning", f"{len(self.dropped)} rows with several labels are dropped", self.dropped
        )
        if not utterances and not any(f.level == "error" for f in self.findings):
            raise MerbenchError(f"{self.dataset.where} has no rows that can be used")
        return Index(tuple(sorted(utterances, key=lambda u: u.id)), tuple(self.findings))

    def _unread(self) -> Iterator[Finding]:
        """Yield the columns that hold nothing but names of media files, of a kind that is not mapped."""
        for column in self.table.columns:
            if column in self.columns.values():
                continue
            named = [cell.lower() for row in self.table.rows if isinstance(cell := row.cells[column], str)]
            named = [name.strip() for name in named if name.strip()]
            for role, suffixes in _SUFFIXES.items():
                if role not in self.columns and named and all(name.endswith(suffixes) for name in named):
                    yield Finding(
                        "warning",
                        f"column '{column}'",
                        f"it holds paths of media and is not read; write {self.dataset.name}:{role}={column}",
                    )

    def _utterance(self, row: Row, number: int) -> Utterance | None:
        label = self._label(row)
        if label is None:
            self.dropped.append(row.where)
            return None
        source = self._source(row)
        return Utterance(
            id=self._id(row, source, number),
            label=label,
            split=self._name(row, "split") or "test",
            speaker=self._name(row, "speaker") or None,
            dialogue=self._name(row, "dialogue") or None,
            extra={
                name: _json(value) for name, value in row.cells.items() if name not in self.columns.values()
            },
            source=source,
        )

    def _id(self, row: Row, source: Source, number: int) -> str:
        if "id" in self.columns:
            given = self._name(row, "id")
            if not given:
                raise MerbenchError("the id is empty", fix="fill it in")
            return given
        if source.files:
            return Path(str(source.files[0])).stem
        return f"{number:0{_ID_DIGITS}d}"

    def _label(self, row: Row) -> str | None:
        """Return the row's label, or ``None`` when it has several and such rows are dropped."""
        given, names = self._name(row, "label"), self.dataset._label_set
        if not given:
            raise MerbenchError("the label is empty", fix="fill it in, or leave the row out")
        if given in names or (not names and "," not in given):
            return given
        if given.isdecimal() and int(given) < len(names):
            return names[int(given)]
        if "," not in given:
            raise MerbenchError(
                f"label '{given}' is not one of {', '.join(names)}",
                fix="add it to label_names, or mend the row",
            )
        if self.dataset.multi_label == "drop":
            return None
        raise MerbenchError(
            f"'{given}' are several labels, and this benchmark scores one",
            fix="leave such rows out with multi_label=drop",
        )

    def _source(self, row: Row) -> Source:
        source = Source(
            audio=self._file(row, "audio"),
            video=self._file(row, "video") or self._file(row, "image"),
            text=unicodedata.normalize("NFC", _text(row.cells[self.columns["text"]]))
            if "text" in self.columns
            else None,
        )
        if not source.files and source.text is None:
            raise MerbenchError("the row names no media", fix="fill in a path, or leave the row out")
        return source

    def _file(self, row: Row, role: str) -> MediaFile | None:
        cell = row.cells[self.columns[role]] if role in self.columns else None
        if isinstance(cell, Embedded):
            return cell
        given = self._name(row, role)
        return self._folder / given if given else None

    @cached_property
    def _folder(self) -> Path:
        return self.table.folder / (self.dataset.media_folder or "")

    def _name(self, row: Row, role: str) -> str:
        """Return a cell as text without blanks around it; empty where there is no such column."""
        if role not in self.columns:
            return ""
        text = _text(row.cells[self.columns[role]])
        if text != text.strip():
            self.padded[self.columns[role]] += 1
        return text.strip()


def _text(cell: Any) -> str:
    """Return a cell as text: nothing for null, ``3`` for 3.0, ``3,4`` for a list."""
    if cell is None:
        return ""
    if isinstance(cell, list):
        return ",".join(map(_text, cell))
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def _json(cell: Any) -> JSON:
    """Return a cell as a JSON value; what JSON does not know becomes its text."""
    if isinstance(cell, list):
        return [_json(item) for item in cell]
    if isinstance(cell, dict):
        return {str(key): _json(value) for key, value in cell.items()}
    if isinstance(cell, float) and not abs(cell) < float("inf"):
        return None
    return cell if cell is None or isinstance(cell, bool | int | float | str) else str(cell)
