"""Do the methods hold what they promise? Simulated benchmarks with a known truth.

    python -m tests.statistics.simulation [--replicates 2000]    # exit 1 if a promise is broken

Two models answer the utterances of unbalanced speakers, clean and under several corruptions at several
severities. Utterances and speakers are easy or hard for both models (which makes pairing worth while),
speakers suit one model more than the other (which makes them the unit), and severities of one
corruption build on each other. Under the null hypothesis both models are draws from the same recipe.
A method is right when it rejects as often as it promises: its attainable level, and where it is an
approximation, no further from it than is stated. Mutated methods must be caught by the same check.
"""

# ruff: noqa: T201

from __future__ import annotations

import argparse
import contextlib
import functools
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binom

from merbench.statistics import intervals
from merbench.statistics.anova import FEWEST_UNITS, model_by_corruption
from merbench.statistics.classical import naive_t
from merbench.statistics.intervals import Spread, paired_interval
from merbench.statistics.panel import Units
from merbench.statistics.permutation import draw_signs, sign_flip, swap_test
from merbench.statistics.ranking import rank_corruptions
from merbench.statistics.scores import contributions
from tests.statistics.panels import cells, panel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from merbench.statistics.panel import Panel

ALPHA = 0.05
UNITS = (5, 8, 10, 24, 280)
CELLS = cells({"audio": 2, "vision": 1}, severities=3)
PERMUTATIONS = 999


@dataclass(frozen=True)
class World:
    """A benchmark's truth. Effects are standard deviations, and `gain` a shift, on a probit scale.

    `gain` is what the second model is better by under noise; `kind_gain` adds to it under the first
    corruption only; `seeds` are training runs per model, each with its own luck of size `luck`.
    """

    units: int
    samples: int = 24
    gain: float = 0.0
    kind_gain: float = 0.0
    seeds: int = 1
    luck: float = 0.0
    suits: float = 0.35

    def draw(self, seed: int) -> Panel:
        """Return one simulated benchmark."""
        rng = np.random.default_rng((self.units, self.seeds, seed))
        sizes = np.maximum(6, (self.samples * rng.lognormal(-0.18, 0.6, self.units)).astype(int))
        who = np.repeat(np.arange(self.units), sizes)
        n, k, runs = len(who), len(CELLS), 2 * self.seeds
        truth = np.concatenate([np.arange(4), rng.choice(4, n - 4, p=(0.4, 0.3, 0.2, 0.1))])
        kinds = sorted({cell.corruption for cell in CELLS if not cell.is_clean})
        kind = np.array([kinds.index(cell.corruption) if not cell.is_clean else -1 for cell in CELLS])
        severity = np.array([cell.severity for cell in CELLS])

        ease = rng.normal(0, 0.5, self.units)[who] + rng.normal(0, 0.7, n)
        suits = rng.normal(0, self.suits, (runs, self.units))
        if self.seeds > 1:  # what a recipe is good at is shared by its seeds
            suits = np.repeat(rng.normal(0, self.suits, (2, self.units)), self.seeds, axis=0) + suits / 2
        hurts = rng.normal(0.35, 0.15, (len(kinds), self.units))[kind][:, who]  # [K, n]
        copes = rng.normal(0, 0.10, (runs, len(kinds), self.units))[:, kind][:, :, who]
        luck = rng.normal(0, self.luck, runs)
        second = np.repeat([0.0, 1.0], self.seeds)
        gain = second[:, None] * (self.gain + self.kind_gain * (kind == 0)) * (severity > 0)
        latent = 0.8 + ease + suits[:, who] + luck[:, None]
        latent = latent[:, None] - severity[:, None] * (hurts + copes) + gain[:, :, None]
        right = latent + rng.normal(0, 0.6, (runs, k, n)) > 0
        wrong = (truth + rng.integers(1, 4, (runs, k, n))) % 4
        return panel(truth, np.where(right, truth, wrong), who, of=CELLS, seeds=[self.seeds, self.seeds])


def t_over_unit_means(p: Panel) -> bool:
    return _rejects(paired_interval(p, 1, 0, metric="uar", estimand="unit mean").p)


def flipped_unit_means(p: Panel) -> bool:
    each = contributions(p.scores("uar"), p.scope("overall"), "noisy", "unit mean")[1]
    return _rejects(sign_flip((each[1] - each[0])[:, None], _signs(len(p.units)))[0])


def jackknife_f1(p: Panel) -> bool:
    return _rejects(paired_interval(p, 1, 0, metric="macro_f1").p)


def jackknife_retention(p: Panel) -> bool:
    return _rejects(paired_interval(p, 1, 0, metric="uar", quantity="retention").p)


def pooled_uar(p: Panel) -> bool:
    return _rejects(paired_interval(p, 1, 0, metric="uar").p)


def swapped_f1(p: Panel) -> bool:
    return _rejects(swap_test(p, 0, 1, "macro_f1", [("noisy", p.scope("overall"))], _signs(len(p.units)))[0])


def corrected_interaction(p: Panel) -> bool:
    return _rejects(_interaction(p).p_corrected)


def flipped_interaction(p: Panel) -> bool:
    return _rejects(_interaction(p).p_permutation)


def _interaction(p: Panel) -> Any:
    table = model_by_corruption(p, (0, 1), "uar", p.of_kind("corruption"), _signs(len(p.units)))
    return table.effect("model", "corruption")


def false_order(p: Panel) -> bool:
    """Tell whether any corruption is ranked apart from another, where none is worse than another."""
    ranking = rank_corruptions(p, 0, "uar", "pooled", p.of_kind("corruption"))
    return any(entry.best > 1 or entry.worst < len(ranking.corruptions) for entry in ranking.corruptions)


def naive_over_cells(p: Panel) -> bool:
    whole = p.scores("uar").whole
    return _rejects(naive_t(whole[1] - whole[0], p.scope("overall")).p)


def _rejects(p: float | None) -> bool:
    return p is not None and p <= ALPHA


@functools.cache
def _signs(units: int) -> Any:
    return draw_signs(units, PERMUTATIONS)


@dataclass(frozen=True)
class Method:
    """A method and its promise: a level, and how far below and above it an approximation may be.

    The level of a permutation test comes in steps (`attainable`); the others' is `ALPHA`.
    """

    name: str
    rejects: Callable[[Panel], bool]
    stepped: bool = False
    below: float = 0.0
    above: float = 0.0
    fewest: int = 2

    def promise(self, units: int) -> tuple[float, float]:
        """Return the lowest and highest rate that the method may have."""
        level = attainable(units) if self.stepped else ALPHA
        return max(0.0, level - self.below), level + self.above

    def holds(self, rate: float, units: int, replicates: int) -> bool:
        """Tell whether a simulated rate is what chance makes of the promise."""
        low, high = band(*self.promise(units), replicates)
        return low <= rate <= high


METHODS = (
    Method("paired t over unit means, UAR", t_over_unit_means),
    Method("sign-flip of unit means, UAR", flipped_unit_means, stepped=True),
    Method("swap within units, pooled macro-F1", swapped_f1, stepped=True),
    Method("cluster jackknife-t, pooled macro-F1", jackknife_f1, below=0.02, above=0.005),
    Method("cluster jackknife-t, retention", jackknife_retention, below=0.02, above=0.005),
    Method("ANOVA interaction, Greenhouse-Geisser", corrected_interaction, below=0.02, fewest=FEWEST_UNITS),
    Method("ANOVA interaction, sign-flip", flipped_interaction, stepped=True, fewest=FEWEST_UNITS),
    Method("any false order of corruptions", false_order, below=0.02, above=0.01),
)
SEEDS = Method("pooled UAR, speakers crossed with seeds", pooled_uar, below=0.04, above=0.005)


def attainable(units: int) -> float:
    """Return the level of a test by exchanging units: p comes in steps of 2 / 2^units."""
    if 2**units > PERMUTATIONS + 1:
        return ALPHA
    step = 2.0 ** (1 - units)
    return float(step * np.floor(ALPHA / step + 1e-9))


def band(low: float, high: float, replicates: int, confidence: float = 0.999) -> tuple[float, float]:
    """Return the rates that chance makes of a true rate between `low` and `high`."""
    tail = (1 - confidence) / 2
    return (
        float(binom.ppf(tail, replicates, low)) / replicates if low > 0 else 0.0,
        float(binom.ppf(1 - tail, replicates, high)) / replicates if high > 0 else 0.0,
    )


def rates(
    methods: Sequence[Callable[[Panel], bool]],
    world: World,
    replicates: int,
    spoil: Any = None,
    first: int = 0,
) -> list[float]:
    """Return how often each method rejects; `spoil` changes every panel before they see it."""
    found = np.zeros(len(methods))
    for seed in range(first, first + replicates):
        drawn = world.draw(seed)
        found += [method(spoil(drawn) if spoil else drawn) for method in methods]
    return [float(rate) for rate in found / replicates]


def wrong_unit(p: Panel) -> Panel:
    """Return the panel as somebody sees it who takes utterances for independent."""
    n = len(p.truth)
    return replace(p, units=Units("sample", np.arange(n), p.sample_ids, np.zeros(n, dtype=bool)))


@contextlib.contextmanager
def pairing_dropped() -> Iterator[None]:
    """Let intervals forget that both models answer the same samples."""

    def unpaired(groups: Sequence[Any], df: float) -> Spread:
        variance = sum(float(group.mean(0).var(ddof=1)) / group.shape[1] for group in groups)
        return Spread(variance, 2 * df if len(groups) == 2 else df)

    paired, intervals.spread = intervals.spread, unpaired
    try:
        yield
    finally:
        intervals.spread = paired


def main() -> None:
    """Print the tables of ``docs/statistics.md``; exit 1 if a promise is broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replicates", type=int, default=2000)
    replicates = parser.parse_args().replicates
    broken = []

    draws = {units: replicates if units < 100 else replicates // 4 for units in UNITS}
    print(f"Rate of false findings at level {ALPHA}; simulated benchmarks per column: {draws}\n")
    print(f"| method | {' | '.join(f'{units} units' for units in UNITS)} |")
    print("|---|" + "---:|" * len(UNITS))
    by_units = {
        units: dict(
            zip(
                (able := [m for m in METHODS if units >= m.fewest]),
                rates([m.rejects for m in able], World(units), draws[units]),
                strict=True,
            )
        )
        for units in UNITS
    }
    for method in METHODS:
        cells = []
        for units in UNITS:
            if method not in by_units[units]:
                cells.append("refused")
                continue
            rate = by_units[units][method]
            holds = method.holds(rate, units, draws[units])
            broken += [] if holds else [(method.name, units)]
            cells.append(f"{rate:.3f}{'' if holds else ' BROKEN'}")
        print(f"| {method.name} | {' | '.join(cells)} |")
    naive = [rates([naive_over_cells], World(units), draws[units] // 4)[0] for units in UNITS]
    print(f"| NAIVE t over cells | {' | '.join(f'{rate:.3f}' for rate in naive)} |")

    print("\nThe same for several training seeds per model (luck 0.3 between seeds):\n")
    print("| units | 2 seeds | 3 seeds | 5 seeds |\n|---|---:|---:|---:|")
    for units in (8, 24):
        cells = []
        for seeds in (2, 3, 5):
            rate = rates([SEEDS.rejects], World(units, seeds=seeds, luck=0.3), replicates // 2)[0]
            holds = SEEDS.holds(rate, units, replicates // 2)
            broken += [] if holds else [(SEEDS.name, units)]
            cells.append(f"{rate:.3f}{'' if holds else ' BROKEN'}")
        print(f"| {units} | {' | '.join(cells)} |")

    gain = 0.5
    print(f"\nPower, where the second model is better by {gain} on the probit scale:\n")
    compared = METHODS[:4]
    print(f"| method | {' | '.join(f'{units} units' for units in UNITS)} |")
    print("|---|" + "---:|" * len(UNITS))
    power = [rates([m.rejects for m in compared], World(u, gain=gain), draws[u] // 4) for u in UNITS]
    for method, found in zip(compared, zip(*power, strict=True), strict=True):
        print(f"| {method.name} | {' | '.join(f'{rate:.2f}' for rate in found)} |")

    print("\nMutated methods at 24 units, which the check must catch:\n")
    print("| mutation | method | rate | caught |\n|---|---|---:|---|")
    for name, method, rate in mutants(replicates // 4, (METHODS[0], METHODS[2], METHODS[3])):
        caught = not method.holds(rate, 24, replicates // 4)
        broken += [] if caught else [(name, 24)]
        print(f"| {name} | {method.name} | {rate:.3f} | {'yes' if caught else 'NO'} |")
    if broken:
        sys.exit(f"broken: {broken}")


def mutants(
    replicates: int, wrongly_clustered: Sequence[Method], units: int = 24
) -> Iterator[tuple[str, Method, float]]:
    """Yield mutations with the rate that they give a method."""
    found = rates([m.rejects for m in wrongly_clustered], World(units), replicates, wrong_unit)
    yield from (("utterance as unit", m, rate) for m, rate in zip(wrongly_clustered, found, strict=True))
    chosen = (METHODS[0], METHODS[3])
    with pairing_dropped():
        found = rates([m.rejects for m in chosen], World(units), replicates)
    yield from (("pairing dropped", m, rate) for m, rate in zip(chosen, found, strict=True))


if __name__ == "__main__":
    main()
