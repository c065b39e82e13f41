"""What `tests/training/dummy.py` trained, as a model that can be evaluated."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - options are read at run time

import torch

from merbench.hashing import hash_file
from merbench.models import Adapter, TrainingRecord
from merbench.options import resource
from tests.training.dummy import Words


@dataclass
class Trained(Adapter):
    """The bag of letters."""

    folder: Path | None = resource("the folder that training left", env="trained")

    uses = ("text",)

    def __post_init__(self):
        record = json.loads((self.folder / "record.json").read_text(encoding="utf-8"))
        self.labels = tuple(record["labels"])
        self.trained_on = tuple(map(TrainingRecord.from_json, record["trained_on"]))
        self.words = Words(labels=self.labels)
        self.words.network.load_state_dict(torch.load(self.folder / "weights.pt", weights_only=True))

    def predict(self, batch):
        with torch.no_grad():
            return self.words.logits(self.words.prepare(batch, [])).numpy()

    def fingerprint(self):
        return hash_file(self.folder / "weights.pt")
