"""Runs made by hand: what models of a stated skill would have answered, written as `merbench eval` does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from merbench.evaluation.predictions import SCHEMA
from merbench.evaluation.result import SCHEMA_VERSION
from merbench.evaluation.summary import summarise
from merbench.files import write_json
from merbench.hashing import hash_file, hash_text
from merbench.types import Cell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CLASSES = ("neutral", "happy", "sad", "angry", "fear", "surprise")
CORRUPTIONS = ("audio/environment", "vision/occlusion_mask", "text/typo", "modality/dropout")


def suite(corruptions: Sequence[str] = CORRUPTIONS) -> list[Cell]:
    """The clean cell and five severities of every corruption."""
    cells = [Cell(corruption=c, version=1, severity=s) for c in corruptions for s in range(1, 6)]
    return [Cell.clean(), *cells]


def write_run(
    folder: Path,
    name: str,
    *,
    skill: float = 0.85,
    fall: float = 0.07,
    n: int = 120,
    speakers: int = 12,
    cells: Sequence[Cell] | None = None,
    classes: Sequence[str] = CLASSES,
    uses: Sequence[str] = ("audio", "vision", "text"),
    marks: Sequence[dict[str, str]] = (),
    probabilities: bool = True,
    dataset: str = "synthetic",
    restricted: bool = False,
    text_informative: bool = True,
    unit: str = "speaker",
) -> Path:
    """Write a run whose accuracy is `skill` when clean, `fall` less per severity; return its folder."""
    cells = suite() if cells is None else list(cells)
    rng = np.random.default_rng(int(hash_text(name)[:8], 16))
    truth = np.arange(n) % len(classes)
    luck = rng.random(n)  # how hard each sample is: the same in every cell, so that curves are smooth
    tables = []
    for cell in cells:
        read = cell.family not in ("audio", "vision", "text") or cell.family in uses
        right = luck < max(
            0.1, skill - fall * cell.severity * read * (1.6 if cell.family == "modality" else 1)
        )
        answer = np.where(right, truth, (truth + 1 + rng.integers(0, 2, n)) % len(classes))
        given = np.full((n, len(classes)), 0.02, dtype=np.float32)
        given[np.arange(n), answer] = 1 - 0.02 * (len(classes) - 1) - 0.4 * rng.random(n)
        tables.append(
            pa.table(
                {
                    "cell_id": [cell.cell_id] * n,
                    "sample_id": [f"clip-{i:04d}" for i in range(n)],
                    "corruption": [cell.corruption] * n,
                    "severity": [cell.severity] * n,
                    "seed": [cell.seed] * n,
                    "replicate": [cell.replicate] * n,
                    "label": [classes[c] for c in truth],
                    "prediction": [classes[c] for c in answer],
                    "probabilities": list(given) if probabilities else [None] * n,
                    "raw_output": [None] * n,
                    "stated": [None] * n,
                    "parse_status": ["ok"] * n,
                    "applied": [not cell.is_clean] * n,
                    "speaker": [f"S{i % speakers:02d}" for i in range(n)],
                    "dialogue": [None] * n,
                    "session": [None] * n,
                    "extra": [
                        json.dumps(
                            {"gender": "mf"[i % speakers % 2], "intensity": ["normal", "strong"][i % 7 % 2]}
                        )
                        for i in range(n)
                    ],
                },
                schema=SCHEMA,
            )
        )
    folder.mkdir(parents=True, exist_ok=True)
    predictions = folder / "predictions.parquet"
    rows = pa.concat_tables(tables)
    pq.write_table(rows, predictions, compression="zstd")
    result: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "recipe_id": hash_text(dataset),
        "content_root": None,
        "data": {
            "dataset": dataset,
            "options": {},
            "split": "test",
            "labels": list(classes),
            "label_counts": {"test": dict.fromkeys(classes, n)},
            "text_informative": text_informative,
            "unit": unit,
            "restricted": restricted,
            "licence": "as the test says",
        },
        "cells": [cell.to_json() for cell in cells],
        "model": {
            "name": name,
            "fingerprint": hash_text(name),
            "labels": list(classes),
            "uses": list(uses),
            "trained_on": [],
        },
        "labels": {"mode": "strict", "classes": list(classes), "table": {c: c for c in classes}},
        "marks": list(marks),
        "predictions": {"file": predictions.name, "sha256": hash_file(predictions)},
        "reference": None,
        "environment": {
            "cores": 2,
            "device": "cpu",
            "machine": "x86_64",
            "python": "3.11",
            "system": "Linux",
            "tools": {},
        },
        "cost": {"wall_s": 12.5, "batch_size": 32, "passes": {"model": {"run": 10 * n, "reused": n}}},
        "ci": None,
    }
    result["metrics"] = json.loads(
        json.dumps(summarise(rows, cells, classes, text_informative=text_informative))
    )
    write_json(folder / "result.json", result)
    return folder
