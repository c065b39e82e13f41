"""Figures of answers: what is taken for what, whom noise hits, whether confidence can be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from merbench.evaluation.metrics import ECE_BINS, scalars
from merbench.report._axes import Scale, draw_x_axis, draw_y_axis, span
from merbench.report._drawing import FONT_SIZE, Boxes, Dots, Drawing, Line, Text, Tip, shortened
from merbench.report._figure import SMALL, WIDTH, Figure, draw_axis_title, make_panel
from merbench.report._palette import series, share_step, text_on
from merbench.report._reliability import FEW, reliability
from merbench.report._words import UNDEFINED, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from merbench.report._reliability import Reliability
    from merbench.report._study import Model, Study

_LINE = 18.0  # from one group to the next


def worst_cell(study: Study, metric: str) -> int:
    """Return the cell of the panel in which the models score least on average."""
    found = scalars(study.confusion)[metric].mean(axis=0)
    return min((k for k in range(len(found)) if k != study.panel.clean), key=lambda k: float(found[k]))


def confusions(study: Study, cell: int) -> Figure:
    """Draw two confusion matrices per model: clean, and one cell of the panel."""
    cells = (study.panel.clean, cell)
    return Figure(
        "confusions",
        "Confusions",
        "Rows: true class with its number of samples; columns: answered class, in percent of the row; the "
        "last column holds answers that are no class (out of the set, or not to be parsed). Look for columns "
        "that fill up under noise: the classes into which a model flees.",
        tuple(_confusion(study, model, k) for model in study.models for k in cells),
        columns=2,
        legend=False,
    )


def _confusion(study: Study, model: Model, k: int) -> Drawing:
    counts = study.confusion[model.slot, k]
    answers = [*study.classes, "none"]
    left, top = 84.0, 52.0
    side = max(24.0, (WIDTH - left) / len(answers))
    title = f"{model.name}: {study.cell_titles[k]}"
    height = top + side * len(study.classes) + 6
    sheet = make_panel(f"Confusions of {title}", title, height, left + side * len(answers))
    for j, name in enumerate(answers):
        # Neighbouring names stand on two levels, so that each has the room of two columns.
        level, shown = (34 if j % 2 else 46), shortened(name, 2 * side - 4, SMALL)
        sheet.add(Text(left + (j + 0.5) * side, level, shown, SMALL, "muted", "middle"))
    totals = counts.sum(axis=1).tolist()
    for i, (name, n) in enumerate(zip(study.classes, totals, strict=True)):
        shown = shortened(f"{name} ({n})", left - 6, SMALL)
        sheet.add(Text(left - 5, top + (i + 0.5) * side + 3.5, shown, SMALL, "ink", "end"))
    # The page's script fills the cells anew for another corruption: they come last, row by row.
    for (i, j), count in np.ndenumerate(counts):
        x, y, n = left + j * side, top + i * side, totals[i]
        step = share_step(count / n if n else 0.0)
        shown = f"{100 * count / n:.0f}" if n else UNDEFINED
        sheet.add(
            Boxes(((x, y, side - 1, side - 1),), step),
            Text(x + side / 2 - 0.5, y + side / 2 + 3, shown, SMALL, text_on(step), "middle"),
            Tip((x, y, side, side), f"{study.classes[i]} answered as {answers[j]}: {count} of {n}"),
        )
    return sheet


def recalls(study: Study, group: str) -> Figure:
    """Draw clean and noisy recall by class, or UAR by a group of samples, one panel per model."""
    names, sizes, clean, noisy = study.group_scores(group)
    what = "Recall" if group == "class" else "UAR"
    scores = np.stack([clean, noisy])
    ends = span(scores[~np.isnan(scores)].tolist(), within=(0.0, 1.0))
    groups = list(zip(names, sizes, strict=True))
    return Figure(
        f"recall-by-{group}",
        f"{what} by {group}",
        f"{what} by {group} in percent, clean (open) and under noise (filled; a mean over severities, then "
        "corruptions, then families), with the number of samples. Look for long lines: whom the noise hits; "
        "and for the spread between rows: robustness must not be bought from one group.",
        tuple(
            _recall_panel(model, f"{what} by {group}", groups, scores[:, model.slot].T.tolist(), ends)
            for model in study.models
        ),
        legend=False,
    )


def _recall_panel(
    model: Model,
    what: str,
    groups: Sequence[tuple[str, int]],
    scores: Sequence[tuple[float, float]],
    ends: tuple[float, float],
) -> Drawing:
    height = 56 + _LINE * len(groups)
    sheet = make_panel(f"{what} of {model.name}", model.name, height)
    left, right, top, bottom = 96.0, WIDTH - 12, 24.0, height - 32
    x, colour = Scale(*ends, left + 4, right), series(model.slot)
    draw_x_axis(sheet, x, top, bottom)
    draw_axis_title(sheet, (left + right) / 2, f"{what}, %")
    for i, ((group, n), (clean, noisy)) in enumerate(zip(groups, scores, strict=True)):
        y = top + _LINE * (i + 0.5)
        name = shortened(f"{group} ({n})", left - 8, SMALL)
        sheet.add(Text(left - 6, y + 3.5, name, SMALL, "ink", "end"))
        known = [score for score in (clean, noisy) if not np.isnan(score)]
        sheet.add(Line(tuple((x(score), y) for score in known), colour, 1.6))
        if not np.isnan(clean):
            sheet.add(Dots(((x(clean), y),), 0, colour, 3.4, hollow=True))
        if not np.isnan(noisy):
            sheet.add(Dots(((x(noisy), y),), 0, colour, 4))
        told = f"{model.name}, {group} (n = {n})\nclean {percent(clean)}, noisy {percent(noisy)}"
        sheet.add(Tip((0, y - _LINE / 2, WIDTH, _LINE), told))
    return sheet


def reliability_diagrams(study: Study) -> Figure:
    """Draw accuracy over confidence, clean and under noise, one panel per model."""
    return Figure(
        "calibration",
        "Calibration",
        f"Accuracy over the confidence of the answer in {ECE_BINS} equal bins, in percent: clean (open, "
        "dashed) and all corrupted cells pooled (filled); bars: how noisy answers spread; bins of less than "
        f"{FEW} answers have no point. Below the diagonal the model is more certain than right. ECE is "
        "the mean gap in points, over all answers.",
        tuple(_reliability_panel(model, reliability(study.panel, model.slot)) for model in study.models),
        legend=False,
    )


def _reliability_panel(model: Model, pair: tuple[Reliability, Reliability] | None) -> Drawing:
    label = f"Reliability diagram of {model.name}"
    if pair is None:
        sheet = make_panel(label, model.name, 60)
        sheet.add(Text(0, 40, "not applicable: it answers without probabilities", FONT_SIZE, "muted"))
        return sheet
    clean, noisy = pair
    sheet = make_panel(
        label, model.name, 266, note=f"ECE clean {percent(clean.ece)}, noisy {percent(noisy.ece)}"
    )
    left, right, top, bottom, floor = 34.0, WIDTH - 10, 26.0, 186.0, 232.0
    x, y = Scale(0, 1, left, right), Scale(0, 1, bottom, top)
    draw_y_axis(sheet, y, left, right)
    draw_x_axis(sheet, x, top, floor)
    draw_axis_title(sheet, (left + right) / 2, "confidence, %")
    sheet.add(Line(((x(0), y(0)), (x(1), y(1))), "axis"))
    for curve, hollow in ((clean, True), (noisy, False)):
        points = zip(curve.confidence.tolist(), curve.accuracy.tolist(), strict=True)
        at = tuple((x(sure), y(right)) for sure, right in points if not np.isnan(right))
        sheet.add(Line(at, series(model.slot), 1.6, dashed=hollow))
        sheet.add(Dots(at, 0, series(model.slot), 3, hollow=hollow))
    bars = Scale(0, float(noisy.share.max()) or 1.0, 0, floor - bottom - 14)
    width = (right - left) / ECE_BINS
    heights = enumerate(map(bars, noisy.share.tolist()))
    boxes = ((left + b * width + 0.5, floor - height, width - 1, height) for b, height in heights if height)
    sheet.add(Boxes(tuple(boxes), "axis"))
    return sheet
