"""A tiny model for the loop's tests: words to classes, as a user would hand it in."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch.nn import functional as F

from merbench.options import option
from merbench.training import Trainable


@dataclass(eq=False)
class Words(Trainable):
    """A bag of character counts through two layers."""

    dropout: float = option(0.0, "share of hidden units dropped")
    poison: int = option(0, "the call of loss() that returns NaN; 0: none")
    slow: float = option(0.0, "seconds that every call of loss() takes longer")
    start: str | None = option(None, "the folder to begin with")

    @cached_property
    def network(self):
        self.calls = 0
        body = [torch.nn.Linear(26, 16), torch.nn.Tanh(), torch.nn.Dropout(self.dropout)]
        head = torch.nn.Linear(16, len(self.labels))
        network = torch.nn.ModuleDict({"body": torch.nn.Sequential(*body), "head": head})
        if self.start is not None:
            network.load_state_dict(torch.load(Path(self.start) / "weights.pt", weights_only=True))
        return network

    def prepare(self, batch, utterances):
        alphabet = "abcdefghijklmnopqrstuvwxyz"
        return [torch.tensor([float((text or "").count(c)) for c in alphabet]) for text in batch.text]

    def groups(self):
        names = [name for name, _ in self.network.named_parameters()]
        return {part: [name for name in names if name.startswith(part)] for part in self.network}

    def loss(self, rows):
        self.calls += 1
        time.sleep(self.slow)
        logits = self.logits([row.inputs for row in rows])
        loss = F.cross_entropy(logits, torch.tensor([row.label for row in rows], device=logits.device))
        return loss * float("nan") if self.calls == self.poison else loss

    def logits(self, inputs):
        device = self.network["head"].weight.device
        return self.network["head"](self.network["body"](torch.stack(list(inputs)).to(device)))

    def save(self, folder, record):
        torch.save(self.network.state_dict(), folder / "weights.pt")
        (folder / "record.json").write_text(json.dumps(record))
        adapter = Path(__file__).parents[1] / "protocols" / "trained.py"
        model = f"{os.path.relpath(adapter, folder.resolve())}:Trained"
        (folder / "checkpoint.json").write_text(json.dumps({"model": model}))


class NotTrainable:
    """Has the right name and the wrong base."""
