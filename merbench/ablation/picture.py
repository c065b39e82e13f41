"""What robustness costs: every way of hardening by its figure without noise and under it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from merbench.report._axes import Scale, draw_x_axis, draw_y_axis, span
from merbench.report._drawing import Dots, Line, Text
from merbench.report._figure import SMALL, Figure, draw_axis_title, make_panel
from merbench.report._palette import SERIES, series

if TYPE_CHECKING:
    from merbench.ablation.findings import TestFindings
    from merbench.report._drawing import Drawing
    from merbench.statistics.intervals import Interval

_HEIGHT, _TOP, _BOTTOM, _LEFT, _RIGHT = 260.0, 26.0, 36.0, 30.0, 8.0


class Entry(NamedTuple):
    """A way of hardening in the legend."""

    slot: int
    name: str


def entries(found: TestFindings) -> list[Entry]:
    """Return what is shown: those without a family of noise taken away, as many as can be told apart."""
    whole = [line.arm for line in found.lines if " without " not in line.arm and " only " not in line.arm]
    return [Entry(slot, name) for slot, name in enumerate(whole[:SERIES])]


def trade_off(found: TestFindings) -> Figure:
    """Return one panel per group of noise: across without noise, up under noise, bars over both intervals."""
    return Figure(
        name=f"ablation-{found.name}",
        title=f"{found.name}: what robustness costs",
        caption="UAR in percent, with intervals over units and training seeds. Up is more robust, right is "
        "better without noise.",
        panels=tuple(_panel(found, group) for group in found.groups),
    )


def _panel(found: TestFindings, group: str) -> Drawing:
    sheet = make_panel(f"UAR under {group} noise against UAR without", group, _HEIGHT)
    by_arm = {line.arm: line for line in found.lines}
    shown = [(entry.slot, by_arm[entry.name]) for entry in entries(found)]
    clean, noisy = [line.clean for _, line in shown], [line.noisy[group] for _, line in shown]
    x = Scale(*span(_ends(clean), within=(0.0, 1.0)), _LEFT, sheet.width - _RIGHT)
    y = Scale(*span(_ends(noisy), within=(0.0, 1.0)), _HEIGHT - _BOTTOM, _TOP)
    draw_y_axis(sheet, y, x.start, x.end)
    draw_x_axis(sheet, x, y.end, y.start)
    draw_axis_title(sheet, (x.start + x.end) / 2, "UAR without noise, percent")
    sheet.add(Text(x.start, _TOP - 3, "UAR under it, percent", SMALL, "muted"))
    for (slot, _), a, b in zip(shown, clean, noisy, strict=True):
        if a.estimate is None or b.estimate is None:
            continue
        here, stroke = (x(a.estimate), y(b.estimate)), series(slot)
        if a.low is not None and a.high is not None:
            sheet.add(Line(((x(a.low), here[1]), (x(a.high), here[1])), stroke))
        if b.low is not None and b.high is not None:
            sheet.add(Line(((here[0], y(b.low)), (here[0], y(b.high))), stroke))
        sheet.add(Dots((here,), slot, stroke))
    return sheet


def _ends(intervals: list[Interval]) -> list[float]:
    return [v for i in intervals for v in (i.low, i.estimate, i.high) if v is not None]
