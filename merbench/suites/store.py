"""A suite on disk: Parquet shards per cell, delta-stored, and the manifest.

::

    manifest.json            recipe, recipe_id, content_root, cell roots, shard hashes, tool versions
    recipe.json              written first: what this folder is going to be
    README.md                a dataset card; one configuration per cell for `datasets.load_dataset`
    data/<cell_id>/00000.parquet ...

`clean` stores every modality. Any other cell stores the media it changed and the hashes of the rest:
in a row, a modality whose bytes are null but which is `present` is the clean one.

Times and paths are nowhere, so that building again gives the same files byte for byte.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from merbench.errors import MerbenchError
from merbench.media.encode import decode_flac, decode_png, encode_flac, encode_png
from merbench.suites.content import MediaHashes, cell_root, hash_row
from merbench.suites.overlay import FILE as OVERLAY
from merbench.suites.overlay import Overlay
from merbench.suites.plan import FORMAT, SHARD_ROWS
from merbench.suites.source import Chunk, Facts
from merbench.types import CLEAN, MODALITIES, Batch, Cell, Packed, Utterance

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from concurrent.futures import Executor
    from pathlib import Path

    from merbench.types import Achieved, Modality, Params

_BLOB = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""The layout that `datasets.Audio` and `datasets.Image` understand: cast the column to decode it."""

SCHEMA = pa.schema(
    [
        ("cell_id", pa.string()),
        ("sample_id", pa.string()),
        ("corruption", pa.string()),
        ("severity", pa.int8()),
        ("seed", pa.int64()),
        ("replicate", pa.int32()),
        ("label", pa.string()),
        ("speaker", pa.string()),
        ("dialogue", pa.string()),
        ("split", pa.string()),
        ("extra", pa.string()),
        ("text", pa.string()),
        ("audio", _BLOB),
        ("frames", pa.list_(_BLOB)),
        ("timestamps", pa.list_(pa.float64())),
        ("present", pa.struct([(m, pa.bool_()) for m in MODALITIES])),
        ("params", pa.string()),
        ("achieved", pa.string()),
        ("applied", pa.bool_()),
        ("sha256", pa.struct([(m, pa.string()) for m in MODALITIES])),
    ]
)

TARGETS = "targets"

SCHEMA_WITH_TARGETS = SCHEMA.append(pa.field(TARGETS, pa.list_(pa.float64())))
"""The columns of a suite whose dataset has a task (`merbench.targets`)."""

MEDIA_COLUMNS = ("audio", "frames", "timestamps", "text")


def _leaves(name: str, kind: pa.DataType) -> Iterator[str]:
    """Yield the Parquet names of a column's leaves."""
    if pa.types.is_struct(kind):
        for field in kind:
            yield from _leaves(f"{name}.{field.name}", field.type)
    elif pa.types.is_list(kind):
        yield from _leaves(f"{name}.list.element", kind.value_type)
    else:
        yield name


_BLOBS = ("audio.bytes", "frames.list.element.bytes")
_FACTS = [leaf for field in SCHEMA for leaf in _leaves(field.name, field.type) if leaf not in _BLOBS]

PARQUET: dict[str, Any] = {
    "compression": "zstd",  # even of PNG, whose run-length strategy leaves a tenth to find
    "use_dictionary": _FACTS,
    "write_statistics": _FACTS,
}
"""How shards are written: no dictionary and no statistics of media, which never repeat."""


def shard_path(folder: Path, cell_id: str, shard: int) -> Path:
    """Return where a cell's shard lies."""
    return folder / "data" / cell_id / f"{shard:05d}.parquet"


def encode_row(
    utterance: Utterance,
    cell: Cell,
    batch: Batch,
    row: int,
    hashes: MediaHashes,
    stored: frozenset[Modality],
    params: Params,
    achieved: Achieved,
) -> dict[str, Any]:
    """Return one row of `SCHEMA`; only the modalities in `stored` carry their media."""
    audio = batch.audio[row] if "audio" in stored else None
    frames = batch.frames[row] if "vision" in stored else None
    timestamps = batch.timestamps[row] if "vision" in stored else None
    rate = batch.sample_rates[row]
    return {
        "cell_id": cell.cell_id,
        "sample_id": utterance.id,
        "corruption": cell.corruption,
        "severity": cell.severity,
        "seed": cell.seed,
        "replicate": cell.replicate,
        "label": utterance.label,
        "speaker": utterance.speaker,
        "dialogue": utterance.dialogue,
        "split": utterance.split,
        "extra": json.dumps(dict(utterance.extra), sort_keys=True, ensure_ascii=False),
        "text": batch.text[row] if "text" in stored else None,
        "audio": None
        if audio is None or rate is None
        else {"bytes": encode_flac(audio, rate), "path": f"{utterance.id}.flac"},
        "frames": None
        if frames is None
        else [{"bytes": encode_png(f), "path": f"{utterance.id}-{i:02d}.png"} for i, f in enumerate(frames)],
        "timestamps": None if timestamps is None else timestamps.tolist(),
        "present": {m: hashes[m] is not None for m in MODALITIES},
        "params": json.dumps(params, sort_keys=True),
        "achieved": json.dumps(achieved, sort_keys=True),
        "applied": bool(achieved["applied"]),
        "sha256": dict(hashes),
        TARGETS: list(utterance.targets),
    }


def utterance_of(row: dict[str, Any]) -> Utterance:
    """Return the utterance that a stored row belongs to."""
    return Utterance(
        id=row["sample_id"],
        label=row["label"],
        split=row["split"],
        speaker=row["speaker"],
        dialogue=row["dialogue"],
        extra=json.loads(row["extra"]),
        targets=tuple(row.get(TARGETS) or ()),
    )


def decode_rows(rows: Sequence[dict[str, Any]], pool: Executor) -> Batch:
    """Return the media that rows carry, absent where they carry none."""
    decoded = list(pool.map(_decode_row, rows))
    return Batch(
        audio=Packed.of([audio for audio, _, _ in decoded], np.int16),
        sample_rates=tuple(rate for _, rate, _ in decoded),
        frames=Packed.of([frames for _, _, frames in decoded], np.uint8),
        timestamps=tuple(
            None if row["timestamps"] is None else np.array(row["timestamps"], dtype=np.float64)
            for row in rows
        ),
        text=tuple(row["text"] for row in rows),
    )


def _decode_row(row: dict[str, Any]) -> tuple[np.ndarray | None, int | None, np.ndarray | None]:
    audio, rate = decode_flac(row["audio"]["bytes"]) if row["audio"] else (None, None)
    frames = np.stack([decode_png(frame["bytes"]) for frame in row["frames"]]) if row["frames"] else None
    return audio, rate, frames


def join(rows: Sequence[dict[str, Any]], delta: Batch, clean: Batch) -> Batch:
    """Return a cell's batch: its own media where it stores them, the clean ones where it does not.

    A modality of which no row is stored shares the clean buffer, as it does when streamed.
    """
    gone = {m: np.array([not row["present"][m] for row in rows]) for m in MODALITIES}
    media: dict[str, Any] = {
        "audio": _join_packed(gone["audio"], delta.audio, clean.audio),
        "frames": _join_packed(gone["vision"], delta.frames, clean.frames),
    }
    media["sample_rates"] = tuple(o or b for o, b in zip(delta.sample_rates, clean.sample_rates, strict=True))
    media["timestamps"] = tuple(
        b if o is None else o for o, b in zip(delta.timestamps, clean.timestamps, strict=True)
    )
    text = tuple(
        None if g else (o if o is not None else b)
        for g, o, b in zip(gone["text"], delta.text, clean.text, strict=True)
    )
    media["text"] = clean.text if text == clean.text else text
    return Batch(**media)


def _join_packed(gone: np.ndarray, own: Packed, clean: Packed) -> Packed:
    if own.present.any():
        merged = [None if g else c if o is None else o for g, o, c in zip(gone, own, clean, strict=True)]
        return Packed.of(merged, own.values.dtype)
    return clean.hide(gone) if (gone & clean.present).any() else clean


def read_record(path: Path) -> dict[str, Any]:
    """Return what a manifest.json or a recipe.json holds.

    Raises:
        MerbenchError: it cannot be read, or is of another format.
    """
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = record["recipe"]["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MerbenchError(
            f"{path} is damaged ({error})", fix="delete it and build the suite again"
        ) from error
    if version != FORMAT:
        raise MerbenchError(
            f"{path} is of format {version}, and this merbench reads format {FORMAT}",
            fix="build the suite again with this merbench, or install the merbench that wrote it "
            f"({record.get('tools', {}).get('merbench', 'unknown')})",
        )
    return record


@dataclass(frozen=True)
class Suite:
    """A built suite, complete, opened for reading."""

    folder: Path
    manifest: dict[str, Any]

    @classmethod
    def open(cls, folder: Path) -> Suite:
        """Open a suite folder.

        Raises:
            MerbenchError: there is no suite, it is unfinished, or it is of another format.
        """
        if not folder.exists():
            raise MerbenchError(
                f"there is no suite at {folder}", fix="make one with 'merbench corrupt --out DIR'"
            )
        if not folder.is_dir():
            raise MerbenchError(
                f"{folder} is a file, not a suite", fix="give the folder that 'merbench corrupt' wrote"
            )
        path = folder / "manifest.json"
        if not path.exists():
            state = "unfinished" if (folder / "recipe.json").exists() else "not a suite"
            raise MerbenchError(
                f"{folder} is {state}: it has no manifest.json",
                fix="run the same 'merbench corrupt' command again, or 'merbench suite rebuild', to finish it"
                if state == "unfinished"
                else "give the folder that 'merbench corrupt' wrote",
            )
        return cls(folder, read_record(path))

    def only(self, wanted: Collection[str]) -> Suite:
        """Return the suite with these cells alone, and the clean one, on which every other is built.

        Raises:
            MerbenchError: it has no such cell.
        """
        for cell_id in wanted:
            if cell_id not in {cell.cell_id for cell in self.cells}:
                raise MerbenchError(
                    f"{self.folder} has no cell '{cell_id}'",
                    fix=f"'merbench suite show {self.folder}' lists them",
                )
        cells = [cell.to_json() for cell in self.cells if cell.is_clean or cell.cell_id in wanted]
        return Suite(self.folder, {**self.manifest, "cells": cells})

    @property
    def recipe_id(self) -> str:
        """The hash of the recipe."""
        return str(self.manifest["recipe_id"])

    @property
    def content_root(self) -> str:
        """The hash of all content."""
        return str(self.manifest["content_root"])

    @cached_property
    def facts(self) -> Facts:
        """What a reader of results must know about the data."""
        return Facts.from_json(self.manifest["facts"])

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The clean cell first."""
        return tuple(Cell.from_json(cell) for cell in self.manifest["cells"])

    @property
    def size(self) -> int:
        """How many samples every cell has."""
        return int(self.manifest["recipe"]["samples"]["count"])

    @property
    def cropping(self) -> Mapping[str, Any] | None:
        """How frames are cropped to faces, ``None`` if nobody looked for any."""
        cropping: Mapping[str, Any] | None = self.manifest["recipe"].get("faces")
        return cropping

    @cached_property
    def overlay(self) -> Overlay | None:
        """The labels that people gave to the corrupted clips, if any are laid over the suite.

        Raises:
            MerbenchError: their file is missing or holds others.
        """
        wanted = self.manifest["recipe"].get("labels")
        return None if wanted is None else Overlay.read(self.folder / OVERLAY, wanted)

    @property
    def shards(self) -> int:
        """How many shards every cell has."""
        return -(-self.size // SHARD_ROWS)

    def index(self) -> tuple[Utterance, ...]:
        """Return every utterance in keyed order, reading no media."""
        columns = ["sample_id", "label", "split", "speaker", "dialogue", "extra", TARGETS]
        return tuple(
            utterance_of(row)
            for shard in range(self.shards)
            for row in self.open_shard(CLEAN, shard).columns(columns)
        )

    def chunks(self, shard: int, *, workers: int = 2) -> Iterator[Chunk]:
        """Yield the shard's chunks as they were built: one row group of every cell at a time."""
        files = {c.cell_id: self.open_shard(c.cell_id, shard) for c in self.cells}
        with ThreadPoolExecutor(max_workers=workers) as pool:
            for group in range(files[CLEAN].groups):
                rows = files[CLEAN].rows(group)
                clean = decode_rows(rows, pool)
                yield Chunk(
                    utterances=tuple(utterance_of(row) for row in rows),
                    clean=clean,
                    achieved=[json.loads(row["achieved"]) for row in rows],
                    cells=self._cells(files, group, clean, [row["sample_id"] for row in rows], pool),
                )

    def _cells(
        self, files: dict[str, Shard], group: int, clean: Batch, ids: list[str], pool: Executor
    ) -> Iterator[tuple[Cell, Batch, list[Params], list[Achieved]]]:
        for cell in self.cells:
            if not cell.is_clean:
                rows = files[cell.cell_id].rows(group, ids)
                params = [json.loads(row["params"]) for row in rows]
                achieved = [json.loads(row["achieved"]) for row in rows]
                yield cell, join(rows, decode_rows(rows, pool), clean), params, achieved

    def open_shard(self, cell_id: str, shard: int) -> Shard:
        """Open one shard; see `Shard.open`."""
        return Shard.open(shard_path(self.folder, cell_id, shard))


@dataclass(frozen=True, slots=True)
class Shard:
    """One file of a suite, opened; it is read one row group at a time."""

    path: Path
    file: pq.ParquetFile

    @classmethod
    def open(cls, path: Path) -> Shard:
        """Open a shard.

        Raises:
            MerbenchError: the file is missing, is not Parquet, or has other columns.
        """
        with _readable(path):
            file = pq.ParquetFile(path)
            if file.schema_arrow.names not in (SCHEMA.names, SCHEMA_WITH_TARGETS.names):
                raise pa.ArrowInvalid("its columns are not those of a suite")
        return cls(path, file)

    @property
    def groups(self) -> int:
        """How many row groups there are."""
        return int(self.file.num_row_groups)

    def columns(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Return some columns of all rows, those of targets only where there are any.

        Raises:
            MerbenchError: the bytes are damaged.
        """
        with _readable(self.path):
            there = [name for name in names if name in self.file.schema_arrow.names]
            rows: list[dict[str, Any]] = self.file.read(columns=there).to_pylist()
        return rows

    def rows(self, group: int, ids: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Return the rows of one row group.

        Args:
            group: which one.
            ids: the samples it must hold, in this order. A cell's rows are joined with the clean
                media and labels: with any other sample in between they would be somebody else's.

        Raises:
            MerbenchError: the bytes are damaged, or it holds other samples.
        """
        with _readable(self.path):
            rows: list[dict[str, Any]] = self.file.read_row_group(group).to_pylist()
            if ids is not None and [row["sample_id"] for row in rows] != list(ids):
                raise pa.ArrowInvalid(
                    f"row group {group} does not hold the samples of the clean cell in their order"
                )
        return rows


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Say which shard it is that cannot be read, and what to do about it."""
    try:
        yield
    except (OSError, pa.ArrowInvalid) as error:
        raise MerbenchError(
            f"shard {path} cannot be read ({error})",
            fix="delete it and run the same 'merbench corrupt' again",
        ) from error


def root_of_cell(folder: Path, cell_id: str, shards: int) -> str:
    """Return a cell's root from the hashes stored in its shards, reading no media."""
    pairs: list[tuple[str, str]] = []
    columns = [
        name for name in SCHEMA_WITH_TARGETS.names if name not in (*MEDIA_COLUMNS, "params", "achieved")
    ]
    for shard in range(shards):
        rows = Shard.open(shard_path(folder, cell_id, shard)).columns(columns)
        pairs += [(row["sample_id"], hash_row(utterance_of(row), row["sha256"])) for row in rows]
    return cell_root(pairs)
