"""Tests from textbooks that fit a benchmark only in special cases, and one that never does.

- McNemar's test: within one cell, when every utterance is its own unit.
- Friedman's test with Nemenyi's critical difference: when the blocks are datasets.
- The naive paired t-test over cells treats cells as independent replications, which they are not
  (they share their utterances and speakers). It is here to reproduce papers, and says so.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import inf, nan, sqrt
from typing import TYPE_CHECKING, Any

from merbench.errors import MerbenchError
from merbench.statistics.intervals import LEVEL, critical, p_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from merbench.statistics.panel import Panel, Scope
    from merbench.statistics.scores import Floats

NAIVE = "NAIVE paired t over cells"
NAIVE_ASSUMPTION = (
    "FALSE: takes cells for independent, though they share utterances and speakers; only to reproduce papers"
)


@dataclass(frozen=True, slots=True)
class McNemar:
    """Two models in one cell: the utterances that only one of them got right.

    `odds_ratio` is `only_a` / `only_b` with the exact interval; `p` is the exact binomial one.
    """

    model: str
    against: str
    cell_id: str
    n: int
    only_a: int
    only_b: int
    odds_ratio: float | None
    low: float
    high: float | None
    p: float
    assumption: str = "utterances are independent"

    def to_json(self) -> dict[str, Any]:
        """Return every field as plain JSON."""
        return asdict(self)


def mcnemar(panel: Panel, a: int, b: int, cell: int, level: float = LEVEL) -> McNemar:
    """Compare two runs in one cell by exact McNemar (binomial) test.

    Args:
        panel: the runs; its unit must be the sample.
        a: position of one run.
        b: position of the other.
        cell: index of the cell.
        level: of the interval of the odds ratio.

    Raises:
        MerbenchError: utterances are not independent, because several share a unit.
    """
    if len(panel.units) != len(panel.truth) or panel.units.loners:
        raise MerbenchError(
            f"McNemar's test needs independent utterances, and {len(panel.truth)} are of "
            f"{len(panel.units) - panel.units.loners} known {panel.units.name}s",
            fix="compare over units, or pass --unit sample if nobody speaks twice",
        )
    right = panel.answer[[a, b], cell] == panel.truth
    only_a, only_b = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    ratio, low, high, p = discordance(only_a, only_b, level)
    owner = {run: model.name for model in panel.models for run in model.runs}
    return McNemar(
        owner[a],
        owner[b],
        panel.cells[cell].cell_id,
        len(panel.truth),
        only_a,
        only_b,
        None if ratio in (inf,) or ratio != ratio else ratio,
        low,
        None if high == inf else high,
        p,
    )


def discordance(only_a: int, only_b: int, level: float = LEVEL) -> tuple[float, float, float, float]:
    """Return the odds ratio of a matched pair table, its exact interval, and McNemar's exact p."""
    from scipy.stats import binomtest

    total = only_a + only_b
    if total == 0:
        return nan, 0.0, inf, 1.0
    test = binomtest(only_a, total)
    share = test.proportion_ci(level, "exact")
    return (
        only_a / only_b if only_b else inf,
        float(share.low / (1 - share.low)) if share.low < 1 else inf,
        float(share.high / (1 - share.high)) if share.high < 1 else inf,
        float(test.pvalue),
    )


@dataclass(frozen=True, slots=True)
class Friedman:
    """Models ranked within datasets (1 is best), and which mean ranks differ by more than chance.

    `f` and `p` are Iman & Davenport's correction of Friedman's chi-squared; models whose mean ranks
    differ by `critical_difference` or more differ (Nemenyi). Source: Demsar, JMLR 7, 2006, section 3.2.2.
    """

    models: tuple[str, ...]
    n_datasets: int
    mean_ranks: tuple[float, ...]
    chi_squared: float
    f: float
    p: float
    critical_difference: float
    level: float
    assumption: str = "datasets are independent blocks"

    def to_json(self) -> dict[str, Any]:
        """Return every field as plain JSON."""
        return {name: None if value in (inf,) else value for name, value in asdict(self).items()}


def friedman(scores: Floats, models: Sequence[str], level: float = LEVEL) -> Friedman:
    """Rank models over datasets.

    Args:
        scores: greater is better, [datasets, models].
        models: their names.
        level: 1 minus the error rate of all Nemenyi comparisons together.

    Raises:
        MerbenchError: there are fewer than three datasets or two models.
    """
    from scipy.special import fdtrc
    from scipy.stats import rankdata, studentized_range

    datasets, k = scores.shape
    if datasets < 3 or k < 2:
        raise MerbenchError(
            f"ranking {k} models over {datasets} datasets shows nothing",
            fix="give at least two models and three datasets",
        )
    ranks = rankdata(-scores, axis=1).mean(0)
    # Demsar's formula, without a correction for ties, as his worked example has it.
    chi = float(12 * datasets / (k * (k + 1)) * ((ranks**2).sum() - k * (k + 1) ** 2 / 4))
    room = datasets * (k - 1) - chi
    f = (datasets - 1) * chi / room if room > 1e-12 else inf
    q = float(studentized_range.ppf(level, k, inf)) / sqrt(2)
    return Friedman(
        models=tuple(models),
        n_datasets=datasets,
        mean_ranks=tuple(map(float, ranks)),
        chi_squared=chi,
        f=f,
        p=float(fdtrc(k - 1, (k - 1) * (datasets - 1), f)),
        critical_difference=q * sqrt(k * (k + 1) / (6 * datasets)),
        level=level,
    )


@dataclass(frozen=True, slots=True)
class NaiveT:
    """What a paired t-test over cells says. Not to be believed: see the module's docstring."""

    scope: str
    n_cells: int
    estimate: float
    low: float | None
    high: float | None
    p: float | None

    def to_json(self) -> dict[str, Any]:
        """Return every field as plain JSON, with the warning."""
        return {**asdict(self), "method": NAIVE, "assumption": NAIVE_ASSUMPTION}


def naive_t(differences: Floats, scope: Scope, level: float = LEVEL) -> NaiveT:
    """Return the paired t-test of two models' scores in the cells of a scope.

    Args:
        differences: by cell, [K].
        scope: which cells.
        level: of the interval.
    """
    values = differences[list(scope.cells)]
    estimate, cells = float(values.mean()), len(values)
    if cells < 2:
        return NaiveT(scope.name, cells, estimate, None, None, None)
    error = float(values.std(ddof=1)) / sqrt(cells)
    reach = critical(cells - 1.0, level) * error
    p = p_value(estimate, error, cells - 1.0)
    return NaiveT(scope.name, cells, estimate, estimate - reach, estimate + reach, None if p != p else p)
