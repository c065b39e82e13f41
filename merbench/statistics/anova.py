"""Repeated-measures analysis of variance in closed form: every factor varies within every unit.

For an effect, the units' cell means are projected on orthonormal contrasts; the effect's sum of squares
is that of the mean projection, its error that of the projections around it (Winer, Statistical
Principles in Experimental Design, 1971, chapter 7). That costs one small matrix product per effect,
whatever the number of units.

Severities of one corruption hide supersets of each other, so their scores are not spherical: p is
corrected by Greenhouse & Geisser's epsilon (Psychometrika 24, 1959). Beside it stands a restricted
permutation: the signs of whole units' contrasts are flipped, which under the null hypothesis of
no effect keeps every dependence between levels (Anderson & ter Braak, Journal of Statistical
Computation and Simulation 73, 2003).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import reduce
from itertools import combinations
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np

from merbench.errors import MerbenchError
from merbench.statistics.permutation import smallest_p

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from merbench.statistics.panel import Panel, Scope
    from merbench.statistics.permutation import Signs
    from merbench.statistics.scores import Floats

FEWEST_UNITS = 6
"""With fewer units a sign-flip cannot reach p = 0.05, and epsilon is estimated from next to nothing."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One line of the table. `name` joins its factors, for example ``model x corruption``.

    `p` is Student-Fisher's under sphericity, `p_corrected` after Greenhouse and Geisser (`epsilon`,
    1 / df1 .. 1), `p_permutation` by sign-flips of units. `partial_eta_squared` is the effect's share
    of the variance that the other effects leave; `generalized_eta_squared` its share of all variance,
    which compares across designs (Olejnik & Algina, Psychological Methods 8, 2003).
    """

    name: str
    df1: int
    df2: int
    f: float
    epsilon: float
    p: float
    p_corrected: float
    p_permutation: float
    partial_eta_squared: float
    generalized_eta_squared: float

    def to_json(self) -> dict[str, Any]:
        """Return every field; what is undefined is ``None``."""
        return {name: None if value != value else value for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Anova:
    """A repeated-measures table and what it is a table of."""

    effects: tuple[Effect, ...]
    factors: dict[str, tuple[str, ...]]
    metric: str
    unit: str
    n_units: int
    n: int
    assumption: str

    def effect(self, *factors: str) -> Effect:
        """Return the effect of these factors together."""
        name = " x ".join(factors)
        return next(effect for effect in self.effects if effect.name == name)

    def to_json(self) -> dict[str, Any]:
        """Return every field as plain JSON."""
        return {**asdict(self), "effects": [effect.to_json() for effect in self.effects]}


def repeated_measures(table: Floats, factors: Sequence[str], signs: Signs) -> tuple[Effect, ...]:
    """Return main effects and interactions of a complete within-unit design.

    Args:
        table: one number per unit and combination of levels, [U, L1, L2, ...], at least two levels each.
        factors: the factors' names, one for each axis but the first.
        signs: which units are flipped in each permutation.
    """
    units = len(table)
    grand = table.mean()
    between = table.reshape(units, -1).mean(1) - grand
    levels = int(np.prod(table.shape[1:]))
    found = list(_projections(table, factors))
    errors = float(levels * (between**2).sum()) + sum(
        float(((scores - scores.mean(0)) ** 2).sum()) for _, scores in found
    )
    return tuple(_effect(name, scores, errors, signs) for name, scores in found)


def _projections(table: Floats, factors: Sequence[str]) -> Iterator[tuple[str, Floats]]:
    """Yield every effect with its contrast scores [U, df1]."""
    from scipy.linalg import helmert

    flat = table.reshape(len(table), -1)
    for order in range(1, len(factors) + 1):
        for chosen in combinations(range(len(factors)), order):
            parts = [
                helmert(n) if axis in chosen else np.full((1, n), n**-0.5)
                for axis, n in enumerate(table.shape[1:])
            ]
            yield " x ".join(factors[axis] for axis in chosen), flat @ reduce(np.kron, parts).T


def _effect(name: str, scores: Floats, errors: float, signs: Signs) -> Effect:
    from scipy.special import fdtrc

    units, df1 = scores.shape
    df2 = df1 * (units - 1)
    mean = scores.mean(0)
    centred = scores - mean
    explained, residual = units * float(mean @ mean), float((centred**2).sum())
    if residual <= 1e-12 * max(explained, 1e-12):  # no unit differs from another: nothing to test against
        return Effect(name, df1, df2, nan, nan, nan, nan, nan, nan, nan)
    covariance = centred.T @ centred if df1 <= units else centred @ centred.T  # the same eigenvalues
    epsilon = float(np.trace(covariance) ** 2 / (df1 * (covariance**2).sum()))
    f = (explained / df1) / (residual / df2)
    flipped = (((1.0 - 2.0 * signs.swapped) @ scores) ** 2).sum(1, keepdims=True)
    return Effect(
        name=name,
        df1=df1,
        df2=df2,
        f=f,
        epsilon=epsilon,
        p=float(fdtrc(df1, df2, f)),
        p_corrected=float(fdtrc(epsilon * df1, epsilon * df2, f)),
        p_permutation=float(signs.p(flipped >= flipped[0] * (1 - 1e-9))[0]),
        partial_eta_squared=explained / (explained + residual),
        generalized_eta_squared=explained / (explained + errors),
    )


def model_by_corruption(
    panel: Panel, models: Sequence[int], metric: str, corruptions: Sequence[Scope], signs: Signs
) -> Anova:
    """Return the analysis of unit means by model, corruption and severity.

    Severities that not every corruption has are left out; where no severity is shared they are averaged. A
    factor with one level is none. A model's training seeds are averaged: the table is about these
    checkpoints.

    Raises:
        MerbenchError: there are fewer than `FEWEST_UNITS` units, or nothing varies.
    """
    units = len(panel.units)
    if units < FEWEST_UNITS:
        raise MerbenchError(
            f"an analysis of variance over {units} {panel.units.name}s is refused: exchanging them cannot "
            f"give a p below {smallest_p(units):.3g}",
            fix=f"evaluate on at least {FEWEST_UNITS}",
        )
    within = panel.scores(metric).within
    means = np.stack([within[list(panel.models[m].runs)].mean(0) for m in models])  # [M, K, U]
    shared = sorted(
        set.intersection(*({panel.cells[k].severity for k in scope.cells} for scope in corruptions))
    )
    groups = [
        [[k for k in scope.cells if panel.cells[k].severity == severity] for severity in shared]
        or [list(scope.cells)]
        for scope in corruptions
    ]
    table = np.stack(
        [np.stack([means[:, draws].mean(1) for draws in severities]) for severities in groups]
    )  # [corruption, severity, M, U]
    table = table.transpose(3, 2, 0, 1)
    factors = {
        "model": tuple(panel.models[m].name for m in models),
        "corruption": tuple(scope.name for scope in corruptions),
        "severity": tuple(map(str, shared)) or ("mean",),
    }
    kept = {name: levels for name, levels in factors.items() if len(levels) > 1}
    if not kept:
        raise MerbenchError(
            "one model in one cell leaves nothing to analyse", fix="give more models or cells"
        )
    return Anova(
        effects=repeated_measures(
            table.reshape(units, *(len(levels) for levels in kept.values())), list(kept), signs
        ),
        factors=kept,
        metric=metric,
        unit=panel.units.name,
        n_units=units,
        n=len(panel.truth),
        assumption=f"{panel.units.name}s are independent; about these checkpoints",
    )
