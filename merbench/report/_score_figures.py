"""Figures of scores: severity curves, heat maps, families, clean against noisy.

Every function takes the study and a metric (`merbench.evaluation.metrics.SUMMARY_METRICS`).
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from merbench.evaluation.metrics import NAMES
from merbench.report._axes import Scale, draw_x_axis, draw_y_axis, span
from merbench.report._drawing import FONT_SIZE, Area, Box, Boxes, Dots, Drawing, Line, Text, Tip, shortened
from merbench.report._figure import ROW, SMALL, WIDTH, Figure, draw_axis_title, make_panel
from merbench.report._palette import drop_step, series, text_on
from merbench.report._words import UNDEFINED, percent, with_interval
from merbench.statistics.panel import OVERALL
from merbench.types import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from merbench.report._study import Model, Study, Variant
    from merbench.statistics.intervals import Interval

SHADED = 4
"""Models up to which intervals are shaded: the bands of more hide each other."""

FIT_FROM = 5
"""Models below which no line is fitted: with fewer it follows the points, whatever they are."""

_DASHED = "Dashed: the model does not read the corrupted modality, so its curve is flat by construction. "
_OPEN = (
    " Open: the model does not read every corrupted modality, so its noisy score does not compare, and the "
    "line leaves it out."
)


def severity_curves(study: Study, metric: str) -> Figure:
    """Draw the metric over severity, one panel per corruption; severity 0 is clean."""
    curves = {variant: _curves(study, metric, variant) for variant in study.variants}
    drawn = [one for found in curves.values() for curve in found for one in curve]
    shaded = len(study.models) <= SHADED
    ends = span(_ends(drawn, intervals=shaded), within=(0.0, 1.0))
    told = (
        "shaded: 95 % confidence interval" if shaded else "point at a severity for 95 % confidence intervals"
    )
    return Figure(
        "severity-curves",
        "Score by severity",
        f"{NAMES[metric]} in percent from clean to severity 5, one panel per corruption; {told}. "
        "Look for where a curve leaves its clean score, and whether curves cross. "
        f"{_DASHED * bool(study.unread)}Severities are ordinal: do not compare slopes between corruptions.",
        tuple(
            _curve_panel(study, metric, variant, found, ends, shaded=shaded)
            for variant, found in curves.items()
        ),
    )


def _curves(study: Study, metric: str, variant: Variant) -> list[list[Interval]]:
    """Return every model's scores: clean, then by severity."""
    return [
        [
            study.interval(model, metric, "clean"),
            *(
                study.interval(model, metric, "noisy", f"{variant.name} severity {s}")
                for s in variant.severities
            ),
        ]
        for model in study.models
    ]


def _curve_panel(
    study: Study,
    metric: str,
    variant: Variant,
    curves: Sequence[Sequence[Interval]],
    ends: tuple[float, float],
    *,
    shaded: bool,
) -> Drawing:
    sheet = make_panel(f"{NAMES[metric]} by severity of {variant.name}", variant.name, 196)
    left, right, top, bottom = 34.0, WIDTH - 10, 26.0, 164.0
    x, y = Scale(0, SEVERITIES[-1], left + 6, right - 6), Scale(*ends, bottom, top)
    draw_y_axis(sheet, y, left, right)
    names = {0: "clean", **{severity: str(severity) for severity in SEVERITIES}}
    sheet.add(*(Text(x(s), bottom + 14, name, SMALL, "muted", "middle") for s, name in names.items()))
    draw_axis_title(sheet, (left + right) / 2, "severity")
    severities = (0, *variant.severities)
    if shaded:
        for model, curve in zip(study.models, curves, strict=True):
            _draw_band(sheet, [x(s) for s in severities], y, curve, series(model.slot))
    for model, curve in zip(study.models, curves, strict=True):
        known = zip(severities, curve, strict=True)
        points = tuple((x(s), y(one.estimate)) for s, one in known if one.estimate is not None)
        colour = series(model.slot)
        sheet.add(Line(points, colour, 1.6, dashed=not model.reads(variant.family)))
        sheet.add(Dots(points, model.slot, colour, 3.2))
    reach = x(1) - x(0)
    for i, severity in enumerate(severities):
        lines = [f"severity {severity}" if severity else "clean"]
        lines += [f"{m.name}: {with_interval(c[i])}" for m, c in zip(study.models, curves, strict=True)]
        sheet.add(Tip((x(severity) - reach / 2, top, reach, bottom - top), "\n".join(lines)))
    return sheet


def _draw_band(sheet: Drawing, at: Sequence[float], y: Scale, curve: Sequence[Interval], colour: str) -> None:
    """Shade between the ends of the intervals, wherever two neighbours have one."""
    ends = ((x, one.low, one.high) for x, one in zip(at, curve, strict=True))
    known = [(x, low, high) for x, low, high in ends if low is not None and high is not None]
    if len(known) > 1:
        upper = [(x, y(high)) for x, _, high in known]
        lower = [(x, y(low)) for x, low, _ in reversed(known)]
        sheet.add(Area((*upper, *lower), colour, 0.14))


def _ends(estimates: Iterable[Interval], *, intervals: bool = True) -> list[float]:
    """Return everything that an axis must hold."""
    found = ((one.estimate, one.low, one.high) if intervals else (one.estimate,) for one in estimates)
    return [value for values in found for value in values if value is not None]


def heat_maps(study: Study, metric: str) -> Figure:
    """Draw the drop by corruption and severity, one panel per model."""
    drops = (
        severity["robustness"][metric]["drop"]
        for model in study.models
        for variant in study.variants
        for severity in study.entry(model, variant)["severities"]
    )
    largest = max([0.1, *(drop for drop in drops if drop is not None)])
    return Figure(
        "heat-map",
        "Drop by corruption and severity",
        f"Points of {NAMES[metric]} lost against clean (positive: worse under noise), colour from 0 to "
        f"{100 * largest:.0f} points on the same scale for every model. Look for rows of strong colour (weak "
        "spots) and for rows that take colour early. In brackets: the modality is not read by the model.",
        tuple(_heat_map(study, model, metric, largest) for model in study.models),
        legend=False,
    )


def _heat_map(study: Study, model: Model, metric: str, largest: float) -> Drawing:
    left, cell, gap, head = 140.0, 26.0, 6.0, 42.0
    mean_at = left + len(SEVERITIES) * cell + 4
    height = head + ROW * len(study.variants) + gap * len(study.families)
    clean = model.summary["overall"][metric]["clean"]
    label = f"Drop in {NAMES[metric]} of {model.name} by corruption and severity"
    sheet = make_panel(label, model.name, height, note=f"clean {percent(clean)}")
    sheet.add(Text(0, head - 8, "severity", SMALL, "muted"))
    heads = {left + (s - 0.5) * cell: str(s) for s in SEVERITIES} | {mean_at + cell / 2: "mean"}
    sheet.add(*(Text(x, head - 8, name, SMALL, "muted", "middle") for x, name in heads.items()))
    cells = _Cells(largest)
    y, family = head, study.variants[0].family
    for variant in study.variants:
        y, family = y + gap * (variant.family != family), variant.family
        read = model.reads(family)
        name = shortened(variant.name, left - (6 if read else 14), SMALL)
        sheet.add(Text(0, y + 13.5, name if read else f"({name})", SMALL, "ink" if read else "muted"))
        if name != variant.name:
            sheet.add(Tip((0, y, left, ROW), variant.name))
        entry = study.entry(model, variant)
        for severity in entry["severities"]:
            drop = severity["robustness"][metric]["drop"]
            cells.put(left + (severity["severity"] - 1) * cell, y, cell, drop)
        cells.put(mean_at, y, cell, entry["robustness"][metric]["drop"])
        y += ROW
    cells.draw(sheet)
    return sheet


class _Cells:
    """The cells of a heat map, kept by colour so that each colour is written once."""

    def __init__(self, largest: float) -> None:
        self.largest = largest
        self.cells: dict[str, list[tuple[Box, str]]] = defaultdict(list)

    def put(self, x: float, y: float, side: float, drop: float | None) -> None:
        """Place a drop; an undefined one is a dash without colour."""
        label = UNDEFINED if drop is None else f"{100 * drop:z.0f}"
        self.cells[drop_step(drop or 0.0, self.largest)].append(((x, y, side - 2, ROW - 2), label))

    def draw(self, sheet: Drawing) -> None:
        """Draw what was placed."""
        for step, cells in self.cells.items():
            sheet.add(Boxes(tuple(box for box, _ in cells), step))
            for (x, y, width, _), label in cells:
                sheet.add(Text(x + width / 2, y + 13, label, SMALL, text_on(step), "middle"))


def family_overview(study: Study, metric: str) -> Figure:
    """Draw the drop by family and overall with its interval, one row per model."""
    scopes = (OVERALL, *study.families)
    drops = {scope: [study.interval(m, metric, "drop", scope) for m in study.models] for scope in scopes}
    ends = span([0.0, *_ends(one for found in drops.values() for one in found)], within=(-1.0, 1.0))
    return Figure(
        "families",
        "Drop by family of noise",
        f"Points of {NAMES[metric]} lost against clean, a mean over severities, then corruptions (then "
        "families); lines: 95 % confidence interval. Further left is more robust; read it beside the clean "
        "score, for a model that is always wrong loses nothing.",
        tuple(_family_panel(study, metric, scope, found, ends) for scope, found in drops.items()),
        legend=False,
    )


def _family_panel(
    study: Study, metric: str, scope: str, drops: Sequence[Interval], ends: tuple[float, float]
) -> Drawing:
    title = "all families" if scope == OVERALL else scope
    height = 56 + ROW * len(study.models)
    sheet = make_panel(f"Drop in {NAMES[metric]}: {title}", title, height)
    left, right, top, bottom = 108.0, WIDTH - 12, 24.0, height - 32
    x = Scale(*ends, left + 4, right)
    draw_x_axis(sheet, x, top, bottom)
    draw_axis_title(sheet, (left + right) / 2, f"drop in {NAMES[metric]}, points")
    sheet.add(Line(((x(0), top), (x(0), bottom)), "axis", 1.2))
    for i, (model, drop) in enumerate(zip(study.models, drops, strict=True)):
        y = top + ROW * (i + 0.5)
        read = scope == OVERALL or model.reads(scope)
        name = shortened(model.name, left - 10)
        sheet.add(Text(left - 6, y + 3.5, name, FONT_SIZE, "ink" if read else "muted", "end"))
        if not read:
            sheet.add(Text(x(0) + 6, y + 3.5, "not read", SMALL, "muted"))
            continue
        if drop.low is not None and drop.high is not None:
            sheet.add(Line(((x(drop.low), y), (x(drop.high), y)), series(model.slot), 1.8))
        if drop.estimate is not None:
            sheet.add(Dots(((x(drop.estimate), y),), model.slot, series(model.slot), 4))
        sheet.add(
            Tip((0, y - ROW / 2, WIDTH, ROW), f"{model.name}, {title}\ndrop {with_interval(drop)} points")
        )
    return sheet


class _Expected(NamedTuple):
    """The noisy score that a clean one leads to expect: a line, and how it came about."""

    intercept: float
    slope: float
    why: str


def clean_against_noisy(study: Study, metric: str) -> Figure:
    """Draw noisy over clean scores, one point per model.

    With at least `FIT_FROM` models a line is fitted by least squares; with fewer the parallel through the
    first model is drawn (the parallel shift of MultiBench, Liang et al., NeurIPS 2021).
    """
    pairs = [(m, study.interval(m, metric, "clean"), study.interval(m, metric)) for m in study.models]
    low, high = span(_ends(one for _, *pair in pairs for one in pair), within=(0.0, 1.0))
    sheet = make_panel(
        f"Noisy against clean {NAMES[metric]}", f"{NAMES[metric]} under noise, %", 312, WIDTH + 40
    )
    left, right, top, bottom = 36.0, WIDTH + 28, 26.0, 276.0
    x, y = Scale(low, high, left, right), Scale(low, high, bottom, top)
    draw_x_axis(sheet, x, top, bottom)
    draw_y_axis(sheet, y, left, right)
    draw_axis_title(sheet, (left + right) / 2, f"clean {NAMES[metric]}, %")
    sheet.add(Line(((x(low), y(low)), (x(high), y(high))), "axis"))
    expected = _expected(study, pairs)
    if expected is not None:
        sheet.add(_within(expected, (low, high), x, y))
    for model, clean, noisy in pairs:
        if clean.estimate is None or noisy.estimate is None:
            continue
        colour, at = series(model.slot), (x(clean.estimate), y(noisy.estimate))
        if clean.low is not None and clean.high is not None:
            sheet.add(Line(((x(clean.low), at[1]), (x(clean.high), at[1])), colour))
        if noisy.low is not None and noisy.high is not None:
            sheet.add(Line(((at[0], y(noisy.low)), (at[0], y(noisy.high))), colour))
        sheet.add(Dots((at,), model.slot, colour, 5, hollow=model.name in study.unread))
        told = f"{model.name}\nclean {with_interval(clean)}\nnoisy {with_interval(noisy)}"
        sheet.add(Tip((at[0] - 9, at[1] - 9, 18, 18), told))
    dashed = (
        ""
        if expected is None
        else (
            f" Dashed: {expected.why}. A model above it is more robust than its clean score leads to expect "
            "(effective robustness)."
        )
    )
    return Figure(
        "clean-against-noisy",
        "Clean against noisy score",
        f"{NAMES[metric]} in percent, the mean over all corruptions against clean; crosses: 95 % confidence "
        f"intervals. Solid: nothing lost.{dashed}{_OPEN * bool(study.unread)}",
        (sheet,),
        columns=1,
    )


def _expected(study: Study, pairs: Sequence[tuple[Model, Interval, Interval]]) -> _Expected | None:
    """Return the line fitted over comparable models, or else the first model's parallel."""
    known = [
        (clean.estimate, noisy.estimate)
        for model, clean, noisy in pairs
        if clean.estimate is not None and noisy.estimate is not None and model.name not in study.unread
    ]
    if len(known) >= FIT_FROM and np.ptp([clean for clean, _ in known]) > 0:
        x, y = np.array(known).T
        slope, intercept = np.polyfit(x, y, deg=1)
        return _Expected(float(intercept), float(slope), f"the line fitted over {len(known)} models")
    first, clean, noisy = pairs[0]
    if clean.estimate is None or noisy.estimate is None:
        return None
    why = f"the same drop as {first.name} (parallel shift; a line is fitted from {FIT_FROM} models on)"
    return _Expected(noisy.estimate - clean.estimate, 1.0, why)


def _within(line: _Expected, ends: tuple[float, float], x: Scale, y: Scale) -> Line:
    """Return the part of a line that lies within the square of the axes."""
    low, high = ends
    at = [low, high]
    if line.slope:
        at = sorted(min(max((edge - line.intercept) / line.slope, low), high) for edge in ends)
    return Line(tuple((x(c), y(line.intercept + line.slope * c)) for c in at), "muted", 1.4, dashed=True)
