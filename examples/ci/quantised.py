"""The shipped model with its weights rounded to few bits: smaller, and nearly as good on clean input."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch

from merbench.hashing import combine
from merbench.models._late_fusion import checkpoint
from merbench.models.late_fusion import LateFusion
from merbench.options import option


@dataclass(eq=False)
class Quantised(LateFusion):
    """Uniform symmetric quantisation, one step size per matrix, as a first try at a smaller model does it."""

    bits: int = option(3, "bits per weight")

    @cached_property
    def _network(self):
        network = checkpoint.load_network(self._folder, len(self.labels))
        with torch.no_grad():
            for weights in network.parameters():
                if weights.ndim > 1:
                    step = weights.abs().max() / (2 ** (self.bits - 1) - 1)
                    weights.copy_((weights / step).round() * step)
        return network

    def fingerprint(self) -> str:
        return combine([super().fingerprint(), str(self.bits)])
