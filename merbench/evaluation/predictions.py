"""The prediction row: everything a score is made of, kept per sample and cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from merbench.datasets._view import FOLD

if TYPE_CHECKING:
    from merbench.targets import Task

PARSED = "ok"
OUT_OF_SET = "out_of_set"
UNPARSED = "unparsed"

GROUP_FACTS = ("intensity", "gender", FOLD)
"""The facts about an utterance by which scores are broken down; a prediction row holds these and no others.

A table may carry anything in its further columns (timestamps, raw text): none of it belongs in a
file that is published.
"""

SCHEMA = pa.schema(
    [
        ("cell_id", pa.string()),
        ("sample_id", pa.string()),
        ("corruption", pa.string()),
        ("severity", pa.int8()),
        ("seed", pa.int64()),
        ("replicate", pa.int32()),
        ("label", pa.string()),  # in the dataset's own terms
        ("prediction", pa.string()),  # the same terms; an out-of-set answer as given; null when unparsed
        ("probabilities", pa.list_(pa.float32())),  # over the run's `classes`; null for text answers
        ("raw_output", pa.string()),  # a text answer as the model gave it
        ("stated", pa.string()),  # what a text beside the logits names; empty: nothing
        ("parse_status", pa.string()),  # ok | out_of_set | unparsed
        ("applied", pa.bool_()),
        ("speaker", pa.string()),
        ("dialogue", pa.string()),
        ("session", pa.string()),
        ("extra", pa.string()),  # the utterance's `GROUP_FACTS` as JSON
    ]
)

TARGET_COLUMNS = ("target", "values")

SCHEMA_WITH_TARGETS = SCHEMA.append(
    pa.field("target", pa.list_(pa.float64()))  # what the task asks for, in its order
).append(pa.field("values", pa.list_(pa.float64())))  # the model's; null where it has none


def schema_of(task: Task | None) -> pa.Schema:
    """Return the columns of the rows on a dataset with this task."""
    return SCHEMA if task is None else SCHEMA_WITH_TARGETS
