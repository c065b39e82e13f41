"""The result of a run: everything in it is computed from the prediction file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from merbench.errors import MerbenchError
from merbench.evaluation.metrics import confusion_matrix
from merbench.evaluation.people import score_people
from merbench.evaluation.relabelled import score_relabelled
from merbench.evaluation.summary import scored_grid, summarise
from merbench.files import write_json
from merbench.hashing import hash_file
from merbench.options import chosen
from merbench.suites.overlay import FILE as OVERLAY
from merbench.suites.overlay import Overlay
from merbench.targets import Task
from merbench.types import Cell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from merbench.evaluation.grid import Grid
    from merbench.evaluation.marks import Mark
    from merbench.evaluation.runner import Run
    from merbench.labels import LabelMap
    from merbench.models import Adapter
    from merbench.suites.source import Source

SCHEMA_VERSION = 2
"""Version of result.json; raised when a field changes its meaning."""


def write_result(
    run: Run,
    source: Source,
    model: Mapping[str, Any],
    labels: LabelMap,
    marks: Sequence[Mark],
    *,
    content_root: str | None,
    reference: dict[str, Any] | None = None,
    overlay: Overlay | None = None,
    tell_attacks: Callable[[Mapping[str, Any]], list[dict[str, Any]]] | None = None,
) -> dict[str, Any]:
    """Score a finished run, write ``result.json`` beside its predictions and return it.

    Args:
        run: the finished run.
        source: the suite it answered.
        model: who answered (`model_facts`).
        labels: the label map it was scored with.
        marks: contamination and domain marks.
        content_root: of the suite, ``None`` if it was streamed and not hashed.
        reference: another run's result, for corruption errors relative to it.
        overlay: labels that people gave to the corrupted clips; kept beside the predictions.
        tell_attacks: makes ``attack_reliability`` of the metrics, for a run with attacks.
    """
    facts = source.facts
    result: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "recipe_id": source.recipe_id,
        "content_root": content_root,
        "data": facts.to_json(),
        "cells": [cell.to_json() for cell in source.cells],
        "model": dict(model),
        "labels": labels.to_json(),
        "marks": [mark.to_json() for mark in marks],
        "predictions": {"file": run.predictions.name, "sha256": hash_file(run.predictions)},
        "reference": None if reference is None else _reference(reference),
        "environment": run.environment,
        "cost": run.cost,
        "ci": None,
    }
    people = score_people(source.index(), facts, labels.classes)
    if people:
        result["people"] = people
    if run.faces is not None:
        result["faces"] = run.faces
    result["metrics"] = _metrics(run.predictions, result)
    if overlay is not None:
        write_json(run.folder / OVERLAY, overlay.to_json())
        cells = _relabelled(run.predictions, result, overlay)
        result["relabelled"] = {"file": OVERLAY, "sha256": overlay.sha256, "cells": cells}
    if tell_attacks is not None:
        result["attack_reliability"] = tell_attacks(result["metrics"])
    write_json(run.folder / "result.json", result)
    return result


def model_facts(adapter: Adapter) -> dict[str, Any]:
    """Return what a result says about a model."""
    trained = adapter.trained_on
    return {
        "name": adapter.name,
        "options": chosen(adapter),
        "fingerprint": adapter.fingerprint(),
        "labels": list(adapter.labels),
        "uses": list(adapter.uses),
        "trained_on": None if trained is None else sorted({record.dataset for record in trained}),
        **({"targets": list(adapter.targets)} if adapter.targets else {}),
    }


def read_result(folder: Path) -> dict[str, Any]:
    """Read a run's result.

    Raises:
        MerbenchError: there is none, or it is of another schema version.
    """
    path = folder / "result.json"
    if not path.exists():
        raise MerbenchError(
            f"there is no result in {folder}", fix="give the folder that 'merbench eval' wrote"
        )
    try:
        result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found = result["schema"]
    except (ValueError, KeyError, TypeError) as error:
        raise MerbenchError(f"{path} is damaged ({error})", fix="run 'merbench eval' again") from error
    if found != SCHEMA_VERSION:
        raise MerbenchError(
            f"{path} has schema {found}, and this merbench reads schema {SCHEMA_VERSION}",
            fix="run 'merbench eval' again, or install the merbench that wrote it",
        )
    return result


def recompute(folder: Path) -> dict[str, Any]:
    """Compute every figure of a run's result again from its prediction file, and return the result.

    Figures agree to the last digit: they are made by the same code from the same rows.

    Raises:
        MerbenchError: the prediction file is not the one that was scored, or a figure differs.
    """
    result = read_result(folder)
    predictions = scored_predictions(folder, result)
    fresh = json.loads(json.dumps(_metrics(predictions, result)))
    relabelled = result.get("relabelled")
    if relabelled is not None:
        overlay = Overlay.read(folder / OVERLAY, relabelled["sha256"])
        again = json.loads(json.dumps(_relabelled(predictions, result, overlay)))
    if fresh != result["metrics"] or (relabelled is not None and again != relabelled["cells"]):
        raise MerbenchError(
            f"{folder / 'result.json'} does not follow from its predictions", fix="run 'merbench eval' again"
        )
    return result


def scored_predictions(folder: Path, result: Mapping[str, Any]) -> Path:
    """Return the prediction file of a run, which is byte for byte the one that was scored.

    Raises:
        MerbenchError: it is missing, changed, or not in the run's own folder.
    """
    predictions = folder / str(result["predictions"]["file"])
    if predictions.parent != folder:
        raise MerbenchError(
            f"{folder / 'result.json'} names predictions outside its folder ({predictions})",
            fix="keep the two files of a run together",
        )
    if not predictions.is_file():
        raise MerbenchError(f"{predictions} is missing", fix="run 'merbench eval' again")
    if hash_file(predictions) != result["predictions"]["sha256"]:
        raise MerbenchError(f"{predictions} is not the file that was scored", fix="run 'merbench eval' again")
    return predictions


def read_run(folder: Path) -> tuple[dict[str, Any], Grid]:
    """Return a run's result and its predictions over the cells that are scored.

    Raises:
        MerbenchError: there is no result, the prediction file is not the one that was scored, its rows are
            not a full grid of the cells, or the confusions in the result are not theirs.
    """
    result = read_result(folder)
    classes = result["labels"]["classes"]
    grid = scored_grid(
        pq.ParquetFile(scored_predictions(folder, result)).iter_batches(),
        [Cell.from_json(cell) for cell in result["cells"]],
        classes,
        text_informative=result["data"]["text_informative"],
    )
    told = {cell["cell_id"]: cell["metrics"] for cell in result["metrics"]["cells"]}
    for cell, confusion in zip(
        grid.cells, confusion_matrix(grid.truth, grid.answer, len(classes)), strict=True
    ):
        metrics = told.get(cell.cell_id)
        if metrics is not None and metrics["confusion"] != confusion.tolist():
            raise MerbenchError(
                f"{folder / 'result.json'} does not follow from its predictions: the confusions of "
                f"{cell.cell_id} are others",
                fix="run 'merbench eval' again",
            )
    return result, grid


def _metrics(predictions: Path, result: dict[str, Any]) -> dict[str, Any]:
    return summarise(
        pq.ParquetFile(predictions).iter_batches(),
        [Cell.from_json(cell) for cell in result["cells"]],
        tuple(result["labels"]["classes"]),
        text_informative=result["data"]["text_informative"],
        reference=result["reference"],
        task=task_of(result),
    )


def task_of(result: Mapping[str, Any]) -> Task | None:
    """Return what a run's data ask beside the label."""
    task = result["data"].get("task")
    return None if task is None else Task.from_json(task)


def _relabelled(predictions: Path, result: dict[str, Any], overlay: Overlay) -> list[dict[str, Any]]:
    classes = tuple(result["labels"]["classes"])
    grid = scored_grid(
        pq.ParquetFile(predictions).iter_batches(),
        [Cell.from_json(cell) for cell in result["cells"]],
        classes,
        text_informative=result["data"]["text_informative"],
    )
    return score_relabelled(grid, classes, overlay)


def _reference(result: dict[str, Any]) -> dict[str, Any]:
    """Return what relative errors need of another run, so that they can be computed again without it."""
    return {
        "model": result["model"],
        "predictions": result["predictions"],
        "corruptions": result["metrics"]["corruptions"],
    }
