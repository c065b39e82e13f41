"""Panels made from arrays, without files."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

from merbench.errors import MerbenchError
from merbench.evaluation.grid import Grid
from merbench.evaluation.result import SCHEMA_VERSION
from merbench.evaluation.summary import summarise
from merbench.files import write_json
from merbench.hashing import hash_file
from merbench.statistics.panel import Model, Panel, Run, Units
from merbench.types import Cell
from tests.evaluation import grids

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CLASSES = ("neutral", "happy", "sad", "angry")


def cells(families: dict[str, int], severities: int) -> tuple[Cell, ...]:
    """Return the clean cell and, for each family, this many corruptions at severities 1, 2 ..."""
    return (
        Cell.clean(),
        *(
            Cell(corruption=f"{family}/noise{i}", version=1, severity=severity)
            for family, count in families.items()
            for i in range(count)
            for severity in range(1, severities + 1)
        ),
    )


def panel(
    truth: Any,
    answer: Any,
    units: Any,
    *,
    of: Sequence[Cell] | None = None,
    classes: Sequence[str] = CLASSES,
    seeds: Sequence[int] | None = None,
    unit: str = "speaker",
    uses: Sequence[Sequence[str]] | None = None,
) -> Panel:
    """Return a panel.

    Args:
        truth: [n], class codes.
        answer: [R, K, n].
        units: [n], any labels.
        of: the K cells; by default the clean one and severities of one corruption.
        classes: their names.
        seeds: runs per model; by default one.
        unit: what a unit is called.
        uses: what each model reads; by default everything.
    """
    answer = np.asarray(answer, dtype=np.uint8)
    runs, k, n = answer.shape
    of = of or (
        Cell.clean(),
        *(Cell(corruption="audio/noise", version=1, severity=s) for s in range(1, k)),
    )
    seeds = seeds or [1] * runs
    start = np.cumsum([0, *seeds])
    names, code = np.unique(np.asarray(units), return_inverse=True)
    reads = uses or [("audio", "vision", "text")] * len(seeds)
    return Panel(
        models=tuple(
            Model("abcdefghij"[m], tuple(range(start[m], start[m + 1])), frozenset(reads[m]))
            for m in range(len(seeds))
        ),
        runs=tuple(Run(f"run{r}", result(of, classes), None) for r in range(runs)),  # type: ignore[arg-type]
        cells=tuple(of),
        classes=tuple(classes),
        sample_ids=tuple(f"s{i:05d}" for i in range(n)),
        truth=np.asarray(truth, dtype=np.int64),
        answer=answer,
        confidence=np.full(answer.shape, np.nan, dtype=np.float32),
        applied=np.array([[not cell.is_clean] * n for cell in of]),
        units=Units(
            unit,  # type: ignore[arg-type]
            code.astype(np.int64),
            tuple(map(str, names)),
            np.zeros(len(names), dtype=bool),
        ),
    )


def result(of: Sequence[Cell], classes: Sequence[str], **model: Any) -> dict[str, Any]:
    """Return as much of a result as a panel reads."""
    return {
        "recipe_id": "r" * 64,
        "content_root": None,
        "data": {"dataset": "toy", "options": {}, "split": "test", "unit": "speaker"},
        "labels": {"classes": list(classes)},
        "model": {
            "name": "a",
            "fingerprint": "f" * 64,
            "uses": ["audio", "vision", "text"],
            **model,
        },
    }


def grid(of: Sequence[Cell], truth: Any, answer: Any, speakers: Sequence[str | None], **more: Any) -> Grid:
    """Return a grid of one run: truth [n], answer [K, n]."""
    answer = np.asarray(answer, dtype=np.int64)
    n = answer.shape[1]
    values = {
        "cells": tuple(of),
        "truth": np.asarray(truth, dtype=np.int64),
        "answer": answer,
        "status": np.zeros_like(answer),
        "confidence": np.full(answer.shape, np.nan, dtype=np.float32),
        "agrees": np.full(answer.shape, -1, dtype=np.int8),
        "applied": np.array([[not cell.is_clean] * n for cell in of]),
        "ids": tuple(f"s{i:05d}" for i in range(n)),
        "speakers": tuple(speakers),
        "dialogues": (None,) * n,
        "sessions": (None,) * n,
        "extra": ({},) * n,
        "unscored": 0,
    }
    return Grid(**{**values, **more})


def write_run(
    folder: Path,
    truth: Sequence[str],
    answers: Mapping[Cell, Sequence[str | None]],
    facts: Sequence[dict[str, Any]] | None = None,
    **more: Any,
) -> Path:
    """Write a run folder from answers by cell, as ``merbench eval`` leaves it but for what nobody reads.

    `more` goes into the result: ``recipe_id``, ``content_root``, ``schema``; ``name`` and ``uses`` into
    its model.
    """
    predictions = folder / "predictions.parquet"
    folder.mkdir(parents=True)
    rows = grids.table(grids.rows(truth, answers, facts))
    pq.write_table(rows, predictions)
    metrics: dict[str, Any] = {"cells": []}
    with contextlib.suppress(MerbenchError):  # a run that is damaged on purpose has no figures
        metrics = summarise(rows, list(answers), grids.CLASSES)
    model = {key: more.pop(key) for key in ("name", "uses", "fingerprint") if key in more}
    value = {
        "schema": SCHEMA_VERSION,
        **result(list(answers), grids.CLASSES, **model),
        "cells": [cell.to_json() for cell in answers],
        "predictions": {"file": predictions.name, "sha256": hash_file(predictions)},
        "metrics": metrics,
        "reference": None,
        **more,
    }
    value["data"]["text_informative"] = True
    write_json(folder / "result.json", value)
    return folder
