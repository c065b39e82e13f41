"""Robustness scores: how much of a clean metric is left under noise.

For a metric M in 0..1 (greater is better) and its error E = 1 - M:

========================= =========================================================================
drop R                    M_clean - M_noisy; smaller is better, and never shown without M_clean (a
                          model that is always wrong drops by nothing)
retention                 M_noisy / M_clean
area                      under M over severity 0 (clean) to 5
CE                        E_noisy / E_noisy of a reference model (Hendrycks & Dietterich, ICLR 2019)
relative CE               R / R of the reference (ibid.)
========================= =========================================================================

Of a metric that is an error itself (MAE), E = M, the drop is M_noisy - M_clean and the retention
M_clean / M_noisy: smaller and greater are better as ever, and an unharmed model keeps 1.

Severity is ordinal within a corruption and not commensurate between families, so an overall figure is
a mean over severities, then corruptions, then families: `nested_weights`.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from math import fsum, isnan, nan, prod
from typing import TYPE_CHECKING

import numpy as np

from merbench.evaluation.metrics import to_json
from merbench.types import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    import numpy.typing as npt

Score = dict[str, float | None]


def nested_weights(paths: Sequence[tuple[Hashable, ...]]) -> npt.NDArray[np.float64]:
    """Return the weight of each leaf of a tree in a mean of means of means; they sum to 1.

    `paths` are distinct and lead from the root to a leaf: at every node the weight is shared out
    equally among the children, however many leaves each of them has.
    """
    children: dict[tuple[Hashable, ...], set[Hashable]] = defaultdict(set)
    for path in paths:
        for depth, step in enumerate(path):
            children[path[:depth]].add(step)
    return np.array([prod(1 / len(children[path[:depth]]) for depth in range(len(path))) for path in paths])


def weighted_mean(values: Iterable[float], weights: npt.NDArray[np.float64]) -> float:
    """Return the mean of some values, rounded once: the same to the last bit on every processor.

    A matrix product is not: in which order it adds depends on the processor.
    """
    return fsum(value * weight for value, weight in zip(values, weights.tolist(), strict=True))


def robustness_score(clean: float, noisy: float, *, is_error: bool = False) -> Score:
    """Return clean, noisy, drop (R) and retention; what NaN makes undefined is ``None``."""
    better, worse = (noisy, clean) if is_error else (clean, noisy)
    return {
        "clean": to_json(clean),
        "noisy": to_json(noisy),
        "drop": to_json(better - worse),
        "retention": to_json(_over(worse, better)),
    }


def area_under_severity(clean: float, noisy: Mapping[int, float]) -> float | None:
    """Return the mean height of a metric over severity 0..5, by the trapezoid rule.

    `noisy` is the metric by severity. The curve starts at 0, which is clean, and is divided by its
    length 5, so that the area of an unharmed model is its clean metric. ``None`` unless all five
    severities are there: areas over different ranges do not compare.
    """
    if set(noisy) != set(SEVERITIES):
        return None
    curve = [clean, *(noisy[severity] for severity in SEVERITIES)]
    return to_json(sum((a + b) / 2 for a, b in pairwise(curve)) / len(SEVERITIES))


def corruption_error(score: Score, reference: Score, *, is_error: bool = False) -> float | None:
    """Return E_noisy over the reference's, both means over the same severities; below 1 is better."""
    ours, theirs = score["noisy"], reference["noisy"]
    if ours is None or theirs is None:
        return None
    return to_json(_over(ours, theirs) if is_error else _over(1 - ours, 1 - theirs))


def relative_corruption_error(score: Score, reference: Score) -> float | None:
    """Return the drop over the reference's, ``None`` where the reference does not drop."""
    ours, theirs = score["drop"], reference["drop"]
    return None if ours is None or theirs is None else to_json(_over(ours, theirs))


def _over(part: float, whole: float) -> float:
    return part / whole if whole > 0 and not isnan(part) else nan
