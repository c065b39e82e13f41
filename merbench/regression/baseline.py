"""The baseline: a run that was good enough, kept with its answers, so that a new run is paired with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from merbench.errors import MerbenchError
from merbench.files import locked
from merbench.record.facts import STEM, Record
from merbench.record.reading import read_record, require_evaluator
from merbench.record.store import as_run, open_rows, record_of, write_record, write_rows

if TYPE_CHECKING:
    from pathlib import Path

    from merbench.statistics.panel import Run


def write_baseline(run: Path, path: Path) -> Record:
    """Keep a run as a baseline: ``path``, which ends in ``.json``, and its answers beside it.

    Raises:
        MerbenchError: the run is damaged, or a record cannot be called so (`merbench.record.facts.STEM`).
    """
    if not re.fullmatch(rf"{STEM}\.json", path.name):
        raise MerbenchError(
            f"a baseline cannot be called '{path.name}'",
            fix="its name ends in .json and else holds letters, digits and . _ @ + - only",
        )
    record, rows = record_of(run, path)
    with locked(path.parent):
        answers = record.predictions.model_copy(update={"sha256": write_rows(path, rows)})
        record = record.model_copy(update={"predictions": answers})
        write_record(path, record)
    return record


def read_baseline(path: Path) -> Run:
    """Read a baseline with its answers.

    Raises:
        MerbenchError: it is missing, of a newer schema or another evaluator, was edited, or its answers
            are missing, truncated or not the ones that were kept.
    """
    record = read_record(path, Record)
    require_evaluator(path, record)
    return as_run(str(path), record, open_rows(path, record))


def read_new(run: Path) -> Run:
    """Read the run to be checked; every figure of it is computed again.

    Raises:
        MerbenchError: it is damaged, or its answers are not what a model can have said.
    """
    return as_run(str(run), *record_of(run, run / "run.json"))
