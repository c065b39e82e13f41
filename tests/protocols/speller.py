"""A model that counts letters and says what it was trained on, as its folder tells."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - options are read at run time

import numpy as np

from merbench.hashing import hash_file
from merbench.models import Adapter, TrainingRecord
from merbench.options import resource


@dataclass
class Speller(Adapter):
    """Logits are counts of the letters l, g and u or z; a seed adds a little of its own.

    A file ``slow`` beside the record makes every call take that many seconds longer.
    """

    folder: Path | None = resource("the folder of its record", env="speller")
    uses = ("text",)

    def __post_init__(self):
        record = json.loads((self.folder / "record.json").read_text(encoding="utf-8"))
        self.labels = tuple(record.get("labels", ("calm", "glad", "low")))
        self.shift = len(record["seed"]) % 7 / 10 + sum(map(ord, record["seed"])) % 5 / 20
        self.trained_on = tuple(
            TrainingRecord(
                dataset=one["dataset"],
                samples=frozenset(one["samples"]),
                speakers=frozenset(one["speakers"]),
            )
            for one in record["trained_on"]
        )

    def predict(self, batch):
        slow = self.folder / "slow"
        time.sleep(float(slow.read_text(encoding="utf-8")) if slow.exists() else 0.0)
        counts = [[t.count("l"), t.count("g"), t.count("u") + t.count("z")] for t in map(str, batch.text)]
        return np.array(counts, dtype=float) + np.array([self.shift, 0.0, 0.0])

    def fingerprint(self):
        return hash_file(self.folder / "record.json")
