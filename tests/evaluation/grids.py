"""Prediction rows made by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa

from merbench.evaluation.predictions import OUT_OF_SET, PARSED, SCHEMA, UNPARSED
from merbench.types import Cell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CLASSES = ("happy", "sad")


def cell(corruption: str = "audio/rain", severity: int = 1, **more) -> Cell:
    return Cell(corruption=corruption, version=1, severity=severity, **more)


def row(of: Cell, sample: str, label: str, answer: str | None, **more) -> dict:
    """Return a row; ``?`` stands for an answer that names nothing, a word outside `CLASSES` for itself."""
    status = UNPARSED if answer == "?" else PARSED if answer in CLASSES else OUT_OF_SET
    found = {
        "cell_id": of.cell_id,
        "sample_id": sample,
        "corruption": of.corruption,
        "severity": of.severity,
        "seed": of.seed,
        "replicate": of.replicate,
        "label": label,
        "prediction": None if answer == "?" else answer,
        "probabilities": None,
        "raw_output": None,
        "stated": None,
        "parse_status": status,
        "applied": not of.is_clean,
        "speaker": None,
        "dialogue": None,
        "session": None,
        "extra": "{}",
    }
    return {**found, **more}


def table(rows: Sequence[dict]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)


def rows(
    truth: Sequence[str], answers: Mapping[Cell, Sequence[str | None]], facts: Sequence[dict] | None = None
) -> list[dict]:
    """Return rows for samples s0, s1 ... with these labels and, by cell, these answers."""
    facts = facts or [{}] * len(truth)
    return [
        row(
            of,
            f"s{i}",
            label,
            answer,
            speaker=fact.get("speaker"),
            extra=json.dumps({k: v for k, v in fact.items() if k != "speaker"}),
        )
        for of, given in answers.items()
        for i, (label, answer, fact) in enumerate(zip(truth, given, facts, strict=True))
    ]
