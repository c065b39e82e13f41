"""Is a confidence of 80 % right in 80 % of answers? The reliability diagram's curve and its error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from merbench.evaluation.metrics import ECE_BINS, expected_calibration_error

if TYPE_CHECKING:
    import numpy.typing as npt

    from merbench.statistics.panel import Panel


FEW = 5


@dataclass(frozen=True, eq=False)
class Reliability:
    """How often answers of a confidence are right, by `ECE_BINS` equal bins of confidence, [B] each.

    `confidence` and `accuracy` are means within a bin, NaN in one of fewer than `FEW` answers, whose
    accuracy says nothing; `share` sums to 1. `ece` is over all answers.
    """

    confidence: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64]
    share: npt.NDArray[np.float64]
    ece: float | None


def reliability(panel: Panel, run: int) -> tuple[Reliability, Reliability] | None:
    """Return a run's curves, clean and over the answers of all corrupted cells pooled.

    ``None`` if it gives no probabilities.
    """
    if np.isnan(panel.confidence[run]).all():
        return None
    noisy = [k for k in range(len(panel.cells)) if k != panel.clean]
    clean, pooled = (
        _curve(panel.confidence[run, cells].ravel(), (panel.answer[run, cells] == panel.truth).ravel())
        for cells in ([panel.clean], noisy)
    )
    return clean, pooled


def _curve(confidence: npt.NDArray[np.float32], right: npt.NDArray[np.bool_]) -> Reliability:
    known = ~np.isnan(confidence)
    given, hit = confidence[known].astype(np.float64), right[known]
    # The bins of `expected_calibration_error`: ((m - 1) / B, m / B], 0 in the first.
    index = np.clip(np.ceil(given * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1)
    count = np.bincount(index, minlength=ECE_BINS)
    enough = np.where(count >= FEW, count, np.nan)
    return Reliability(
        confidence=np.bincount(index, weights=given, minlength=ECE_BINS) / enough,
        accuracy=np.bincount(index, weights=hit, minlength=ECE_BINS) / enough,
        share=count / max(1, count.sum()),
        ece=expected_calibration_error(confidence, right),
    )
