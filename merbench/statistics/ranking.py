"""Which corruption harms a model most, and how sure that order is.

Ranks of estimates say nothing about their uncertainty. Here every pair of corruptions is compared, all
pairs at once at one level; a corruption's rank is then known up to the range that these comparisons
leave (Mogstad, Romano, Shaikh & Wilhelm, Review of Economic Studies 91, 2024, section 3).

The simultaneous critical value is that of the greatest |t| of a multivariate t distribution with the
correlation of the units' own contributions: corruptions that hurt the same speakers cost little.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import combinations
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from merbench.rng import Stream
from merbench.statistics.intervals import LEVEL, unit_df
from merbench.statistics.scores import contributions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from merbench.statistics.panel import Panel, Scope
    from merbench.statistics.scores import Estimand, Floats

DRAWS = 10_000
"""Draws behind a critical value: the 95 % quantile is known to about 0.2 points of its level."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """One corruption: its drop with a simultaneous interval, and the ranks it may have.

    Rank 1 is the greatest drop. `best` and `worst` bound the rank: no more than that is known.
    """

    corruption: str
    drop: float
    low: float
    high: float
    rank: int
    best: int
    worst: int


@dataclass(frozen=True, slots=True)
class Ranking:
    """The corruptions of one model, most harmful first."""

    model: str
    metric: str
    estimand: Estimand
    unit: str
    n_units: int
    n: int
    level: float
    corruptions: tuple[Ranked, ...]
    method: str
    assumption: str

    def to_json(self) -> dict[str, Any]:
        """Return every field as plain JSON."""
        return asdict(self)


def rank_corruptions(
    panel: Panel,
    model: int,
    metric: str,
    estimand: Estimand,
    corruptions: Sequence[Scope],
    level: float = LEVEL,
) -> Ranking:
    """Order corruptions by how much the model loses to them.

    Args:
        panel: the runs.
        model: its position; training seeds are averaged.
        metric: one of `merbench.evaluation.metrics.SUMMARY_METRICS`.
        estimand: ``pooled`` or ``unit mean``.
        corruptions: scopes, at least two.
        level: of all comparisons together.
    """
    entry = panel.models[model]
    figures, each = [], []
    for scope in corruptions:
        whole, parts = contributions(panel.scores(metric), scope, "drop", estimand)
        figures.append(float(whole[list(entry.runs)].mean()))
        each.append(parts[list(entry.runs)].mean(0))
    drops, table = np.array(figures), np.stack(each, axis=1)  # [J], [U, J]
    first, second = np.array(list(combinations(range(len(drops)), 2))).T
    df = unit_df(panel.unit_support.sum(1), estimand)
    reach = _reach(table, df, level)
    apart = drops[first] - drops[second]
    certain = np.abs(apart) > _reach(table[:, first] - table[:, second], df, level)
    above = np.zeros(len(drops), dtype=int)  # how many certainly harm more
    below = np.zeros(len(drops), dtype=int)
    for i, j, sure, difference in zip(first, second, certain, apart, strict=True):
        if sure:
            above[j if difference > 0 else i] += 1
            below[i if difference > 0 else j] += 1
    order = np.argsort(-drops, kind="stable")
    return Ranking(
        model=entry.name,
        metric=metric,
        estimand=estimand,
        unit=panel.units.name,
        n_units=len(panel.units),
        n=len(panel.truth),
        level=level,
        corruptions=tuple(
            Ranked(
                corruptions[i].name,
                float(drops[i]),
                float(drops[i] - reach[i]),
                float(drops[i] + reach[i]),
                rank,
                int(1 + above[i]),
                int(len(drops) - below[i]),
            )
            for rank, i in enumerate(order, 1)
        ),
        method="simultaneous over all corruptions and over all pairs, multivariate t",
        assumption=f"{panel.units.name}s are independent; about these checkpoints of {entry.name}",
    )


def _reach(table: Floats, df: float, level: float) -> Floats:
    """Return the half-widths of simultaneous intervals for the column means of contributions [U, Q]."""
    error = table.std(0, ddof=1) / sqrt(len(table))
    return np.asarray(error * simultaneous_critical(table, df, level))


def simultaneous_critical(table: Floats, df: float, level: float) -> float:
    """Return the quantile of the greatest |t| of the columns of contributions [U, Q], all true means 0.

    The t are drawn from a multivariate t distribution with the columns' own correlation and `df`
    degrees of freedom (Hothorn, Bretz & Westfall, Biometrical Journal 50, 2008); columns that never
    vary have no part.
    """
    from scipy.special import chdtri

    centred = table - table.mean(0)
    norm = np.sqrt((centred**2).sum(0))
    varying = norm > 1e-12
    if not varying.any():
        return 0.0
    stream = Stream.of("statistics", "simultaneous", str(len(table)))
    normal = stream.child("normal").normal(DRAWS * len(table)).reshape(DRAWS, -1)
    chi_squared = chdtri(df, 1.0 - stream.child("chi").uniform(DRAWS))
    greatest = np.abs(normal @ (centred[:, varying] / norm[varying])).max(1)
    return float(np.quantile(greatest / np.sqrt(chi_squared / df), level))
