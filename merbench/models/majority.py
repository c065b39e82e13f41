"""The answer that needs no input: how often each label occurs (ZeroR)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from merbench.hashing import combine, hash_file, hash_json
from merbench.models._adapter import Adapter

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from merbench.types import Batch


@dataclass
class Majority(Adapter):
    """Answers the label frequencies of the training split, whatever the input; the floor for any model.

    A dataset without a ``train`` split lends it the frequencies of everything: still one constant
    answer for all samples, but the best one in hindsight.
    """

    uses = ()
    trained_on = ()
    counts: Mapping[str, int] = field(default_factory=dict, init=False)

    def learn_prior(self, counts: Mapping[str, int]) -> None:
        """Take the label counts."""
        self.counts = dict(counts)
        self.labels = tuple(counts)

    def predict(self, batch: Batch) -> npt.NDArray[np.float64]:
        """Return the log of the frequencies, one added to every count (Laplace), for every row."""
        smoothed = np.array(list(self.counts.values()), dtype=np.float64) + 1
        return np.tile(np.log(smoothed / smoothed.sum()), (len(batch), 1))

    def fingerprint(self) -> str:
        """Return a hash over this file and the counts."""
        return combine([hash_file(Path(__file__)), hash_json(self.counts)])
