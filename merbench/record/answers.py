"""The rows of answers: what they may hold, what they must not, and what every model is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from merbench.errors import MerbenchError
from merbench.evaluation.predictions import OUT_OF_SET, PARSED, SCHEMA, SCHEMA_WITH_TARGETS
from merbench.hashing import hash_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_WITHHELD = "(withheld)"
_SLACK = 1e-3  # how far float32 probabilities may sum beyond 1
_TIE = 1e-6  # two probabilities this close are the same in float32, and either may be the answer

_KEY = ("cell_id", "sample_id", "label", "applied", "speaker", "dialogue", "session", "extra")


def read_rows(path: Path) -> pa.Table:
    """Read a file of answers, without what its writer noted in its metadata.

    Raises:
        MerbenchError: it is truncated or no Parquet file, or has other columns.
    """
    try:
        rows = pq.read_table(path, partitioning=None).replace_schema_metadata(None)
    except (pa.ArrowInvalid, OSError) as error:
        raise MerbenchError(
            f"{path} is truncated or no Parquet file ({error})", fix="get it again from where it came"
        ) from error
    if rows.schema not in (SCHEMA, SCHEMA_WITH_TARGETS):
        raise MerbenchError(
            f"{path} does not have the columns of a predictions file", fix="run 'merbench eval' again"
        )
    return rows


def check_rows(rows: pa.Table, classes: Sequence[str]) -> None:
    """Check that the answers are what a model can have said.

    Raises:
        MerbenchError: a probability is not a number in 0..1, a row of them sums to more than 1, or an
            answer is not the class with the greatest probability.
    """
    given = rows.filter(pc.is_valid(rows["probabilities"]))
    if not len(given):
        return
    values = given["probabilities"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    if len(values) != len(given) * len(classes):
        raise MerbenchError(
            f"the predictions do not hold {len(classes)} probabilities in every row",
            fix=f"give one for each of {', '.join(classes)}, or null",
        )
    table = values.reshape(len(given), len(classes)).astype(np.float64)
    bad = ~(np.isfinite(table).all(1) & (table >= 0).all(1) & (table.sum(1) <= 1 + _SLACK))
    if bad.any():
        raise MerbenchError(
            f"the probabilities of {_where(given, bad)} are no probabilities: {table[bad][0].tolist()}",
            fix="they must be numbers from 0 to 1 that sum to at most 1: mend the model",
        )
    place = {name: c for c, name in enumerate(classes)}
    answer = np.array([place.get(name, -1) for name in given["prediction"].to_pylist()])
    parsed = pc.equal(given["parse_status"], PARSED).to_numpy()
    chosen = np.take_along_axis(table, np.maximum(answer, 0)[:, None], axis=1)[:, 0]
    wrong = parsed & (answer >= 0) & (chosen < table.max(1) - _TIE)
    if wrong.any():
        raise MerbenchError(
            f"the answer of {_where(given, wrong)} is not the class with the greatest probability",
            fix="the predictions were edited: evaluate the model again",
        )


def answer_key(rows: pa.Table) -> str:
    """Return a hash over what every model is asked: samples, labels, targets, groups, where cells applied."""
    order = pc.sort_indices(rows, sort_keys=[("cell_id", "ascending"), ("sample_id", "ascending")])
    asked = [*_KEY, *(name for name in rows.column_names if name == "target")]
    return hash_json(rows.select(asked).take(order).to_pydict())


def withhold(rows: pa.Table, classes: Sequence[str]) -> pa.Table:
    """Return the rows without a model's own words; an out-of-set answer may be a whole sentence."""
    outside = pc.equal(rows["parse_status"], OUT_OF_SET)
    told = pc.is_in(rows["stated"], value_set=pa.array([*classes, ""]))
    same = pc.fill_null(pc.equal(rows["stated"], rows["prediction"]), False)
    unlike = pc.if_else(same, _WITHHELD, "")
    columns: Mapping[str, Any] = {
        "prediction": pc.if_else(outside, _WITHHELD, rows["prediction"]),
        "raw_output": pa.nulls(len(rows), pa.string()),
        "stated": pc.if_else(pc.or_(told, pc.is_null(rows["stated"])), rows["stated"], unlike),
    }
    for name, column in columns.items():
        rows = rows.set_column(rows.schema.get_field_index(name), SCHEMA.field(name), column)
    return rows


def require_withheld(path: Path, rows: pa.Table) -> None:
    """Check that answers on data that may not be redistributed hold nothing in a model's own words.

    Raises:
        MerbenchError: they do.
    """
    outside = rows["prediction"].filter(pc.equal(rows["parse_status"], OUT_OF_SET))
    own = pc.any(pc.not_equal(outside, _WITHHELD)).as_py()
    if own or rows["raw_output"].null_count < len(rows):
        raise MerbenchError(
            f"the answers of {path} hold what the model said, and it may quote data that must stay here",
            fix="'merbench leaderboard add' writes them again without",
        )


def _where(rows: pa.Table, marked: np.ndarray) -> str:
    first = rows.slice(int(np.flatnonzero(marked)[0]), 1).to_pylist()[0]
    return f"'{first['sample_id']}' in the cell {first['cell_id']}"
