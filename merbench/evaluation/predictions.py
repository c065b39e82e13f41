"""The prediction row: everything a score is made of, kept per sample and cell."""

from __future__ import annotations

import pyarrow as pa

PARSED = "ok"
OUT_OF_SET = "out_of_set"
UNPARSED = "unparsed"

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
        ("parse_status", pa.string()),  # ok | out_of_set | unparsed
        ("applied", pa.bool_()),
        ("speaker", pa.string()),
        ("dialogue", pa.string()),
        ("session", pa.string()),
        ("extra", pa.string()),  # further facts about the utterance (gender, intensity ...) as JSON
    ]
)
