"""Figures as text: scores in percent, drops in percentage points, a dash for what is undefined."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from merbench.statistics.intervals import Interval

UNDEFINED = "-"


def percent(value: float | None) -> str:
    """Return a share in percent to a tenth; ``None`` and NaN are undefined."""
    return UNDEFINED if value is None or isnan(value) else f"{100 * value:z.1f}"


def with_interval(one: Interval) -> str:
    """Return ``81.2 [76.0, 85.9]``, in percent."""
    value = percent(one.estimate)
    if one.low is None or one.high is None:
        return value
    return f"{value} [{percent(one.low)}, {percent(one.high)}]"
