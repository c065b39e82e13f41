"""A run becomes a record and its answers, and these become a run again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from merbench.errors import MerbenchError
from merbench.evaluation.result import recompute
from merbench.evaluation.summary import scored_grid
from merbench.files import atomic, write_json
from merbench.hashing import hash_file
from merbench.record.answers import answer_key, check_rows, read_rows, withhold
from merbench.record.facts import (
    VERSION,
    Answers,
    CellKey,
    LabelFacts,
    MarkFacts,
    ModelFacts,
    Record,
    SuiteFacts,
    this_evaluator,
)
from merbench.statistics.panel import Run

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa


def record_of(run: Path, path: Path) -> tuple[Record, pa.Table]:
    """Return the record of a run, to be written at `path`, and the rows that go beside it.

    Every figure of the run is first computed again. Of a dataset that may not be redistributed, what a
    model said in its own words is withheld: it may quote the transcript. No figure depends on it.

    Args:
        run: a folder written by ``merbench eval``.
        path: where the record will be, a name that ends in ``.json``.

    Raises:
        MerbenchError: the run is damaged or does not follow from its predictions, or an answer is not
            what a model can have said.
    """
    result = recompute(run)
    rows = read_rows(run / result["predictions"]["file"])
    data, model = result["data"], result["model"]
    if data["restricted"]:
        rows = withhold(rows, result["labels"]["classes"])
    suite = SuiteFacts(
        **{key: data[key] for key in SuiteFacts.model_fields if key in data},
        recipe_id=result["recipe_id"],
        content_root=result["content_root"],
        samples=result["metrics"]["n"],
        answer_key=answer_key(rows),
        classes=result["labels"]["classes"],
        cells=[CellKey(**cell) for cell in result["cells"]],
    )
    record = Record(
        schema_version=VERSION,
        suite=suite,
        model=ModelFacts(**{key: model[key] for key in ModelFacts.model_fields}),
        evaluator=this_evaluator(),
        labels=LabelFacts(mode=result["labels"]["mode"], table=result["labels"]["table"]),
        marks=[MarkFacts(**mark) for mark in result["marks"]],
        predictions=Answers(file=path.with_suffix(".parquet").name, sha256="0" * 64, rows=len(rows)),
    )
    check_rows(rows, record.suite.classes)
    return record, rows


def as_run(where: str, record: Record, rows: pa.Table) -> Run:
    """Return a record and its answers as statistics take them.

    Raises:
        MerbenchError: the answers are not a full grid of the suite's cells.
    """
    suite = record.suite.model_dump(exclude={"cells"})
    result = {
        "recipe_id": suite.pop("recipe_id"),
        "content_root": suite.pop("content_root"),
        "data": suite,
        "labels": {"classes": record.suite.classes},
        "model": record.model.model_dump(),
    }
    grid = scored_grid(
        rows, record.cells, record.suite.classes, text_informative=record.suite.text_informative
    )
    return Run(where, result, grid)


def write_rows(path: Path, rows: pa.Table) -> str:
    """Write the answers that belong to the record at `path`, and return their hash."""
    beside = path.with_suffix(".parquet")
    with atomic(beside) as handle:
        pq.write_table(rows, handle, compression="zstd")
    return hash_file(beside)


def write_record(path: Path, record: Record) -> None:
    """Write the record itself; its answers are there already."""
    write_json(path, record.model_dump(mode="json"))


def open_rows(path: Path, record: Record) -> pa.Table:
    """Return the answers of the record at `path`, checked.

    Raises:
        MerbenchError: the file is missing, elsewhere, truncated, not the one that was hashed, or holds
            what no run can have written.
    """
    beside = path.parent / record.predictions.file
    if beside.name != path.with_suffix(".parquet").name or beside.is_symlink():
        raise MerbenchError(
            f"{path} points to {record.predictions.file}, which is not the file beside it",
            fix=f"its answers are in {path.with_suffix('.parquet').name}",
        )
    if not beside.is_file():
        raise MerbenchError(f"{beside} is missing", fix="a record and its answers go together")
    if hash_file(beside) != record.predictions.sha256:
        raise MerbenchError(
            f"{beside} is not the file that was recorded", fix="get both files again from where they came"
        )
    rows = read_rows(beside)
    if len(rows) != record.predictions.rows:
        raise MerbenchError(
            f"{beside} holds {len(rows)} answers, and its record says {record.predictions.rows}",
            fix="get both files again from where they came",
        )
    if answer_key(rows) != record.suite.answer_key:
        raise MerbenchError(
            f"{beside} does not answer the suite of its record: samples, labels or groups differ",
            fix="evaluate the model on the suite",
        )
    check_rows(rows, record.suite.classes)
    return rows
