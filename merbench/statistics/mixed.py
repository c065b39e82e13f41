"""Regression on request: GEE and a linear mixed model, both from statsmodels.

They answer for right answers (accuracy), which are a mean; for macro-F1 and UAR see
`merbench.statistics.intervals`. Answers are averaged by unit, model and corruption first, so that a run
of two million rows becomes a few thousand: all that is modelled varies by these three.
"""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from math import exp
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from merbench.errors import MerbenchError
from merbench.statistics.intervals import LEVEL, critical, p_value
from merbench.statistics.scores import margins

if TYPE_CHECKING:
    from collections.abc import Sequence

    from merbench.statistics.panel import Panel, Scope

Kind = Literal["gee", "mixed"]
KINDS: tuple[Kind, ...] = get_args(Kind)
FEWEST_UNITS = 8
"""Sandwich variances need units: below this even their small-sample correction is not to be trusted."""

_NO_ERROR = 1e-6  # a standard error below this is what rounding makes of 0


@dataclass(frozen=True, slots=True)
class Term:
    """One coefficient: a log odds (GEE, with `odds_ratio`) or a difference in accuracy (mixed model)."""

    name: str
    estimate: float
    low: float
    high: float
    p: float
    odds_ratio: float | None


@dataclass(frozen=True, slots=True)
class Regression:
    """A fitted regression of right answers on model, corruption and their interaction."""

    kind: Kind
    terms: tuple[Term, ...]
    unit: str
    n_units: int
    n: int
    method: str
    assumption: str

    def to_json(self) -> dict[str, Any]:
        """Return every field as plain JSON."""
        return asdict(self)


def regress(
    panel: Panel, kind: Kind, models: Sequence[int], corruptions: Sequence[Scope], level: float = LEVEL
) -> Regression:
    """Fit right answers on model x corruption, clustered by unit.

    The first model and the clean cell are the reference levels. ``gee`` is a binomial GEE (Liang &
    Zeger, Biometrika 73, 1986), exchangeable within units, with Mancl & DeRouen's bias-reduced variance
    (Biometrics 57, 2001) and t with U - 1 degrees of freedom; ``mixed`` is a linear mixed model of unit
    accuracies with a random intercept by unit.

    Raises:
        MerbenchError: there are fewer than `FEWEST_UNITS` units, or the fit does not converge.
    """
    units = len(panel.units)
    if units < FEWEST_UNITS:
        raise MerbenchError(
            f"a regression clustered by {units} {panel.units.name}s is refused",
            fix=f"evaluate on at least {FEWEST_UNITS}",
        )
    groups = {"clean": [panel.clean]} | {scope.name: list(scope.cells) for scope in corruptions}
    names = [panel.models[m].name for m in models]
    support = panel.unit_support.sum(1)
    blocks = []
    for m in models:
        runs = panel.models[m].runs
        hits = np.mean([margins(panel, run, slice(None))[0].sum(-1) for run in runs], axis=0)  # [K, U]
        blocks.append([hits[cells].mean(0) / support for cells in groups.values()])
    shares = np.array(blocks)  # [M, 1 + J, U]
    columns, design = _design(names, list(groups))
    endog = shares.transpose(2, 0, 1).reshape(-1)
    exog = np.tile(design, (units, 1))
    who = np.repeat(np.arange(units), len(design))
    trials = np.repeat(support, len(design)).astype(float)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # what they warn of is refused below
        fitted = _gee(endog, exog, who, trials) if kind == "gee" else _mixed(endog, exog, who)
    if fitted is None or not (np.isfinite(fitted[1]) & (fitted[1] > _NO_ERROR)).all():
        raise MerbenchError(
            f"the {kind} regression has no solution here (a model that answers alike everywhere, or too few "
            "samples)",
            fix="compare without --regression",
        )
    estimates, errors = fitted
    reach = critical(units - 1.0, level)
    return Regression(
        kind=kind,
        terms=tuple(
            Term(
                name,
                float(b),
                float(b - reach * se),
                float(b + reach * se),
                p_value(float(b), float(se), units - 1.0),
                exp(b) if kind == "gee" else None,
            )
            for name, b, se in zip(columns, estimates, errors, strict=True)
        ),
        unit=panel.units.name,
        n_units=units,
        n=len(panel.truth),
        method="binomial GEE, exchangeable, bias-reduced variance"
        if kind == "gee"
        else "linear mixed model, random intercept by unit, REML",
        assumption=f"{panel.units.name}s are independent; about these checkpoints",
    )


def _design(models: Sequence[str], corruptions: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Return column names and the treatment-coded design [M * (1 + J), columns]."""
    columns, parts = ["intercept"], [np.ones((len(models), len(corruptions)))]
    for i, model in enumerate(models[1:], 1):
        columns.append(model)
        parts.append(np.eye(len(models))[i][:, None] * np.ones(len(corruptions)))
    for j, corruption in enumerate(corruptions[1:], 1):
        columns.append(corruption)
        parts.append(np.ones((len(models), 1)) * np.eye(len(corruptions))[j])
    for i, model in enumerate(models[1:], 1):
        for j, corruption in enumerate(corruptions[1:], 1):
            columns.append(f"{model} x {corruption}")
            parts.append(np.outer(np.eye(len(models))[i], np.eye(len(corruptions))[j]))
    return columns, np.stack([part.ravel() for part in parts], axis=1)


def _gee(endog: np.ndarray, exog: np.ndarray, who: np.ndarray, trials: np.ndarray) -> tuple[Any, Any] | None:
    import statsmodels.api as sm

    model = sm.GEE(
        endog,
        exog,
        groups=who,
        family=sm.families.Binomial(),
        cov_struct=sm.cov_struct.Exchangeable(),
        weights=trials,
    )
    fitted = model.fit(cov_type="bias_reduced")
    return (fitted.params, fitted.bse) if fitted.converged else None


def _mixed(endog: np.ndarray, exog: np.ndarray, who: np.ndarray) -> tuple[Any, Any] | None:
    import statsmodels.api as sm

    fitted = sm.MixedLM(endog, exog, groups=who).fit(reml=True)
    return (fitted.fe_params, fitted.bse_fe) if fitted.converged else None
