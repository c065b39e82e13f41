"""Run a model over every cell of a suite and keep every answer.

A work item is one shard of samples through all cells. It has no state outside itself, its
predictions are one file that appears only when complete, and items are in the suite's own order: a
run that was killed goes on where it was and ends with the same predictions.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from merbench.errors import MerbenchError
from merbench.evaluation.environment import environment
from merbench.evaluation.predictions import GROUP_FACTS, OUT_OF_SET, PARSED, UNPARSED, schema_of
from merbench.evaluation.scorer import Batcher, Passes, Scorer
from merbench.evaluation.valued import labels_of, target_columns
from merbench.files import atomic, contents, sweep, write_json
from merbench.hashing import hash_json
from merbench.models import Answered, Valued
from merbench.models._validate import choose
from merbench.suites.faces import FaceTally
from merbench.types import Cell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from merbench.labels import LabelMap
    from merbench.models import Adapter
    from merbench.models._validate import Answers
    from merbench.suites.source import Source
    from merbench.targets import Task
    from merbench.types import Achieved, Utterance

FORMAT = 2
"""Version of the run folder and of the rules by which answers become rows; another one is refused."""


@dataclass(frozen=True, slots=True)
class Run:
    """What `run_model` left in its folder."""

    folder: Path
    predictions: Path
    cost: dict[str, Any]
    environment: dict[str, Any]
    faces: dict[str, Any] | None = None
    """Where boxes of faces came from and what the detector lost, if the suite looks for faces."""


def run_model(
    source: Source,
    adapter: Adapter,
    labels: LabelMap,
    folder: Path,
    *,
    batch_size: int | None = None,
    workers: int = 2,
    progress: Callable[[int], None] | None = None,
) -> Run:
    """Answer every cell of `source` and write ``predictions.parquet``.

    Args:
        source: a plan (streamed) or a suite (built).
        adapter: the model.
        labels: where its labels go.
        folder: the run's folder, locked by the caller; an unfinished run of the same model and suite is
            continued.
        batch_size: rows per call; ``None`` takes the adapter's, halved when memory runs out.
        workers: threads that decode.
        progress: called with the number of samples just finished.

    Raises:
        MerbenchError: the folder holds another run, the model answers nonsense, a sample is unreadable.
        WriteError: the disk refuses; finished work items stay.
    """
    state = _claim(source, adapter, labels, folder, batch_size)
    sweep(folder)
    batcher = Batcher(int(state["batch_size"]))
    parts = [folder / "parts" / f"{shard:05d}.parquet" for shard in range(source.shards)]
    for shard, part in enumerate(parts):
        if part.exists():
            if progress:
                progress(pq.read_metadata(part).num_rows // len(source.cells))
            continue
        started = time.perf_counter()
        passes, faces = Passes(), FaceTally()
        rows = _work_item(source, shard, adapter, labels, batcher, passes, faces, workers, progress)
        facts = {"passes": passes.to_json(), "wall_s": time.perf_counter() - started}
        if source.cropping is not None:
            facts["faces"] = faces.to_json()
        with atomic(part) as handle:
            pq.write_table(
                rows.replace_schema_metadata({"cost": json.dumps(facts)}), handle, compression="zstd"
            )
        if batcher.size != state["batch_size"]:
            state["batch_size"] = batcher.size
            write_json(folder / "run.json", state)
    predictions = folder / "predictions.parquet"
    _merge(parts, predictions, schema_of(source.facts.task))
    return Run(folder, predictions, _cost(parts, batcher.size), state["environment"], _faces(source, parts))


def discard_parts(folder: Path) -> None:
    """Remove the work items of a run whose result is complete."""
    for part in (folder / "parts").glob("*.parquet"):
        part.unlink()
    if (folder / "parts").is_dir():
        (folder / "parts").rmdir()


def read_state(folder: Path) -> dict[str, Any] | None:
    """Return what a folder says that it is a run of, ``None`` if it says nothing.

    Raises:
        MerbenchError: what it says is damaged.
    """
    path = folder / "run.json"
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not {"run_id", "batch_size", "environment"} <= state.keys():
            raise ValueError("fields are missing")
    except (ValueError, AttributeError) as error:
        raise MerbenchError(
            f"{path} is damaged ({error})", fix="delete the folder or choose another --out"
        ) from error
    return state


def run_identity(source: Source, adapter: Adapter, labels: LabelMap) -> dict[str, Any]:
    """Return what a run is a run of; equal identities have equal predictions.

    The content counts where it is known: with other library versions a suite of the same recipe may be
    built with other bytes.
    """
    return {
        "format": FORMAT,
        "recipe_id": source.recipe_id,
        "content_root": source.content_root,
        "model": adapter.name,
        "fingerprint": adapter.fingerprint(),
        "labels": labels.to_json(),
        "precision": adapter.precision,
    }


def _claim(
    source: Source, adapter: Adapter, labels: LabelMap, folder: Path, batch_size: int | None
) -> dict[str, Any]:
    """Write what this folder is a run of, or take up the unfinished run that it holds."""
    identity = run_identity(source, adapter, labels)
    found = read_state(folder)
    if found is not None:
        begun = (folder / "result.json").exists() or (folder / "parts").is_dir()
        if begun and found["run_id"] != hash_json(identity):
            raise MerbenchError(
                f"{folder} holds a run of another model or suite, or with other --labels "
                f"({found.get('model')})",
                fix="choose another --out, or delete that folder",
            )
        same_tools = found["environment"] == environment(adapter.device)
        if begun and same_tools and identity["fingerprint"] is not None:
            return {**found, "batch_size": batch_size or found["batch_size"]}
        # Without a fingerprint nobody can tell whether it is still the same model; and no run is made by
        # two sets of library versions.
        discard_parts(folder)
    elif contents(folder):
        raise MerbenchError(f"{folder} is not empty and holds no run", fix="choose another --out")
    state = {
        "run_id": hash_json(identity),
        **identity,
        "batch_size": batch_size or adapter.batch_size,
        "environment": environment(adapter.device),
    }
    write_json(folder / "run.json", state)
    return state


def _work_item(
    source: Source,
    shard: int,
    adapter: Adapter,
    labels: LabelMap,
    batcher: Batcher,
    passes: Passes,
    faces: FaceTally,
    workers: int,
    progress: Callable[[int], None] | None,
) -> pa.Table:
    task = source.facts.task
    order = {cell.cell_id: i for i, cell in enumerate(source.cells)}
    tables: list[tuple[int, pa.Table]] = []
    clean = Cell.clean()
    for chunk in source.chunks(shard, workers=workers):
        scorer = Scorer(adapter, chunk.clean, batcher, passes)
        faces.add(clean, chunk.achieved)
        rows = _rows(clean, chunk.utterances, chunk.achieved, scorer.clean_answers, adapter, labels, task)
        tables.append((order[clean.cell_id], rows))
        for cell, batch, _, achieved in chunk.cells:
            faces.add(cell, achieved)
            answers = scorer.answers(batch, achieved)
            rows = _rows(cell, chunk.utterances, achieved, answers, adapter, labels, task)
            tables.append((order[cell.cell_id], rows))
        if progress:
            progress(len(chunk.utterances))
    tables.sort(key=lambda item: item[0])
    return pa.concat_tables(table for _, table in tables)


def _rows(
    cell: Cell,
    utterances: Sequence[Utterance],
    achieved: Sequence[Achieved],
    answers: Answers,
    adapter: Adapter,
    labels: LabelMap,
    task: Task | None,
) -> pa.Table:
    """Return the rows (`merbench.evaluation.predictions`) of the utterances whose label is scored."""
    kept = [i for i, u in enumerate(utterances) if u.label in labels.classes]
    n = len(kept)
    who = [utterances[i] for i in kept]
    given = choose(answers, kept)
    columns = {
        "cell_id": [cell.cell_id] * n,
        "sample_id": [u.id for u in who],
        "corruption": [cell.corruption] * n,
        "severity": [cell.severity] * n,
        "seed": [cell.seed] * n,
        "replicate": [cell.replicate] * n,
        "label": [u.label for u in who],
        **_answer_columns(given, adapter, labels, task),
        "applied": [bool(achieved[i]["applied"]) for i in kept],
        "speaker": [u.speaker for u in who],
        "dialogue": [u.dialogue for u in who],
        "session": [None if (s := u.extra.get("session")) is None else str(s) for u in who],
        "extra": [
            json.dumps({fact: u.extra[fact] for fact in sorted(GROUP_FACTS) if fact in u.extra}) for u in who
        ],
    }
    if task is not None:
        columns |= target_columns(given, columns, who, adapter, task, labels)
    return pa.table(columns, schema=schema_of(task))


def _answer_columns(
    answers: Answers, adapter: Adapter, labels: LabelMap, task: Task | None
) -> dict[str, Any]:
    """Return the columns of every run that say what the model answered."""
    if isinstance(answers, Answered):
        spoken = _answer_columns(list(answers.texts), adapter, labels, task)
        scored = _answer_columns(answers.logits, adapter, labels, task)
        stated = [label or "" for label in spoken["prediction"]]
        return {**scored, "raw_output": spoken["raw_output"], "stated": stated}
    if isinstance(answers, Valued) and answers.logits is not None and labels.table:
        return _answer_columns(answers.logits, adapter, labels, task)
    n = len(answers.values) if isinstance(answers, Valued) else len(answers)
    nothing: list[str | None] = [None] * n
    if isinstance(answers, Valued):
        return {
            "prediction": labels_of(answers, adapter, task, labels),
            "probabilities": pa.nulls(n, pa.list_(pa.float32())),
            "raw_output": nothing,
            "stated": nothing,
            "parse_status": [PARSED] * n,
        }
    if isinstance(answers, list):
        parsed = [adapter.parse(answer) for answer in answers]
        read = [None if label is None else labels.read_answer(label) for label in parsed]
        return {
            "prediction": [r if r is not None else p for r, p in zip(read, parsed, strict=True)],
            "probabilities": pa.nulls(n, pa.list_(pa.float32())),
            "raw_output": answers,
            "stated": nothing,
            "parse_status": [
                PARSED if r is not None else UNPARSED if p is None else OUT_OF_SET
                for r, p in zip(read, parsed, strict=True)
            ],
        }
    named, in_set, probabilities = labels.read_logits(answers)
    flat = pa.array(probabilities.reshape(-1), pa.float32())
    offsets = pa.array(np.arange(n + 1) * len(labels.classes), pa.int32())
    return {
        "prediction": named,
        "probabilities": pa.ListArray.from_arrays(offsets, flat),
        "raw_output": nothing,
        "stated": nothing,
        "parse_status": [PARSED if ok else OUT_OF_SET for ok in in_set],
    }


def _merge(parts: Sequence[Path], predictions: Path, schema: pa.Schema) -> None:
    """Join the work items into one file, one at a time."""
    with atomic(predictions) as handle, pq.ParquetWriter(handle, schema, compression="zstd") as writer:
        for part in parts:
            writer.write_table(pq.read_table(part, partitioning=None).replace_schema_metadata(None))


def _faces(source: Source, parts: Sequence[Path]) -> dict[str, Any] | None:
    """Add up what the work items say about faces."""
    if source.cropping is None:
        return None
    tally = FaceTally()
    for part in parts:
        tally.merge(json.loads(pq.read_metadata(part).metadata[b"cost"])["faces"])
    return {**source.cropping, **tally.to_json()}


def _cost(parts: Sequence[Path], batch_size: int) -> dict[str, Any]:
    """Add up what the work items say they cost, those of interrupted runs included."""
    wall = 0.0
    passes: dict[str, Counter[str]] = {}
    for part in parts:
        facts = json.loads(pq.read_metadata(part).metadata[b"cost"])
        wall += facts["wall_s"]
        for what, counts in facts["passes"].items():
            passes.setdefault(what, Counter()).update(counts)
    return {
        "wall_s": round(wall, 3),
        "batch_size": batch_size,
        "passes": {what: dict(counts) for what, counts in sorted(passes.items())},
    }
