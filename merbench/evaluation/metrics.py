"""Single-label classification metrics from confusion matrices.

A confusion matrix here is int64 [..., C, C + 1]: true class by answered class, and a last column for
answers that are no class at all (out of the set, or not to be parsed). Such an answer is wrong for
its true class and false for none. Every function takes any number of leading axes (cells, groups) at
once and returns one figure per matrix, NaN where it is undefined; `to_json` turns NaN to null.

**Absent classes.** An average over classes goes over the classes with at least one true sample; a class
without one has no recall and no F1. A class that has samples and is never answered has recall and F1
0, but no precision: it is left out of the averages of precision. This is scikit-learn's behaviour for
``labels=<classes with a true sample>, zero_division=nan``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Counts = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]

SUMMARY_METRICS = ("uar", "accuracy", "macro_f1", "weighted_f1")
"""The metrics that robustness scores are made of; the first is the default primary one."""

NAMES = {"uar": "UAR", "accuracy": "accuracy", "macro_f1": "macro-F1", "weighted_f1": "weighted F1"}
"""`SUMMARY_METRICS` as the field writes them."""

ECE_BINS = 15  # Guo et al., "On calibration of modern neural networks", ICML 2017, section 5


def confusion_matrix(
    truth: npt.NDArray[np.integer],
    answer: npt.NDArray[np.integer],
    classes: int,
    groups: npt.NDArray[np.integer] | None = None,
    group_count: int = 1,
) -> Counts:
    """Count (true class, answer) pairs in every row of answers.

    Args:
        truth: 0..C-1, [n].
        answer: 0..C, [..., n], where C means "no class".
        classes: C.
        groups: 0..G-1, [n]; gives one matrix per group; negative leaves a sample out.
        group_count: G.

    Returns:
        int64 [..., C, C + 1], or [..., G, C, C + 1] with `groups`.
    """
    lead = answer.shape[:-1]
    cells = int(np.prod(lead, dtype=np.int64))
    cell = np.arange(cells, dtype=np.int64)[:, None]
    group = np.zeros_like(truth) if groups is None else groups
    kept = group >= 0
    index = ((cell * group_count + group[kept]) * classes + truth[kept]) * (classes + 1)
    index = index + answer.reshape(cells, answer.shape[-1])[:, kept]
    counts = np.bincount(index.ravel(), minlength=cells * group_count * classes * (classes + 1))
    shape = (*lead, classes, classes + 1) if groups is None else (*lead, group_count, classes, classes + 1)
    return counts.astype(np.int64).reshape(shape)


def accuracy(confusion: Counts) -> Floats:
    """Return the share of right answers; also known as WAR and as weighted recall."""
    return _ratio(_hits(confusion).sum(-1), confusion.sum((-2, -1)))


def recall(confusion: Counts) -> Floats:
    """Return the recall of every class, [..., C]."""
    return _ratio(_hits(confusion), confusion.sum(-1))


def precision(confusion: Counts) -> Floats:
    """Return the precision of every class with a true sample, [..., C]."""
    answered = confusion[..., :-1].sum(-2)
    return np.where(confusion.sum(-1) > 0, _ratio(_hits(confusion), answered), np.nan)


def f1(confusion: Counts) -> Floats:
    """Return 2TP / (2TP + FP + FN) of every class with a true sample, [..., C]."""
    support, answered = confusion.sum(-1), confusion[..., :-1].sum(-2)
    return np.where(support > 0, _ratio(2 * _hits(confusion), support + answered), np.nan)


def macro(per_class: Floats) -> Floats:
    """Return the plain mean over the classes where the figure is defined."""
    return weighted(per_class, np.ones_like(per_class))


def weighted(per_class: Floats, support: npt.NDArray[Any]) -> Floats:
    """Return the mean over the classes where the figure is defined, weighted by their true samples."""
    defined = ~np.isnan(per_class)
    total = np.where(defined, per_class * support, 0.0).sum(-1)
    return _ratio(total, np.where(defined, support, 0).sum(-1))


def uar(confusion: Counts) -> Floats:
    """Return the unweighted average recall; also known as macro recall and balanced accuracy."""
    return macro(recall(confusion))


def scalars(confusion: Counts) -> dict[str, Floats]:
    """Return every averaged metric, each [...]."""
    support = confusion.sum(-1)
    return {
        "accuracy": accuracy(confusion),
        "uar": uar(confusion),
        "macro_precision": macro(precision(confusion)),
        "weighted_precision": weighted(precision(confusion), support),
        "macro_f1": macro(f1(confusion)),
        "weighted_f1": weighted(f1(confusion), support),
    }


def per_class(confusion: Counts, classes: Sequence[str]) -> dict[str, dict[str, float | int | None]]:
    """Return support, precision, recall and F1 by class of one matrix [C, C + 1]."""
    columns = (confusion.sum(-1), precision(confusion), recall(confusion), f1(confusion))
    return {
        name: {"n": int(n), "precision": to_json(p), "recall": to_json(r), "f1": to_json(f)}
        for name, n, p, r, f in zip(classes, *columns, strict=True)
    }


def expected_calibration_error(
    confidence: npt.NDArray[np.floating], right: npt.NDArray[np.bool_], bins: int = ECE_BINS
) -> float | None:
    """Return the mean gap between confidence and accuracy over equal-width bins (Guo et al. 2017).

    Args:
        confidence: probability given to the answer, 0..1, [n]; NaN where there is none (a text
            answer, or an answer out of the set): such rows are left out.
        right: whether the answer was right, [n].
        bins: the m-th bin is ((m - 1) / bins, m / bins]; 0 belongs to the first.

    Returns:
        A value in 0..1, ``None`` when no row has a confidence.
    """
    known = ~np.isnan(confidence)
    if not known.any():
        return None
    given = confidence[known].astype(np.float64)
    index = np.clip(np.ceil(given * bins).astype(np.int64) - 1, 0, bins - 1)
    gap = np.bincount(index, weights=given - right[known], minlength=bins)
    return float(np.abs(gap).sum() / known.sum())


def to_json(value: float | np.floating) -> float | None:
    """Return a plain number, ``None`` for NaN: undefined is null, never 0."""
    return None if np.isnan(value) else float(value)


def _hits(confusion: Counts) -> Counts:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _ratio(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> Floats:
    """Divide, giving NaN where there is nothing to divide by."""
    out = np.full(np.broadcast_shapes(np.shape(part), np.shape(whole)), np.nan)
    np.divide(part, whole, out=out, where=np.asarray(whole) > 0)
    return out
