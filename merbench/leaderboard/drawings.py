"""The pictures on an entry's page; scores are shown in percent, as everywhere on the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from merbench.evaluation.metrics import NAMES
from merbench.report._axes import Scale, draw_x_axis, draw_y_axis
from merbench.report._drawing import Boxes, Dots, Drawing, Line, Text, shortened, svg
from merbench.report._palette import series
from merbench.types import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from merbench.leaderboard.row import CorruptionFigures, Figures, Interval

_PANEL = 270.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 28.0, 8.0, 24.0, 150.0
_LEGEND = 17.0

_FOREST = 640.0
_LINE = 32.0
_NAMES, _FIGURES = 96.0, 150.0


def severity_curves(figures: Figures, names: Sequence[str], metric: str, chance: float) -> list[str]:
    """Return one SVG per noise family: a metric over severity 0 (clean) to 5, a line per corruption.

    `names` are of the corruptions, in order; `chance` is what guessing scores, drawn as a dashed line.
    """
    families: dict[str, list[tuple[str, CorruptionFigures]]] = {}
    for name, corruption in zip(names, figures.corruptions, strict=True):
        families.setdefault(corruption.family, []).append((name, corruption))
    return [svg(_curves(family, members, metric, chance)) for family, members in families.items()]


def family_intervals(figures: Figures, metric: str) -> str:
    """Return an SVG of what is left under each family of noise, with its interval, and of the clean score."""
    lines: list[tuple[str, float | None, Interval]] = [
        ("clean", figures.clean[metric], figures.overall_spread.clean),
        ("all noise", figures.overall[metric].noisy, figures.overall_spread.noisy),
        *((f.family, f.robustness[metric].noisy, f.spread.noisy) for f in figures.families),
    ]
    floor = _LINE * len(lines) + 4
    sheet = Drawing(_FOREST, floor + 18, f"{NAMES[metric]} clean and under each family of noise")
    x = Scale(0, 1, _NAMES, _FOREST - _FIGURES)
    draw_x_axis(sheet, x, 4, floor)
    for i, (name, value, interval) in enumerate(lines):
        middle = 4 + _LINE * (i + 0.5)
        sheet.add(Text(_NAMES - 10, middle + 4, shortened(name, _NAMES - 12), anchor="end", bold=i < 2))
        if value is not None:
            sheet.add(Boxes(((x(0), middle - 7, x(value) - x(0), 14),), "grid"))
            sheet.add(*_estimate(x, middle, value, interval, "muted" if i == 0 else "accent"))
        sheet.add(Text(x.end + 14, middle + 4, _said(value, interval)))
    return svg(sheet)


def _estimate(x: Scale, y: float, value: float, interval: Interval, colour: str) -> list[Line | Dots]:
    """Return a dot, and whiskers where there is an interval."""
    marks: list[Line | Dots] = [Dots(((x(value), y),), 0, colour, radius=4)]
    if interval.low is not None and interval.high is not None:
        low, high = x(interval.low), x(interval.high)
        marks += [Line(((low, y), (high, y)), colour, 2)]
        marks += [Line(((end, y - 5), (end, y + 5)), colour, 2) for end in (low, high)]
    return marks


def _said(value: float | None, interval: Interval) -> str:
    if value is None:
        return "undefined"
    if interval.low is None or interval.high is None:
        return f"{100 * value:.1f}"
    return f"{100 * value:.1f}  [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def _curves(
    family: str, members: Sequence[tuple[str, CorruptionFigures]], metric: str, chance: float
) -> Drawing:
    height = _BOTTOM + 24 + _LEGEND * len(members)
    sheet = Drawing(_PANEL, height, f"{NAMES[metric]} under {family} noise by severity")
    x, y = Scale(0, len(SEVERITIES), _LEFT, _PANEL - _RIGHT), Scale(0, 1, _BOTTOM, _TOP)
    sheet.add(Text(_LEFT, 13, family, size=13, bold=True))
    draw_y_axis(sheet, y, _LEFT, _PANEL - _RIGHT)
    for severity in (0, *SEVERITIES):
        shown = str(severity) if severity else "clean"
        sheet.add(Text(x(severity), _BOTTOM + 14, shown, size=10, fill="muted", anchor="middle"))
    sheet.add(Line(((x(0), y(chance)), (x(x.high), y(chance))), "axis", dashed=True))
    room = _PANEL - _LEFT - 24
    for i, (name, corruption) in enumerate(members):
        scores = [(0, corruption.robustness[metric].clean)]
        scores += [(point.severity, point.robustness[metric].noisy) for point in corruption.severities]
        points = tuple((x(severity), y(value)) for severity, value in scores if value is not None)
        base = _BOTTOM + 20 + _LEGEND * (i + 1) - 4
        sheet.add(
            Line(points, series(i), 2),
            Dots((*points, (_LEFT + 5, base - 4)), i, series(i)),
            Text(
                _LEFT + 16,
                base,
                shortened(name.removeprefix(f"{family}/"), room),
                fill="muted",
            ),
        )
    return sheet
