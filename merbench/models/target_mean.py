"""The answer that needs no input on data that ask for numbers: the mean of every target."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from merbench.errors import MerbenchError
from merbench.hashing import combine, hash_file, hash_json
from merbench.models._adapter import Valued
from merbench.models.majority import Majority

if TYPE_CHECKING:
    from collections.abc import Mapping

    from merbench.types import Batch


@dataclass
class TargetMean(Majority):
    """Answers the mean of every target over the training split and its label frequencies; a floor.

    The mean is the constant with the least squared error; of labels that may be present together it is how
    often each is, and of votes how they are spread on average. Splits are taken as in ``majority``.
    """

    means: Mapping[str, float] = field(default_factory=dict, init=False)

    def learn_means(self, means: Mapping[str, float]) -> None:
        """Take the means."""
        self.means = dict(means)
        self.targets = tuple(means)

    def predict(self, batch: Batch) -> Valued:  # type: ignore[override]
        """Return the means and the log of the frequencies for every row."""
        if not self.means:
            raise MerbenchError(
                "'target-mean' answers numbers, and the data ask for labels alone",
                fix="take the model majority",
            )
        values = np.tile(np.array(list(self.means.values())), (len(batch), 1))
        return Valued(values, super().predict(batch))

    def fingerprint(self) -> str:
        """Return a hash over this file, the means and what ``majority`` hashes."""
        return combine([super().fingerprint(), hash_file(Path(__file__)), hash_json(self.means)])
