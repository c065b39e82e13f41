"""A built suite as plain files, for people and for other tools.

::

    README.txt                       what this is, and the licence of the data
    <cell_id>/samples.csv            a table that ``--dataset table --root <cell_id>`` reads
    <cell_id>/<sample_id>.wav        PCM16
    <cell_id>/<sample_id>.mp4        the frames, silent

Unlike in the suite, every cell holds everything. A modality that is absent is an empty cell in the
table; so is an empty transcript, which CSV cannot tell from an absent one. What the data ask beside the
label (`merbench.targets`) is in further columns of the table.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from io import StringIO
from itertools import chain
from typing import IO, TYPE_CHECKING, Any

from merbench.errors import MerbenchError
from merbench.files import atomic, contents, locked, sweep
from merbench.hashing import canonical_json, hash_text
from merbench.media.plain import encode_mp4, encode_wav
from merbench.types import Cell

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Executor
    from pathlib import Path

    from merbench.suites.source import Chunk
    from merbench.suites.store import Suite
    from merbench.types import Batch, Params

COLUMNS = (
    "id",
    "audio",
    "video",
    "text",
    "label",
    "speaker",
    "dialogue",
    "split",
    "applied",
    "params",
    "achieved",
)

_README = "README.txt"
_SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_KEPT = 60  # characters of an id that is no file name


def export_suite(
    suite: Suite,
    folder: Path,
    *,
    cells: Collection[str] = (),
    workers: int = 2,
    progress: Callable[[int], None] | None = None,
) -> tuple[str, ...]:
    """Write a suite's cells as plain files, going on where an earlier export of it stopped.

    Args:
        suite: what to write.
        folder: where; created if it is not there.
        cells: the ids of the cells to write; all of them by default.
        workers: threads that decode and encode.
        progress: called with the number of samples just finished.

    Returns:
        The ids of the cells.

    Raises:
        MerbenchError: the folder holds something else, there is no such cell, or the suite is damaged.
        WriteError: the disk refuses; what was complete stays.
    """
    part = suite.only(cells) if cells else suite
    wanted = tuple(cell.cell_id for cell in part.cells if not cells or cell.cell_id in cells)
    names = file_names(u.id for u in suite.index())
    targets = () if suite.facts.task is None else suite.facts.task.targets
    with locked(folder):
        _claim(suite, folder)
        sweep(folder)
        with ExitStack() as stack, ThreadPoolExecutor(max_workers=workers) as pool:
            tables = {c: stack.enter_context(atomic(folder / c / "samples.csv")) for c in wanted}
            for table in tables.values():
                _write_rows(table, [(*COLUMNS, *targets)])
            for shard in range(part.shards):
                for chunk in part.chunks(shard, workers=workers):
                    for cell_id, rows in _rows(chunk, folder, names, tables, pool):
                        _write_rows(tables[cell_id], rows)
                    if progress:
                        progress(len(chunk.utterances))
    return wanted


def file_names(ids: Iterable[str]) -> dict[str, str]:
    """Return a file name, without a suffix, for every id: the id itself where that is safe.

    Unsafe are separators, blanks, a leading dot or dash, whatever is not ASCII, great length, and
    names that differ in case alone, which are one file on many systems. Those get a hash.
    """
    known = list(ids)
    alike = Counter(id.casefold() for id in known)
    return {
        id: id
        if _SAFE_NAME.fullmatch(id) and alike[id.casefold()] == 1
        else f"{re.sub('[^A-Za-z0-9]+', '_', id)[:_KEPT]}-{hash_text(id)[:16]}".lstrip("-")
        for id in known
    }


def _claim(suite: Suite, folder: Path) -> None:
    """Write what this folder is, or check that it already says so."""
    path, text = folder / _README, _readme(suite).encode()
    if path.exists() and path.read_bytes() == text:
        return
    if contents(folder):
        raise MerbenchError(
            f"{folder} is not empty and holds no export of this suite", fix="choose another --out"
        )
    with atomic(path) as handle:
        handle.write(text)


def _readme(suite: Suite) -> str:
    facts = suite.facts
    lines = [
        f"Plain files of a merbench suite on '{facts.dataset}', content_root {suite.content_root}.",
        "Per cell: samples.csv, which 'merbench dataset check table --root CELL' reads; the sound as WAV",
        "(PCM16, lossless); the frames as silent MP4 (H.264, not lossless: the suite itself is).",
        f"Licence of the data: {facts.licence}.",
    ]
    if facts.restricted:
        lines.append("These data may not be redistributed: share the suite's recipe.json, not this folder.")
    return "\n".join(lines) + "\n"


def _rows(
    chunk: Chunk, folder: Path, names: Mapping[str, str], wanted: Collection[str], pool: Executor
) -> Iterator[tuple[str, list[list[Any]]]]:
    """Write the media of a chunk's wanted cells; yield the rows of each cell's table."""
    nothing: list[Params] = [{} for _ in chunk.utterances]
    whole = (Cell.clean(), chunk.clean, nothing, chunk.achieved)
    for cell, batch, params, achieved in chain([whole], chunk.cells):
        if cell.cell_id in wanted:
            place = folder / cell.cell_id
            stems = [place / names[u.id] for u in chunk.utterances]
            media = list(pool.map(partial(_write_media, batch), range(len(batch)), stems))
            yield (
                cell.cell_id,
                [
                    [
                        *(u.id, audio, video, batch.text[i], u.label, u.speaker, u.dialogue, u.split),
                        "true" if achieved[i]["applied"] else "false",
                        canonical_json(params[i]),
                        canonical_json(achieved[i]),
                        *u.targets,
                    ]
                    for i, (u, (audio, video)) in enumerate(zip(chunk.utterances, media, strict=True))
                ],
            )


def _write_media(batch: Batch, row: int, stem: Path) -> tuple[str | None, str | None]:
    """Write the sound and the frames of one row; return the files' names, ``None`` where absent."""
    audio, rate = batch.audio[row], batch.sample_rates[row]
    frames, timestamps = batch.frames[row], batch.timestamps[row]
    wav = mp4 = None
    if audio is not None and rate is not None:
        wav = _write(stem, ".wav", partial(encode_wav, audio, rate))
    if frames is not None and timestamps is not None:
        mp4 = _write(stem, ".mp4", partial(encode_mp4, frames, timestamps))
    return wav, mp4


def _write(stem: Path, suffix: str, encode: Callable[[], bytes]) -> str:
    """Write a file, unless an earlier export finished it; return its name."""
    path = stem.with_name(stem.name + suffix)
    if not path.exists():
        with atomic(path) as handle:
            handle.write(encode())
    return path.name


def _write_rows(table: IO[bytes], rows: Iterable[Sequence[Any]]) -> None:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    table.write(text.getvalue().encode())
