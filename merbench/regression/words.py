"""The verdict in plain words: what happened, where, how sure, and what would tell more."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from merbench.evaluation.metrics import NAMES
from merbench.statistics.intervals import POWER
from merbench.statistics.panel import OVERALL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from merbench.regression.gate import Comparison, Verdict
    from merbench.statistics.intervals import Interval

CLEAN = "clean"


def explain(
    verdict: Verdict, comparisons: Sequence[Comparison], metric: str, tolerance: float, strict: bool
) -> str:
    """Return the reason for a verdict in a sentence, from the comparison that speaks for it most."""
    name, accepted = NAMES[metric], f"{100 * tolerance:.1f} points"
    deciding = [comparison for comparison in comparisons if comparison.verdict == verdict]
    worst = min(deciding, key=_depth if verdict == "could not tell" else _change)
    others = "" if len(deciding) == 1 else f" ({len(deciding)} of {len(comparisons)} comparisons)"
    if verdict == "held":
        if strict:
            return f"{name} fell nowhere"
        lowest = min(c.pointwise.low for c in comparisons if c.pointwise.low is not None)
        return (
            f"{name} fell by no more than the accepted {accepted}, clean and under every corruption "
            f"(lowest end of an interval: {points(lowest)})"
        )
    changed = f"{name} {_place(worst)} changed by {points(worst.change)} points"
    if verdict == "regressed":
        limit = "and any drop fails" if strict else f"which is a drop of more than the accepted {accepted}"
        return (
            f"{changed}, simultaneous interval {interval_text(worst.simultaneous)}, {limit}: "
            f"{worst.lost} answers turned wrong and {worst.won} right{others}"
        )
    if worst.change is None:
        return f"{name} {_place(worst)} is undefined{others}"
    if worst.pointwise.low is None:
        return f"{changed}, and {'; '.join(worst.pointwise.notes)}"
    return (
        f"{changed}, interval {interval_text(worst.pointwise)}, which neither excludes a drop of {accepted} "
        f"nor shows one{others}{_detectable(worst.simultaneous, tolerance)}"
    )


def _change(comparison: Comparison) -> float:
    return 0.0 if comparison.change is None else comparison.change


def _depth(comparison: Comparison) -> float:
    """Return how large a drop is not excluded; of what has no interval, any drop."""
    return -inf if comparison.pointwise.low is None else comparison.pointwise.low


def points(value: float | None) -> str:
    """Return a difference in points, with its sign."""
    return "undefined" if value is None else f"{100 * value:+z.1f}"


def interval_text(interval: Interval) -> str:
    """Return an interval in points."""
    if interval.low is None or interval.high is None:
        return "no interval"
    return f"[{points(interval.low)}, {points(interval.high)}]"


def _place(comparison: Comparison) -> str:
    return {CLEAN: "on clean input", OVERALL: "under all noise"}.get(
        comparison.name, f"under {comparison.name}"
    )


def _detectable(interval: Interval, tolerance: float) -> str:
    smallest = interval.detectable()
    if smallest is None:
        return ""
    return (
        f"; the smallest drop that this suite could have detected there is "
        f"{100 * max(smallest, tolerance):.1f} points (power {POWER:.0%}): add samples, or accept more"
    )
