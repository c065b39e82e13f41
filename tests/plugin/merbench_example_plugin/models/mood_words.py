"""Counting words that betray a mood: the smallest model that can be right."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from merbench.hashing import hash_file
from merbench.models import Adapter

if TYPE_CHECKING:
    import numpy.typing as npt

    from merbench.types import Batch

_WORDS = {"calm": {"watched", "thought"}, "glad": {"lovely", "smiling"}, "low": {"miss", "only"}}


@dataclass
class MoodWords(Adapter):
    """Logits are the numbers of words that each mood is known by; without text, all are zero."""

    labels = tuple(_WORDS)
    uses = ("text",)
    trained_on = ()  # its words were written down, not learned

    def predict(self, batch: Batch) -> npt.NDArray[np.float64]:
        """Return logits [N, 3]."""
        words = [re.findall(r"\w+", (text or "").lower()) for text in batch.text]
        counts = [[sum(w in known for w in row) for known in _WORDS.values()] for row in words]
        return np.array(counts, dtype=np.float64).reshape(len(batch), len(_WORDS))

    def fingerprint(self) -> str:
        """Return the hash of this file: it is all there is to the model."""
        return hash_file(Path(__file__))
