"""Write a plan to disk: decode once, corrupt in memory, encode losslessly on all cores.

The unit of work is a shard of every cell that lacks it. A shard file appears only when complete, so
a build that was killed at any moment goes on where it was and ends with the same bytes.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from merbench.errors import MerbenchError
from merbench.files import atomic, contents, locked, sweep, write_json
from merbench.hashing import canonical_json, hash_file
from merbench.suites.card import suite_card
from merbench.suites.content import content_root, hash_sample
from merbench.suites.faces import FaceTally
from merbench.suites.overlay import FILE as OVERLAY
from merbench.suites.plan import CHUNK_ROWS, SHARD_ROWS
from merbench.suites.store import (
    PARQUET,
    SCHEMA,
    SCHEMA_WITH_TARGETS,
    Shard,
    Suite,
    encode_row,
    read_record,
    root_of_cell,
    shard_path,
)
from merbench.types import MODALITIES, Cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from merbench.suites.plan import Plan
    from merbench.suites.source import Chunk
    from merbench.types import Achieved, Batch, Params

_CELLS_AHEAD = 1
"""How many cells are being encoded while another one is made; each holds a chunk's changed media."""

_TOOLS = (
    "merbench",
    "numpy",
    "pyarrow",
    "av",
    "soundfile",
    "opencv-python-headless",
    "pillow",
    "scipy",
    "numba",
)
"""Whose versions every manifest records, whatever libraries its corruptions name beside them."""


_ROW_BYTES = 250
"""What a row of short text takes without other media, compressed: mostly its hashes. Measured."""


def build_suite(
    plan: Plan, folder: Path, *, workers: int = 2, progress: Callable[[int], None] | None = None
) -> Suite:
    """Build `plan` in `folder`, going on where an earlier run of the same plan stopped.

    Args:
        plan: what to build.
        folder: where; created if it is not there.
        workers: threads that decode and encode. The bytes do not depend on it.
        progress: called with the number of samples just finished.

    Raises:
        MerbenchError: the folder holds something else, another process writes there, or a sample
            cannot be read.
        WriteError: the disk refuses; what was complete stays.
    """
    with locked(folder), _claimed(plan, folder):
        sweep(folder)
        if not (folder / "manifest.json").exists():
            _discard_others(plan, folder)
        kept = set((folder / "data").rglob("*.parquet"))
        for shard in range(plan.shards):
            todo = [c for c in plan.cells if not shard_path(folder, c.cell_id, shard).exists()]
            if todo:
                _build_shard(plan, folder, shard, todo, workers, progress)
            elif progress:
                progress(min(plan.size - shard * SHARD_ROWS, SHARD_ROWS))
        with atomic(folder / "README.md") as handle:
            handle.write(suite_card(plan).encode())
        path, manifest = folder / "manifest.json", _manifest(plan, folder)
        if path.exists():
            claimed = read_record(path)
            require_same_content(claimed, manifest, path)
            # What was not made again must stay what it was: otherwise tampering would become the claim.
            for name in {shard.relative_to(folder).as_posix() for shard in kept} & claimed["shards"].keys():
                manifest["shards"][name] = claimed["shards"][name]
        write_json(path, manifest)
    return Suite.open(folder)


def _tools(plan: Plan) -> dict[str, str]:
    detector = () if plan.faces is None or plan.faces.detector is None else ("onnxruntime",)
    libraries = sorted({library for variant in plan.variants for library in variant.corruption.libraries})
    try:
        return {tool: version(tool) for tool in dict.fromkeys((*_TOOLS, *detector, *libraries))}
    except PackageNotFoundError as error:
        raise MerbenchError(
            f"the distribution '{error.name}', on whose build the suite's bytes depend, is not installed",
            fix=f"install it: pip install {error.name}",
        ) from error


def _discard_others(plan: Plan, folder: Path) -> None:
    """Remove the shards of an unfinished suite that other versions began: no suite is made by two."""
    mine = canonical_json(_tools(plan)).encode()
    for shard in (folder / "data").rglob("*.parquet"):
        if (pq.read_schema(shard).metadata or {}).get(b"tools") != mine:
            shard.unlink()


def write_recipe(plan: Plan, folder: Path) -> None:
    """Write only what `folder` is going to be; building the same plan there later finishes it.

    Raises:
        MerbenchError: the folder holds something else, or another process writes there.
        WriteError: the disk refuses.
    """
    with locked(folder):
        _claim(plan, folder)


def require_same_content(claimed: dict[str, Any], found: dict[str, Any], path: Path) -> None:
    """Check that a manifest holds, cell by cell, the content that the one at `path` claims.

    Raises:
        MerbenchError: a cell differs; the message names what was installed then and is not now.
    """
    other = [cell_id for cell_id, root in claimed["roots"].items() if found["roots"].get(cell_id) != root]
    if other:
        then, now = claimed["tools"], found["tools"]
        tools = [f"{tool} {then[tool]} (here {now[tool]})" for tool in now if then.get(tool) != now[tool]]
        raise MerbenchError(
            f"{len(other)} cells come out with another content than {path} claims, {other[0]} for one",
            fix=f"that suite was made with {', '.join(tools)}: build it with those versions"
            if tools
            else "it was made with the same versions: 'merbench suite verify' tells whether it was changed",
        )


@contextlib.contextmanager
def _claimed(plan: Plan, folder: Path) -> Iterator[None]:
    """Claim `folder` for a build, and give it back if nothing comes of it.

    Whoever mends the input of a build that failed at once has another recipe, and is to find the folder
    free. What was there before, a recipe that `write_recipe` left for one, stays.
    """
    empty = not contents(folder)
    _claim(plan, folder)
    try:
        yield
    except Exception:
        if empty and not any((folder / "data").rglob("*.parquet")):
            shutil.rmtree(folder / "data", ignore_errors=True)  # what failed is told, not the tidying up
            for name in ("recipe.json", OVERLAY):
                (folder / name).unlink(missing_ok=True)
        raise


def _claim(plan: Plan, folder: Path) -> None:
    """Write what this folder is going to be, or check that it already says so."""
    recipe = folder / "recipe.json"
    path = recipe if recipe.exists() else folder / "manifest.json"
    if path.exists():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))["recipe_id"]
        except (ValueError, KeyError, TypeError) as error:
            raise MerbenchError(
                f"{path} is damaged", fix="delete the folder or choose another --out"
            ) from error
        if found != plan.recipe_id:
            raise MerbenchError(
                f"{folder} holds another suite (recipe {found[:8]}, this one is {plan.recipe_id[:8]})",
                fix="choose another --out, or delete that folder",
            )
    elif contents(folder):
        raise MerbenchError(f"{folder} is not empty and is not a suite", fix="choose another --out")
    if not recipe.exists():
        followed = {} if plan.protocol is None else {"protocol": plan.protocol}
        write_json(recipe, {"recipe_id": plan.recipe_id, "recipe": plan.recipe, **followed})
    if plan.overlay is not None:  # after the recipe, by which a folder is known that a kill left behind
        write_json(folder / OVERLAY, plan.overlay.to_json())


def _build_shard(
    plan: Plan,
    folder: Path,
    shard: int,
    todo: list[Cell],
    workers: int,
    progress: Callable[[int], None] | None,
) -> None:
    wanted = {cell.cell_id for cell in todo}
    columns = SCHEMA if plan.facts.task is None else SCHEMA_WITH_TARGETS
    schema = columns.with_metadata({"tools": canonical_json(_tools(plan))})
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(max_workers=workers) as pool:
        writers = {}
        for cell in todo:
            handle = stack.enter_context(atomic(shard_path(folder, cell.cell_id, shard)))
            writers[cell.cell_id] = stack.enter_context(pq.ParquetWriter(handle, schema, **PARQUET))
        for chunk in plan.chunks(shard, workers=workers):
            for cell, rows in encoded(chunk, wanted, pool):
                table = pa.Table.from_pylist(rows, schema=schema)
                writers[cell.cell_id].write_table(table, row_group_size=CHUNK_ROWS)
            if progress:
                progress(len(chunk.utterances))


def encoded(
    chunk: Chunk, wanted: set[str], pool: ThreadPoolExecutor
) -> Iterator[tuple[Cell, list[dict[str, Any]]]]:
    """Yield each wanted cell's rows of `SCHEMA`: only what differs from clean carries media.

    While one cell is encoded by the pool, the next one is made and the one before is written.
    """
    rows = range(len(chunk.utterances))
    known = list(pool.map(lambda i: hash_sample(chunk.clean, i), rows))

    def row(cell: Cell, batch: Batch, params: Params, achieved: Achieved, i: int) -> dict[str, Any]:
        hashes = known[i] if cell.is_clean else hash_sample(batch, i, chunk.clean, known[i])
        changed = {m for m in MODALITIES if cell.is_clean or hashes[m] != known[i][m]}
        stored = frozenset(m for m in changed if hashes[m] is not None)
        return encode_row(chunk.utterances[i], cell, batch, i, hashes, stored, params, achieved)

    nothing: list[Params] = [{} for _ in rows]
    waiting: deque[tuple[Cell, list[Future[dict[str, Any]]]]] = deque()
    for cell, batch, params, achieved in chain(
        [(Cell.clean(), chunk.clean, nothing, chunk.achieved)], chunk.cells
    ):
        if cell.cell_id in wanted:
            waiting.append((cell, [pool.submit(row, cell, batch, params[i], achieved[i], i) for i in rows]))
        if len(waiting) > _CELLS_AHEAD:
            done, futures = waiting.popleft()
            yield done, [future.result() for future in futures]
    for done, futures in waiting:
        yield done, [future.result() for future in futures]


def _manifest(plan: Plan, folder: Path) -> dict[str, Any]:
    roots = {cell.cell_id: root_of_cell(folder, cell.cell_id, plan.shards) for cell in plan.cells}
    shards = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": hash_file(path)}
        for path in sorted((folder / "data").rglob("*.parquet"))
    }
    faces = {} if plan.cropping is None else {"faces": {**plan.cropping, **_face_tally(plan, folder)}}
    return {
        "recipe_id": plan.recipe_id,
        "content_root": content_root(roots),
        "recipe": plan.recipe,
        "facts": plan.facts.to_json(),
        "cells": [cell.to_json() for cell in plan.cells],
        "roots": roots,
        "shards": shards,
        "tools": _tools(plan),
        **faces,
    }


def _face_tally(plan: Plan, folder: Path) -> dict[str, Any]:
    """Return where the boxes of the built clips come from, and what the detector lost."""
    tally = FaceTally()
    for cell in plan.cells:
        for shard in range(plan.shards):
            rows = Shard.open(shard_path(folder, cell.cell_id, shard)).columns(["achieved"])
            tally.add(cell, [json.loads(row["achieved"]) for row in rows])
    return tally.to_json()


def estimate_bytes(plan: Plan) -> int:
    """Return about how many bytes the suite will take, from encoding its first few samples.

    A clean medium stands for its corrupted versions, which compress a little better or worse.
    """
    from merbench.media.encode import encode_flac, encode_png

    probe = plan.utterances[:: max(1, plan.size // 4)][:4]
    audio = frames = 0
    for utterance in probe:
        sample = plan.dataset.load(utterance)
        if sample.audio is not None and sample.sample_rate is not None:
            audio += len(encode_flac(sample.audio, sample.sample_rate))
        if sample.frames is not None:
            frames += sum(len(encode_png(frame)) for frame in sample.frames)
    media = {"audio": audio, "vision": frames, "text": 0}
    probed = media["audio"] + media["vision"]
    for cell in plan.cells:
        if not cell.corruption.startswith("modality/"):  # those hide media and store none
            probed += sum(media[m] for m in plan.changed(cell))
    return int(plan.size * (probed / len(probe) + len(plan.cells) * _ROW_BYTES))


def check_room(needed: int, folder: Path) -> None:
    """Refuse to start what cannot fit.

    Raises:
        MerbenchError: the disk has less room than `needed` bytes.
    """
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise MerbenchError(
            f"the suite needs about {needed / 1e9:.1f} GB and {existing} has {free / 1e9:.1f} GB free",
            fix="choose another --out, fewer cells or a --limit, or stream with 'merbench eval' instead",
        )
