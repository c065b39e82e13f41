"""A metric of every run in every cell: over all units, within each unit, and without each unit.

The metrics here need only three margins of a confusion matrix by class: `hits` (right answers),
`answered` (answers that name the class) and `support` (true samples). So a cell costs 3 C numbers
instead of C (C + 1), and thousands of resamples are one matrix product. The definitions are those of
`merbench.evaluation.metrics`, absent classes included.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from merbench.errors import MerbenchError
from merbench.evaluation.metrics import SUMMARY_METRICS
from merbench.evaluation.target_metrics import METRICS

if TYPE_CHECKING:
    import numpy.typing as npt

    from merbench.statistics.panel import Panel, Scope

Floats: TypeAlias = "npt.NDArray[np.floating[Any]]"

Estimand = Literal["pooled", "unit mean"]
ESTIMANDS: tuple[Estimand, ...] = get_args(Estimand)

Quantity = Literal["clean", "noisy", "drop", "retention"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)

_BLOCK = 4_000_000
"""Numbers per array that are held at once: 32 MB."""


def score(metric: str, hits: Floats, answered: Floats, support: Floats) -> Floats:
    """Return a metric, [...], from margins that broadcast to [..., C]; NaN over no samples.

    Args:
        metric: one of `SUMMARY_METRICS`.
        hits: right answers by class.
        answered: answers by class, right or wrong.
        support: true samples by class; a class without one has no part in a mean.
    """
    weight = class_weights(metric, support)
    whole = support + answered if "f1" in metric else support
    part = 2 * hits if "f1" in metric else hits
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(support > 0, part / whole, 0.0)
    return np.asarray((each * weight).sum(-1))


def class_weights(metric: str, support: Floats) -> Floats:
    """Return the weight of every class in the metric's mean over classes, [..., C]; NaN over no samples."""
    there = (support > 0) if metric in ("uar", "macro_f1") else support
    with np.errstate(invalid="ignore"):
        return np.asarray(there / there.sum(-1, keepdims=True))


@dataclass(frozen=True, eq=False)
class Scores:
    """One metric of R runs in K cells over U units."""

    panel: Panel
    metric: str

    def __post_init__(self) -> None:
        if self.metric not in SUMMARY_METRICS:
            untested = f"'{self.metric}' is of values, and only metrics of labels are tested so far"
            raise MerbenchError(
                untested if self.metric in METRICS else f"there is no metric '{self.metric}'",
                fix=f"choose one of {', '.join(SUMMARY_METRICS)}",
            )

    @cached_property
    def whole(self) -> Floats:
        """The metric over all samples, [R, K]."""
        return self._tables[0]

    @cached_property
    def within(self) -> Floats:
        """The metric within each unit, over the classes that the unit has, [R, K, U]."""
        return self._tables[1]

    @cached_property
    def without(self) -> Floats:
        """The metric over all samples but those of one unit, [R, K, U]; NaN where nothing is left."""
        return self._tables[2]

    @cached_property
    def _tables(self) -> tuple[Floats, ...]:
        panel, support = self.panel, self.panel.unit_support.astype(np.float64)
        total = support.sum(0)
        runs, cells, _ = panel.answer.shape
        whole = np.empty((runs, cells))
        within, without = np.empty((2, runs, cells, len(panel.units)))
        step = max(1, _BLOCK // support.size)
        for run in range(runs):
            for start in range(0, cells, step):
                here = slice(start, start + step)
                hits, answered = margins(panel, run, here)
                sums = hits.sum(1), answered.sum(1)
                whole[run, here] = score(self.metric, *sums, total)
                within[run, here] = score(self.metric, hits, answered, support)
                without[run, here] = score(
                    self.metric, sums[0][:, None] - hits, sums[1][:, None] - answered, total - support
                )
        return whole, within, without


def margins(panel: Panel, run: int, cells: slice | npt.NDArray[np.integer[Any]]) -> tuple[Floats, Floats]:
    """Return hits and answers of a run by cell, unit and class, both [K', U, C]."""
    classes, units = len(panel.classes), len(panel.units)
    answer = panel.answer[run, cells]
    base = np.arange(len(answer))[:, None] * units + panel.units.code
    named = answer < classes
    shape = (len(answer), units, classes)
    size = len(answer) * units * classes
    answered = np.bincount((base * classes + answer)[named], minlength=size)
    right = answer == panel.truth
    hits = np.bincount((base * classes + panel.truth)[right], minlength=size)
    return hits.reshape(shape).astype(np.float64), answered.reshape(shape).astype(np.float64)


def quantity_of(values: Floats, clean: int, scope: Scope | None, quantity: Quantity) -> Floats:
    """Return a quantity from a metric by run and cell.

    Args:
        values: the metric, [R, K] or [R, K, U].
        clean: the index of the clean cell.
        scope: what to average over; needed unless the quantity is ``clean``.
        quantity: ``clean``, ``noisy`` (the mean over the scope), ``drop`` (clean - noisy) or
            ``retention`` (noisy / clean).

    Returns:
        [R] or [R, U]; a retention of nothing is NaN.
    """
    if quantity == "clean":
        return values[:, clean]
    if scope is None:
        raise ValueError(f"a {quantity} score needs a scope")
    # No matrix product: in which order it adds depends on the processor.
    shaped = scope.weights.reshape(-1, *[1] * (values.ndim - 2))
    noisy: Floats = (values[:, list(scope.cells)] * shaped).sum(axis=1)
    if quantity == "noisy":
        return noisy
    if quantity == "drop":
        return values[:, clean] - noisy
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = noisy / values[:, clean]
    return np.where(values[:, clean] > 0, kept, np.nan)


def contributions(
    scores: Scores, scope: Scope | None, quantity: Quantity, estimand: Estimand
) -> tuple[Floats, Floats]:
    """Return a quantity of every run, and what each unit contributes to it.

    A ``unit mean`` is the mean of its contributions, the units' own figures. The contributions to a
    ``pooled`` figure T are its jackknife pseudo-values U T - (U - 1) T_without_u (Tukey 1958), whose
    standard error is that of the cluster jackknife.

    Returns:
        The figures [R] and the contributions [R, U].
    """
    clean, units = scores.panel.clean, len(scores.panel.units)
    if estimand == "unit mean":
        if quantity == "retention":
            raise MerbenchError(
                "retention has no mean over units (a unit with a clean score of 0 has none)",
                fix="take the pooled estimand",
            )
        each = quantity_of(scores.within, clean, scope, quantity)
        return each.mean(-1), each
    whole = quantity_of(scores.whole, clean, scope, quantity)
    if units == 1:
        return whole, whole[:, None]
    return whole, units * whole[:, None] - (units - 1) * quantity_of(scores.without, clean, scope, quantity)
