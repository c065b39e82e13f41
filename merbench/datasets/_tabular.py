"""Rows of a CSV, TSV or Parquet file or of a saved Hugging Face dataset, as text, nothing guessed.

No type inference: the text ``NA`` is a text, and ``007`` keeps its zeros. CSV follows RFC 4180. TSV has
no quoting (IANA text/tab-separated-values): a quotation mark in it is a character like any other.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING, Any

from merbench.errors import MerbenchError
from merbench.media.decode import Embedded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_SUFFIXES = (*_DELIMITERS, ".parquet")
_SAVED = ("dataset_dict.json", "dataset_info.json")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: where it stands, for messages, and its cells.

    A cell is text as written, a JSON value (Parquet, Hugging Face), or an `Embedded` file.
    """

    where: str
    cells: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """A table; `folder` is what relative paths in it start from."""

    columns: tuple[str, ...]
    rows: list[Row]
    folder: Path


def read_rows(root: Path, header: Sequence[str] = ()) -> Rows:
    """Read the table at `root`: a file, a folder with one table in it, or a saved Hugging Face dataset.

    Args:
        root: the file or folder.
        header: the column names of a CSV or TSV file that has none of its own.

    Raises:
        MerbenchError: no table, more than one, or one that cannot be read; the row is named.
    """
    if root.is_dir() and any((root / name).exists() for name in _SAVED):
        return _read_saved(root)
    path = _only_table(root) if root.is_dir() else root
    if path.suffix.lower() not in _SUFFIXES:
        raise MerbenchError(
            f"{path} is not a table that can be read", fix=f"give a {', '.join(_SUFFIXES)} file or a folder"
        )
    return _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_delimited(path, header)


def read_columns(path: Path, wanted: Sequence[str], header: Sequence[str] = ()) -> list[Row]:
    """Return the rows of the table at `path`, which must have the `wanted` columns.

    Raises:
        MerbenchError: it cannot be read, or lacks a column.
    """
    table = read_rows(path, header)
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        semicolons = len(table.columns) == 1 and ";" in table.columns[0]
        raise MerbenchError(
            f"{path} has no column {' or '.join(missing)}",
            fix="its cells are separated by semicolons: save it with commas"
            if semicolons
            else f"get the file again; its columns are: {', '.join(table.columns)}",
        )
    return table.rows


def _only_table(folder: Path) -> Path:
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in _SUFFIXES and p.is_file())
    if len(found) != 1:
        names = ", ".join(p.name for p in found[:5]) or "none"
        raise MerbenchError(
            f"{folder} should hold one table ({', '.join(_SUFFIXES)}), and it holds {len(found)} ({names})",
            fix="give the path of the table itself as the root",
        )
    return found[0]


def _read_delimited(path: Path, header: Sequence[str]) -> Rows:
    delimiter = _DELIMITERS[path.suffix.lower()]
    reader = csv.reader(
        StringIO(read_utf8(path), newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if delimiter == "," else csv.QUOTE_NONE,
        strict=True,
    )
    records = _records(path, reader)
    _, columns = ("", list(header)) if header else next(records, ("", []))
    if not columns:
        raise MerbenchError(f"{path} is empty", fix="a table begins with a line of column names")
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise MerbenchError(f"{path} has several columns named '{twice[0]}'", fix="give each its own name")
    rows = []
    for where, values in records:
        if len(values) != len(columns):
            raise MerbenchError(
                f"{where} has {len(values)} cells, and the table has {len(columns)} columns",
                fix="quote cells that contain the delimiter, or name the columns with header=a+b+c",
            )
        rows.append(Row(where, dict(zip(columns, values, strict=True))))
    return Rows(tuple(columns), rows, path.parent)


def _records(path: Path, reader: Any) -> Iterator[tuple[str, list[str]]]:
    """Yield every record that is not blank, with the file and the line that it begins on."""
    while True:
        where = f"{path.name}:{reader.line_num + 1}"
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise MerbenchError(
                f"{where} is not CSV: {error}",
                fix="check the quotation marks, and that commas separate cells",
            ) from error
        if values:
            yield where, values


def read_utf8(path: Path) -> str:
    """Return the text of a file, without a byte order mark.

    Raises:
        MerbenchError: it cannot be read, or is not UTF-8; the line and the byte are named.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MerbenchError(
            f"{path} cannot be read: {error.strerror}", fix="check the path and the permissions"
        ) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise MerbenchError(
            f"{path.name}:{line} is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}",
            fix="save the table as UTF-8, e.g. with iconv -f WINDOWS-1252 -t UTF-8",
        ) from error


def _read_parquet(path: Path) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowInvalid) as error:
        raise MerbenchError(f"{path} is not a Parquet file that can be read ({error})") from error
    embedded = [field.name for field in table.schema if _holds_bytes(field.type)]
    if embedded:
        raise MerbenchError(
            f"column '{embedded[0]}' of {path} holds files, which would all have to be in memory at once",
            fix="save it with datasets.load_dataset('parquet', ...).save_to_disk(DIR) and give DIR",
        )
    rows = [Row(f"{path.name} row {i}", cells) for i, cells in enumerate(table.to_pylist(), start=1)]
    return Rows(tuple(table.column_names), rows, path.parent)


def _read_saved(root: Path) -> Rows:
    """Read what `datasets.save_to_disk` wrote."""
    import datasets

    try:
        saved = datasets.load_from_disk(str(root))
    except (OSError, ValueError, KeyError) as error:
        raise MerbenchError(f"{root} is not a saved dataset that can be read ({error})") from error
    return arrow_rows(saved, root.name, root)


def arrow_rows(dataset: Any, name: str, folder: Path) -> Rows:
    """Return the rows of a Hugging Face dataset; the splits of a dict go to the column ``split``.

    Args:
        dataset: a `datasets.Dataset` or `datasets.DatasetDict`.
        name: what it is called in messages.
        folder: what relative paths in it start from.
    """
    import datasets

    parts = dataset.items() if isinstance(dataset, datasets.DatasetDict) else [(None, dataset)]
    rows: list[Row] = []
    columns: dict[str, None] = {}
    for split, part in parts:
        cells = {column: _saved_column(part, column) for column in part.column_names}
        if split is not None:
            cells.setdefault("split", [split] * part.num_rows)
        columns |= dict.fromkeys(cells)
        place = name if split is None else f"{name}/{split}"
        for i, values in enumerate(zip(*cells.values(), strict=True), start=1):
            rows.append(Row(f"{place} row {i}", dict(zip(cells, values, strict=True))))
    return Rows(tuple(columns), rows, folder)


def _saved_column(part: Any, name: str) -> list[Any]:
    """Return a column's cells; files stay in the memory-mapped Arrow table until they are read."""
    column = part.data.column(name)
    if _holds_bytes(column.type):
        import pyarrow.compute as pc

        paths = pc.struct_field(column, "path").to_pylist()
        absent = pc.struct_field(column, "bytes").is_null().to_pylist()
        return [
            path if outside else Embedded(path or f"{name}{i}", partial(_embedded_bytes, column, i))
            for i, (path, outside) in enumerate(zip(paths, absent, strict=True))
        ]
    names = getattr(part.features[name], "names", None)  # of a ClassLabel
    return [value if names is None or value is None else names[value] for value in column.to_pylist()]


def _holds_bytes(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_struct(kind) and {"bytes", "path"} <= {field.name for field in kind}


def _embedded_bytes(column: Any, row: int) -> bytes:
    data: bytes = column[row]["bytes"].as_py()
    return data
