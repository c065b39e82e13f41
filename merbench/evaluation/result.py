"""The result of a run: everything in it is computed from the prediction file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from merbench.errors import MerbenchError
from merbench.evaluation.summary import summarise
from merbench.files import write_json
from merbench.hashing import hash_file
from merbench.types import Cell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from merbench.evaluation.marks import Mark
    from merbench.evaluation.runner import Run
    from merbench.labels import LabelMap
    from merbench.models import Adapter
    from merbench.suites.source import Source

SCHEMA_VERSION = 1
"""Version of result.json; raised when a field changes its meaning."""


def write_result(
    run: Run,
    source: Source,
    adapter: Adapter,
    labels: LabelMap,
    marks: Sequence[Mark],
    *,
    content_root: str | None,
    reference: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Score a finished run, write ``result.json`` beside its predictions and return it.

    Args:
        run: the finished run.
        source: the suite it answered.
        adapter: the model.
        labels: the label map it was scored with.
        marks: contamination and domain marks.
        content_root: of the suite, ``None`` if it was streamed and not hashed.
        reference: another run's result, for corruption errors relative to it.
    """
    facts = source.facts
    result = {
        "schema": SCHEMA_VERSION,
        "recipe_id": source.recipe_id,
        "content_root": content_root,
        "data": facts.to_json(),
        "cells": [cell.to_json() for cell in source.cells],
        "model": {
            "name": adapter.name,
            "fingerprint": adapter.fingerprint(),
            "labels": list(adapter.labels),
            "trained_on": None
            if adapter.trained_on is None
            else sorted({record.dataset for record in adapter.trained_on}),
        },
        "labels": labels.to_json(),
        "marks": [mark.to_json() for mark in marks],
        "predictions": {"file": run.predictions.name, "sha256": hash_file(run.predictions)},
        "reference": None if reference is None else _reference(reference),
        "environment": run.environment,
        "cost": run.cost,
        "ci": None,
    }
    result["metrics"] = _metrics(run.predictions, result)
    write_json(run.folder / "result.json", result)
    return result


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
    predictions = folder / result["predictions"]["file"]
    if not predictions.exists():
        raise MerbenchError(f"{predictions} is missing", fix="run 'merbench eval' again")
    if hash_file(predictions) != result["predictions"]["sha256"]:
        raise MerbenchError(f"{predictions} is not the file that was scored", fix="run 'merbench eval' again")
    fresh = json.loads(json.dumps(_metrics(predictions, result)))
    if fresh != result["metrics"]:
        raise MerbenchError(
            f"{folder / 'result.json'} does not follow from its predictions", fix="run 'merbench eval' again"
        )
    return result


def _metrics(predictions: Path, result: dict[str, Any]) -> dict[str, Any]:
    return summarise(
        pq.ParquetFile(predictions).iter_batches(),
        [Cell.from_json(cell) for cell in result["cells"]],
        tuple(result["labels"]["classes"]),
        text_informative=result["data"]["text_informative"],
        reference=result["reference"],
    )


def _reference(result: dict[str, Any]) -> dict[str, Any]:
    """Return what relative errors need of another run, so that they can be computed again without it."""
    return {
        "model": result["model"],
        "predictions": result["predictions"],
        "corruptions": result["metrics"]["corruptions"],
    }
