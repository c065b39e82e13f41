"""Metrics of what a dataset asks beside the label: numbers, several labels at once, distributions.

The truth is [n, T] and the values of K cells are [K, n, T], of n samples and T targets. A figure is NaN where
it is undefined: a correlation with a constant, or anything where one of the values is missing (NaN). So
nothing is averaged over what a model happens to answer, neither samples nor targets. Only a label that no
sample has is left out of the means over labels, as in `merbench.evaluation.metrics`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from merbench.evaluation import metrics
from merbench.targets import PRESENT

if TYPE_CHECKING:
    import numpy.typing as npt

    from merbench.targets import Task

    Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as the field writes it; of an error, less is better."""

    title: str
    is_error: bool = False


METRICS = {
    "mae": Metric("MAE", is_error=True),
    "mse": Metric("MSE", is_error=True),
    "pearson": Metric("Corr"),
    "ccc": Metric("CCC"),
    "acc2": Metric("Acc-2"),
    "f1": Metric("F1-2"),
    "acc2_nonzero": Metric("Acc-2*"),
    "f1_nonzero": Metric("F1-2*"),
    "acc5": Metric("Acc-5"),
    "acc7": Metric("Acc-7"),
    "mer2023_score": Metric("MER2023"),
    "multilabel_f1": Metric("F1-ml"),
    "multilabel_micro_f1": Metric("micro-F1-ml"),
    "weighted_accuracy": Metric("WA"),
    "map": Metric("mAP"),
    "js_divergence": Metric("JS", is_error=True),
    "cosine": Metric("cosine"),
}
"""Every metric of targets, by its name in a result; * is over the samples whose truth is not 0."""

_MER2023_WEIGHT = 0.25  # of the squared error of valence (Lian et al., ACM MM 2023)


def metrics_of(task: Task | None) -> tuple[str, ...]:
    """Return the names of a task's metrics, the primary one first; none without a task."""
    if task is None:
        return ()
    if task.kind == "multi-label":
        return "multilabel_f1", "multilabel_micro_f1", "map", "weighted_accuracy"
    if task.kind == "soft":
        return "js_divergence", "cosine"
    steps = tuple(name for name in (f"acc{len(task.steps)}",) if name in METRICS)
    if task.is_signed:
        return ("mae", "pearson", "acc2", "f1", *steps, "acc2_nonzero", "f1_nonzero", "ccc", "mse")
    plain = ("ccc", "pearson", "mae", "mse")
    return ("mer2023_score", *plain) if _asks_both(task) else (*plain, *steps)


def _asks_both(task: Task) -> bool:
    """Tell whether a label and one number are asked apart, as in MER2023."""
    return task.kind == "dimensional" and not task.names_labels and len(task.targets) == 1


def by_target(task: Task, truth: Floats, values: Floats) -> dict[str, Floats]:
    """Return the metrics that each target has of its own, [K, T]; of a ``soft`` task none."""
    if task.kind == "dimensional":
        found = {
            "mae": np.abs(values - truth).mean(axis=-2),
            "mse": ((values - truth) ** 2).mean(axis=-2),
            "pearson": pearson(truth, values),
            "ccc": concordance(truth, values),
        }
    elif task.kind == "multi-label":
        counts = presence_counts(truth, values)
        found = {
            "f1": f1_of_presence(counts),
            "weighted_accuracy": weighted_accuracy(counts),
            "average_precision": average_precision(truth, values),
        }
    else:
        found = {}
    missing = np.isnan(values).any(axis=-2)
    return {name: np.where(missing, np.nan, figure) for name, figure in found.items()}


def scalars(task: Task, truth: Floats, values: Floats, weighted_f1: Floats) -> dict[str, Floats]:
    """Return every metric of `metrics_of`, each [K].

    Args:
        task: what was asked.
        truth: the targets [n, T].
        values: the model's [K, n, T], NaN where it has none.
        weighted_f1: of the labels [K], for ``mer2023_score``.
    """
    each = by_target(task, truth, values)
    if task.kind == "dimensional":
        found = {name: figure.mean(axis=-1) for name, figure in each.items()}
        if task.is_signed:
            found |= signed(truth[:, 0], values[..., 0])
        if task.steps:
            found[f"acc{len(task.steps)}"] = _share(_steps(task, values) == _steps(task, truth))
        if _asks_both(task):
            found["mer2023_score"] = weighted_f1 - _MER2023_WEIGHT * found["mse"]
    elif task.kind == "multi-label":
        found = {
            "multilabel_f1": metrics.macro(each["f1"]),
            "multilabel_micro_f1": f1_of_presence(presence_counts(truth, values).sum(axis=-2)),
            "map": metrics.macro(each["average_precision"]),
            "weighted_accuracy": metrics.macro(each["weighted_accuracy"]),
        }
    else:
        found = {
            "js_divergence": js_divergence(truth, values).mean(axis=-1),
            "cosine": cosine(truth, values).mean(axis=-1),
        }
    missing = np.isnan(values).any(axis=(-2, -1))
    return {name: np.where(missing, np.nan, found[name]) for name in metrics_of(task)}


def pearson(truth: Floats, values: Floats) -> Floats:
    """Return Pearson's r, [..., T]; NaN where either side is constant."""
    cov, var_t, var_v, _ = _moments(truth, values)
    scale = np.sqrt(var_t * var_v)
    out = np.full(cov.shape, np.nan)
    np.divide(cov, scale, out=out, where=scale > 0)
    return np.asarray(np.clip(out, -1.0, 1.0))


def concordance(truth: Floats, values: Floats) -> Floats:
    """Return Lin's concordance correlation coefficient, [..., T]; NaN where both sides are one constant.

    2 cov / (var + var + (difference of the means)^2), all moments over n: L. I.-K. Lin, "A concordance
    correlation coefficient to evaluate reproducibility", Biometrics 45(1), 1989.
    """
    cov, var_t, var_v, gap = _moments(truth, values)
    whole = var_t + var_v + gap**2
    out = np.full(cov.shape, np.nan)
    np.divide(2 * cov, whole, out=out, where=whole > 0)
    return out


def _moments(truth: Floats, values: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return covariance, both variances and the difference of the means, [..., T]; 0 of what is constant."""
    mean_t, mean_v = truth.mean(axis=-2, keepdims=True), values.mean(axis=-2, keepdims=True)
    off_t = np.where(np.ptp(truth, axis=-2, keepdims=True) > 0, truth - mean_t, 0.0)
    off_v = np.where(np.ptp(values, axis=-2, keepdims=True) > 0, values - mean_v, 0.0)
    moments = (off_t * off_v, off_t**2 + 0 * off_v, off_v**2)
    cov, var_t, var_v = (moment.mean(axis=-2) for moment in moments)
    return cov, var_t, var_v, (mean_v - mean_t)[..., 0, :]


def signed(truth: Floats, values: Floats) -> dict[str, Floats]:
    """Return accuracy and F1 of the sign in both conventions of the sentiment literature, [...].

    ``acc2`` and ``f1``: negative against not negative, over all samples. ``acc2_nonzero`` and
    ``f1_nonzero``: negative against positive, over the samples whose truth is not 0; a value of exactly 0
    counts as negative there. F1 is weighted by the true samples of both classes.

    Args:
        truth: [n].
        values: [..., n].
    """
    felt = truth != 0
    found = {}
    for suffix, kept, true, told in (
        ("", slice(None), truth >= 0, values >= 0),
        ("_nonzero", felt, truth > 0, values > 0),
    ):
        answers = told[..., kept].astype(np.int64)
        confusion = metrics.confusion_matrix(true[kept].astype(np.int64), answers, 2)
        found[f"acc2{suffix}"] = metrics.accuracy(confusion)
        found[f"f1{suffix}"] = metrics.weighted(metrics.f1(confusion), confusion.sum(-1))
    return found


def _steps(task: Task, values: Floats) -> npt.NDArray[np.int64]:
    """Return the step of the first target, [..., n]; whoever asks knows that nothing is missing."""
    return task.step(np.nan_to_num(values[..., 0]))


def _share(right: npt.NDArray[np.bool_]) -> Floats:
    return np.asarray(right.mean(axis=-1))


def presence_counts(truth: Floats, values: Floats) -> npt.NDArray[np.int64]:
    """Return true positives, false positives, false and true negatives of every label, [..., T, 4]."""
    there, told = truth > 0, values >= PRESENT
    pairs = (there & told, ~there & told, there & ~told, ~there & ~told)
    return np.stack([pair.sum(axis=-2) for pair in pairs], axis=-1)


def f1_of_presence(counts: npt.NDArray[np.int64]) -> Floats:
    """Return 2TP / (2TP + FP + FN), [...]; NaN where no sample has the label."""
    tp, fp, fn, _ = np.moveaxis(counts, -1, 0)
    out = np.full(tp.shape, np.nan)
    np.divide(2 * tp, 2 * tp + fp + fn, out=out, where=tp + fn > 0)
    return out


def weighted_accuracy(counts: npt.NDArray[np.int64]) -> Floats:
    """Return the mean of the shares of samples with and without the label that are told right, [...].

    It is what CMU-MOSEI reports per emotion, and balanced accuracy by another name. NaN where all samples
    have the label or none has.
    """
    tp, fp, fn, tn = np.moveaxis(counts, -1, 0)
    out = np.full(tp.shape, np.nan)
    both = (tp + fn > 0) & (tn + fp > 0)
    np.divide(tp * (tn + fp) + tn * (tp + fn), 2 * (tp + fn) * (tn + fp), out=out, where=both)
    return out


def average_precision(truth: Floats, values: Floats) -> Floats:
    """Return the sum over thresholds of precision times the gain in recall, [..., T].

    This is scikit-learn's ``average_precision_score``: no interpolation, and samples of one value enter
    together. NaN where no sample has the label.
    """
    lead, (n, labels) = values.shape[:-2], truth.shape
    ranked = np.moveaxis(values, -1, -2).reshape(-1, n)
    truths = np.broadcast_to(truth.T > 0, (len(ranked) // labels, labels, n)).reshape(-1, n)
    found = [_average_precision(t, v) for t, v in zip(truths, ranked, strict=True)]
    return np.array(found).reshape(*lead, labels)


def _average_precision(truth: npt.NDArray[np.bool_], values: Floats) -> float:
    order = np.argsort(-values, kind="stable")
    hits = np.cumsum(truth[order])
    if not hits.size or hits[-1] == 0:
        return float("nan")
    last = np.append(np.flatnonzero(np.diff(values[order])), len(order) - 1)  # of each threshold
    precision = hits[last] / (last + 1)
    return float((np.diff(hits[last], prepend=0) * precision).sum() / hits[-1])


def js_divergence(truth: Floats, values: Floats) -> Floats:
    """Return the Jensen-Shannon divergence of every sample in bits, 0..1, [..., n].

    J. Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on Information Theory
    37(1), 1991. What a model gives to answers out of the set is a share of its own, which the truth lacks.
    """
    told = np.append(values, np.maximum(0.0, 1 - values.sum(axis=-1, keepdims=True)), axis=-1)
    true = np.append(truth, np.zeros_like(truth[:, :1]), axis=-1)
    middle = (told + true) / 2
    return np.clip((_relative_entropy(true, middle) + _relative_entropy(told, middle)) / 2, 0.0, 1.0)


def _relative_entropy(shares: Floats, reference: Floats) -> Floats:
    ratio = np.ones(np.broadcast_shapes(shares.shape, reference.shape))
    np.divide(shares, reference, out=ratio, where=shares > 0)
    return np.asarray((shares * np.log2(ratio)).sum(axis=-1))


def cosine(truth: Floats, values: Floats) -> Floats:
    """Return the cosine of the angle between both distributions of every sample, 0..1, [..., n]."""
    scale = np.linalg.norm(truth, axis=-1) * np.linalg.norm(values, axis=-1)
    out = np.full(scale.shape, np.nan)
    np.divide((truth * values).sum(axis=-1), scale, out=out, where=scale > 0)
    return out
