"""Confidence intervals over units, for one model and for the difference of two.

The unit of analysis is what was sampled independently (a speaker, a dialogue), never the utterance or
the cell: every figure is reduced to one contribution per unit, and the interval is Student's over
those. For a mean over units this is the paired t interval; for a pooled figure the contributions are
pseudo-values and it is the cluster jackknife-t (`merbench.statistics.scores.contributions`).

With several training seeds per model, units and seeds are crossed random factors. The variance of a
difference of means is estimated by the two-way random-effects analysis of variance of the
contributions, as for readers and cases by Dorfman, Berbaum & Metz (Investigative Radiology 27, 1992);
negative components count as zero and degrees of freedom are Satterthwaite's (Biometrics Bulletin 2,
1946).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cache
from math import inf, isnan, nan, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

from merbench.errors import MerbenchError
from merbench.statistics.panel import OVERALL
from merbench.statistics.scores import (
    ESTIMANDS,
    QUANTITIES,
    Estimand,
    Quantity,
    contributions,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from merbench.statistics.panel import Model, Panel, Scope
    from merbench.statistics.scores import Floats

LEVEL = 0.95
POWER = 0.8
"""The power at which a smallest detectable difference is stated (Cohen 1988, section 2.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure, how far it can be trusted, and what that rests on.

    `estimate`, `low` and `high` are in units of the metric (0..1), for a difference `model` minus
    `against`. `low` and `high` are ``None`` where nothing can be said (one unit only). The p
    values are of the null hypothesis that the difference is 0, two-sided: `p_t` is Student's,
    `p_permutation` from exchanging the two models within units, `p` the one to quote (the permutation
    for a pooled figure where there is one) and `p_adjusted` that one after Holm's correction. `effect`
    is Cohen's dz: the difference over the standard deviation of the units' contributions.
    """

    model: str
    against: str | None
    metric: str
    quantity: Quantity
    scope: str
    kind: str
    estimand: Estimand
    unit: str
    n_units: int
    n: int
    seeds: tuple[int, ...]
    level: float
    estimate: float | None
    low: float | None
    high: float | None
    standard_error: float | None
    df: float | None
    p: float | None
    p_t: float | None
    p_permutation: float | None
    p_adjusted: float | None
    effect: float | None
    method: str
    assumption: str
    notes: tuple[str, ...]

    @property
    def shown(self) -> bool:
        """Whether a difference is shown: by the adjusted p, else by p, else by an interval without 0."""
        p = self.p if self.p_adjusted is None else self.p_adjusted
        if p is not None:
            return p <= 1 - self.level + 1e-12
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high

    def detectable(self, power: float = POWER) -> float | None:
        """Return the smallest true difference that this comparison would show with this power.

        Solves P(t_nc(df, d / se) > t_crit) = power for d (noncentral Student; one-sided in the
        direction of d, two-sided level).
        """
        if self.standard_error is None or self.df is None:
            return None
        return self.standard_error * _detectable_ratio(self.df, self.level, power)

    def with_permutation(self, p: float, smallest: float) -> Interval:
        """Return the interval with the p of exchanging models within units, and the smallest it could be."""
        notes = self.notes
        if smallest > 1 - self.level:
            notes += (
                f"underpowered: exchanging {self.n_units} {self.unit}s cannot give a p below {smallest:.3g}",
            )
        pooled = self.estimand == "pooled"
        return replace(self, p_permutation=p, p=p if pooled else self.p_t, notes=notes)

    def to_json(self) -> dict[str, Any]:
        """Return every field as plain JSON."""
        return {**asdict(self), "seeds": list(self.seeds), "notes": list(self.notes)}


class Spread(NamedTuple):
    """The estimated variance of a figure and its degrees of freedom."""

    variance: float
    df: float


def single_interval(
    panel: Panel,
    model: int | str,
    *,
    metric: str,
    quantity: Quantity = "noisy",
    scope: str | Scope = OVERALL,
    estimand: Estimand = "pooled",
    level: float = LEVEL,
) -> Interval:
    """Return a model's figure with its interval over new units (and seeds, if it has several).

    Args:
        panel: the runs.
        model: its name or position.
        metric: one of `merbench.evaluation.metrics.SUMMARY_METRICS`.
        quantity: ``clean``, ``noisy``, ``drop`` or ``retention``.
        scope: a name that `Panel.scope` takes, or a scope; without meaning for ``clean``.
        estimand: ``pooled`` or ``unit mean``.
        level: of confidence.

    Raises:
        MerbenchError: there is no such model, metric or scope.
    """
    entry = panel.models[panel.index(model)]
    return _interval(panel, [entry], metric, quantity, _scope(panel, scope, quantity), estimand, level)


def paired_interval(
    panel: Panel,
    a: int | str,
    b: int | str,
    *,
    metric: str,
    quantity: Quantity = "noisy",
    scope: str | Scope = OVERALL,
    estimand: Estimand = "pooled",
    level: float = LEVEL,
    matched: bool = False,
) -> Interval:
    """Return the difference of two models, `a` minus `b`, on the same samples.

    With `matched`, run i of either model grew from one training seed and start: what the seeds share is then
    no part of the difference, and it is seeds' differences that vary. The other arguments are those of
    `single_interval`.

    Raises:
        ValueError: matched models have different numbers of runs.
    """
    pair = [panel.models[panel.index(a)], panel.models[panel.index(b)]]
    if matched and len(pair[0].runs) != len(pair[1].runs):
        raise ValueError(f"{len(pair[0].runs)} and {len(pair[1].runs)} runs do not match one to one")
    return _interval(panel, pair, metric, quantity, _scope(panel, scope, quantity), estimand, level, matched)


def spread(groups: Sequence[Floats], df: float) -> Spread:
    """Return the variance of the mean of the first group, less that of the second, over units and seeds.

    Args:
        groups: one or two tables of contributions [S, U], S training seeds by U units; the columns of
            two groups are the same units.
        df: degrees of freedom of the variance between units (`unit_df`).

    Returns:
        Variance and Satterthwaite's degrees of freedom. With one seed in every group these are the
        paired t-test's. Where nearly all of a part is subtracted again they collapse, far below 1 at times
        (Hillis, Statistics in Medicine 26, 2007); they are never taken below the fewest of any part.
    """
    units = groups[0].shape[1]
    means = [group.mean(0) for group in groups]
    each = means[0] if len(groups) == 1 else means[0] - means[1]
    variance = float(each.var(ddof=1)) / units
    if all(len(group) == 1 for group in groups):
        return Spread(variance, df)
    squares, fewest = variance**2 / df, df
    for group in groups:
        seeds = len(group)
        if seeds == 1:
            continue
        by_seed = group.mean(1, keepdims=True)
        residual = group - by_seed - group.mean(0) + group.mean()
        noise = float((residual**2).sum()) / ((seeds - 1) * (units - 1)) / (seeds * units)
        between = float(by_seed.var(ddof=1)) / seeds
        fewest = min(fewest, seeds - 1.0)
        if between > noise:
            variance += between - noise
            squares += between**2 / (seeds - 1) + noise**2 / ((seeds - 1) * (units - 1))
    return Spread(variance, max(fewest, variance**2 / squares) if squares > 0 else df)


def unit_df(sizes: npt.NDArray[np.integer[Any]], estimand: Estimand) -> float:
    """Return the degrees of freedom of a variance between units with these numbers of samples, [U].

    They are U - 1 for a mean over units. A pooled figure owes more to large units, so that its variance
    is known as from fewer: Bell & McCaffrey's degrees of freedom (Survey Methodology 28, 2002) of the
    jackknife variance of a mean over samples, which are U - 1 where all sizes are equal.
    """
    units, n = len(sizes), sizes.sum()
    if estimand == "unit mean" or units < 2:
        return units - 1.0
    # The variance is sum_u D_u e_u^2, where e_u is the unit's mean less the grand mean, with covariance
    # diag(1 / n_u) - 1 / n, and D_u the squared leverage. So the degrees of freedom are tr(DC)^2 / tr(DCDC).
    leverage = (sizes / (n - sizes)) ** 2
    trace = leverage @ (1 / sizes - 1 / n)
    square = leverage**2 @ (1 / sizes**2 - 2 / (n * sizes)) + (leverage.sum() / n) ** 2
    return float(trace**2 / square)


def _interval(
    panel: Panel,
    models: list[Model],
    metric: str,
    quantity: Quantity,
    scope: Scope | None,
    estimand: Estimand,
    level: float,
    matched: bool = False,
) -> Interval:
    if estimand not in ESTIMANDS or quantity not in QUANTITIES:
        raise ValueError(f"estimand {estimand!r}, quantity {quantity!r}")
    whole, each = contributions(panel.scores(metric), scope, quantity, estimand)
    groups = [each[list(model.runs)] for model in models]
    figures = [float(whole[list(model.runs)].mean()) for model in models]
    estimate = figures[0] - (figures[1] if len(models) == 2 else 0.0)
    low = high = error = df = p = effect = nan
    notes = list(_notes(panel, estimand))
    units = len(panel.units)
    if units > 1:
        tables = [groups[0] - groups[1]] if matched else groups
        variance, df = spread(tables, unit_df(panel.unit_support.sum(1), estimand))
        error = sqrt(variance)
        reach = critical(df, level) * error
        low, high = estimate - reach, estimate + reach
        if len(models) == 2:
            p = p_value(estimate, error, df)
            effect = estimate / (error * sqrt(units)) if error > 0 else (0.0 if estimate == 0 else nan)
        if error <= 1e-12 * max(1.0, abs(estimate)):
            notes.append("no variation between units")
    return Interval(
        model=models[0].name,
        against=models[1].name if len(models) == 2 else None,
        metric=metric,
        quantity=quantity,
        scope="clean" if scope is None else scope.name,
        kind="clean" if scope is None else scope.kind,
        estimand=estimand,
        unit=panel.units.name,
        n_units=units,
        n=len(panel.truth),
        seeds=tuple(len(model.runs) for model in models),
        level=level,
        estimate=_plain(estimate),
        low=_plain(low),
        high=_plain(high),
        standard_error=_plain(error),
        df=_plain(df),
        p=_plain(p),
        p_t=_plain(p),
        p_permutation=None,
        p_adjusted=None,
        effect=_plain(effect),
        method=_method(estimand, models, panel) + ", matched" * matched,
        assumption=_assumption(models, panel),
        notes=tuple(notes),
    )


def p_value(estimate: float, error: float, df: float) -> float:
    """Return Student's two-sided p; a difference that never varies has p 1 if it is 0, else none."""
    from scipy.special import stdtr

    if error <= 1e-12 * max(1.0, abs(estimate)):
        return 1.0 if abs(estimate) <= 1e-12 else nan
    return float(2 * stdtr(df, -abs(estimate) / error))


@cache
def critical(df: float, level: float) -> float:
    """Return Student's two-sided critical value."""
    from scipy.special import stdtrit

    return float(stdtrit(df, (1 + level) / 2)) if df > 0 else inf


@cache
def _detectable_ratio(df: float, level: float, power: float) -> float:
    from scipy.optimize import brentq
    from scipy.special import nctdtr

    cut = critical(df, level)

    def excess(shift: float) -> float:
        # scipy gives NaN for shifts so large that nothing is left below the critical value.
        below = float(nctdtr(df, shift, cut))
        return (1.0 if isnan(below) else 1.0 - below) - power

    return float(brentq(excess, 0.0, 10 * cut + 10))


def _scope(panel: Panel, scope: str | Scope, quantity: Quantity) -> Scope | None:
    if quantity == "clean":
        return None
    return panel.scope(scope) if isinstance(scope, str) else scope


def _notes(panel: Panel, estimand: Estimand) -> list[str]:
    units, notes = panel.units, []
    if len(units) == 1:
        notes.append(f"one {units.name} only: nothing can be said about others")
    if units.loners:
        notes.append(
            "nobody recorded speakers: every sample is a unit, and the interval is too narrow if they repeat"
            if units.loners == len(panel.truth)
            else f"{units.loners} samples have no {units.name} and are units of their own"
        )
    alone = (panel.unit_support > 0).sum(0) == 1
    if estimand == "pooled" and len(units) > 1 and alone.any():
        names = ", ".join(name for name, only in zip(panel.classes, alone, strict=True) if only)
        notes.append(f"only one {units.name} has {names}: the interval does not cover its absence")
    return notes


def _method(estimand: Estimand, models: Sequence[Model], panel: Panel) -> str:
    name = f"t over {panel.units.name} means" if estimand == "unit mean" else "cluster jackknife-t"
    paired = "paired " if len(models) == 2 and estimand == "unit mean" else ""
    crossed = ", crossed with seeds" if any(len(model.runs) > 1 for model in models) else ""
    return paired + name + crossed


def _assumption(models: Sequence[Model], panel: Panel) -> str:
    single = [model.name for model in models if len(model.runs) == 1]
    about = (
        f"about these checkpoints of {' and '.join(single)}" if single else "about the recipes, for new seeds"
    )
    return f"{panel.units.name}s are independent; {about}"


def _plain(value: float) -> float | None:
    return None if isnan(value) else float(value)


def require_units(panel: Panel) -> None:
    """Refuse to compare over a single unit.

    Raises:
        MerbenchError: there is one unit only.
    """
    if len(panel.units) == 1:
        raise MerbenchError(
            f"all {len(panel.truth)} samples are of one {panel.units.name}: nothing can be said about others",
            fix=f"evaluate on several {panel.units.name}s, or choose another --unit",
        )
