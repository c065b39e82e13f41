"""Compute a suite's hashes again from its decoded content and hold them against what it claims."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from merbench.errors import MerbenchError
from merbench.hashing import hash_file, hash_json
from merbench.suites.content import cell_root, content_root, hash_batch, hash_row
from merbench.suites.store import decode_rows, join, utterance_of
from merbench.types import CLEAN, MODALITIES

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from merbench.suites.source import Source
    from merbench.suites.store import Suite

_MEND = "it was changed after it was built: delete that file and run the same 'merbench corrupt' again"


def roots_of(source: Source, progress: Callable[[int], None] | None = None) -> dict[str, str]:
    """Return every cell's root from its media, as they are streamed or read from disk."""
    leaves: dict[str, list[tuple[str, str]]] = {cell.cell_id: [] for cell in source.cells}
    for shard in range(source.shards):
        for chunk in source.chunks(shard):
            clean_hashes = hash_batch(chunk.clean)
            hashed = [(CLEAN, clean_hashes)]
            hashed += [
                (cell.cell_id, hash_batch(batch, chunk.clean, clean_hashes))
                for cell, batch, _, _ in chunk.cells
            ]
            for cell_id, media in hashed:
                leaves[cell_id] += [
                    (u.id, hash_row(u, row)) for u, row in zip(chunk.utterances, media, strict=True)
                ]
            if progress:
                progress(len(chunk.utterances))
    return {cell_id: cell_root(rows) for cell_id, rows in leaves.items()}


def verify_suite(suite: Suite, *, workers: int = 2, progress: Callable[[int], None] | None = None) -> None:
    """Decode and re-hash everything in a suite, with `workers` threads that decode.

    Raises:
        MerbenchError: naming the first cell, sample and modality (or file) that is not what the
            suite claims.
    """
    manifest = suite.folder / "manifest.json"
    if hash_json(suite.manifest["recipe"]) != suite.recipe_id:
        raise MerbenchError(f"{manifest}: the recipe does not hash to recipe_id", fix=_MEND)
    _ = suite.overlay  # which is read only if it is the recipe's
    leaves: dict[str, list[tuple[str, str]]] = {cell.cell_id: [] for cell in suite.cells}
    with ThreadPoolExecutor(max_workers=workers) as pool:
        for shard in range(suite.shards):
            _verify_shard(suite, shard, leaves, pool, progress)
    roots = {cell_id: cell_root(rows) for cell_id, rows in leaves.items()}
    for cell_id, root in roots.items():
        if root != suite.manifest["roots"].get(cell_id):
            raise MerbenchError(
                f"{suite.folder}: cell {cell_id} does not add up to its root: a label or a row differs",
                fix=_MEND,
            )
    if content_root(roots) != suite.content_root:
        raise MerbenchError(f"{manifest}: the cells do not add up to content_root", fix=_MEND)
    for name, claim in suite.manifest["shards"].items():
        if hash_file(suite.folder / name) != claim["sha256"]:
            raise MerbenchError(
                f"{suite.folder / name}: the params or achieved columns are not as built", fix=_MEND
            )


def _verify_shard(
    suite: Suite,
    shard: int,
    leaves: dict[str, list[tuple[str, str]]],
    pool: Executor,
    progress: Callable[[int], None] | None,
) -> None:
    files = {cell.cell_id: suite.open_shard(cell.cell_id, shard) for cell in suite.cells}
    for group in range(files[CLEAN].groups):
        clean_rows = files[CLEAN].rows(group)
        clean = decode_rows(clean_rows, pool)
        ids = [row["sample_id"] for row in clean_rows]
        clean_hashes = hash_batch(clean)
        for cell_id, file in files.items():
            rows = clean_rows if cell_id == CLEAN else file.rows(group, ids)
            batch = clean if cell_id == CLEAN else join(rows, decode_rows(rows, pool), clean)
            hashes = clean_hashes if cell_id == CLEAN else hash_batch(batch, clean, clean_hashes)
            for row, media in zip(rows, hashes, strict=True):
                wrong = [m for m in MODALITIES if media[m] != row["sha256"][m]]
                if wrong:
                    raise MerbenchError(
                        f"{file.path}: the {wrong[0]} of sample '{row['sample_id']}' is not as built",
                        fix=_MEND,
                    )
                leaves[cell_id].append((row["sample_id"], hash_row(utterance_of(row), media)))
        if progress:
            progress(len(clean_rows))
