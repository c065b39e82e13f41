"""Scales and axes: from figures to pixels, with round numbers at the ticks."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from merbench.report._drawing import Drawing, Line, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_SMALL = 10.0


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear map from `low`..`high` to the pixels `start`..`end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return where a value lies; one outside of the scale lies on its edge."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, about: int = 5) -> list[float]:
        """Return round numbers on the scale, about this many."""
        step = _round_step((self.high - self.low) / max(1, about))
        first, last = ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9)
        return [k * step for k in range(first, last + 1)]


def span(values: Iterable[float], *, within: tuple[float, float], least: float = 0.1) -> tuple[float, float]:
    """Return round ends of a scale that holds all values.

    Args:
        values: what is to be shown; none gives `within`.
        within: the scale does not leave these ends.
        least: how long the scale is at least: noise must not be blown up to look like an effect.
    """
    known = list(values)
    if not known:
        return within
    low, high = min(known), max(known)
    if high - low < least:
        middle = min(max((low + high) / 2, within[0] + least / 2), within[1] - least / 2)
        low, high = middle - least / 2, middle + least / 2
    step = _round_step((high - low) / 5)
    low, high = floor(low / step + 1e-9) * step, ceil(high / step - 1e-9) * step
    return max(low, within[0]), min(high, within[1])


def _round_step(step: float) -> float:
    """Return the next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** floor(log10(step))
    return next(k * power for k in (1.0, 2.0, 5.0, 10.0) if k * power >= step * (1 - 1e-9))


def percent(value: float) -> str:
    """Return a share as a whole percentage, without its sign (the axis names the unit)."""
    return f"{100 * value:z.0f}"


def draw_y_axis(
    sheet: Drawing, y: Scale, left: float, right: float, show: Callable[[float], str] = percent
) -> None:
    """Draw horizontal grid lines from `left` to `right`, their figures to the left."""
    sheet.add(*(Line(((left, y(tick)), (right, y(tick))), "grid") for tick in y.ticks()))
    sheet.add(*(Text(left - 5, y(tick) + 3.5, show(tick), _SMALL, "muted", "end") for tick in y.ticks()))


def draw_x_axis(
    sheet: Drawing,
    x: Scale,
    top: float,
    bottom: float,
    show: Callable[[float], str] = percent,
    about: int = 5,
) -> None:
    """Draw vertical grid lines from `top` to `bottom`, their figures below."""
    ticks = x.ticks(about)
    sheet.add(*(Line(((x(tick), top), (x(tick), bottom)), "grid") for tick in ticks))
    sheet.add(*(Text(x(tick), bottom + 13, show(tick), _SMALL, "muted", "middle") for tick in ticks))
