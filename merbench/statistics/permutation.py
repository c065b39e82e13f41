"""Tests that need no normal distribution: what if the two models had been each other?

Under the null hypothesis that two models are exchangeable, swapping their answers to all samples and
all cells of a unit gives an equally likely data set (Fisher, The Design of Experiments, 1935, section
21). A unit is swapped as a whole, so whatever ties its utterances and cells together stays. The
smallest p over U units is 2 / 2^U: with 5 units nothing can be shown at the 5 % level.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from merbench.rng import Stream
from merbench.statistics.scores import margins, quantity_of, score

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from merbench.statistics.panel import Panel, Scope
    from merbench.statistics.scores import Floats, Quantity

PERMUTATIONS = 9_999
"""Random permutations beside the observed one: p is a multiple of 1e-4."""

_BLOCK = 1_000_000
"""Numbers per array that are held at once: what stays in the processor's cache is fast."""

_TIE = 1e-9
"""Differences closer than this are ties: rounding must not decide which of two equal sums is greater."""


@dataclass(frozen=True, slots=True)
class Signs:
    """Which units are swapped, replicate by replicate.

    `swapped` is bool [B, U], the first row without any swap. `exact` means that the rows are all 2^U
    patterns; then p is exact, and otherwise it is a Monte Carlo estimate that can never be 0.
    """

    swapped: npt.NDArray[np.bool_]
    exact: bool

    def p(self, at_least: npt.NDArray[np.bool_]) -> Floats:
        """Return p from which replicates [B, ...] are at least as extreme as the first, itself included."""
        return np.asarray(at_least.mean(0), dtype=np.float64)

    def blocks(self, width: int) -> Iterator[slice]:
        """Yield parts of the replicates for which `width` numbers each are held at once."""
        step = max(1, _BLOCK // max(1, width))
        return (slice(start, start + step) for start in range(0, len(self.swapped), step))


def draw_signs(units: int, permutations: int = PERMUTATIONS) -> Signs:
    """Return every pattern of swaps if there are no more than `permutations`, else random ones."""
    if units < 63 and 2**units <= permutations + 1:
        patterns = np.arange(2**units, dtype=np.int64)[:, None]
        return Signs((patterns >> np.arange(units)) & 1 == 1, exact=True)
    words = Stream.of("statistics", "permutation", str(units)).words(-(-permutations * units // 64))
    bits = np.unpackbits(words.astype("<u8").view(np.uint8), count=permutations * units)
    swapped = np.zeros((permutations + 1, units), dtype=bool)
    swapped[1:] = bits.reshape(permutations, units)
    return Signs(swapped, exact=False)


def smallest_p(units: int) -> float:
    """Return the smallest two-sided p that exchanging whole units can give."""
    return float(2.0 ** (1 - units))


def sign_flip(differences: Floats, signs: Signs) -> Floats:
    """Return the two-sided p of mean differences, [Q], by flipping the signs of units.

    Args:
        differences: one per unit and question, [U, Q].
        signs: the replicates.
    """
    flipped = (1.0 - 2.0 * signs.swapped) @ differences
    return signs.p(np.abs(flipped) >= np.abs(flipped[0]) - _TIE)


def swap_test(
    panel: Panel,
    a: int,
    b: int,
    metric: str,
    questions: Sequence[tuple[Quantity, Scope | None]],
    signs: Signs,
) -> Floats:
    """Return the two-sided p of pooled differences, [Q], by swapping two runs within units.

    The confusion margins of both runs under every replicate are one matrix product; the same swap is
    applied to every cell.

    Args:
        panel: the runs.
        a: position of one run.
        b: position of the other.
        metric: one of `merbench.evaluation.metrics.SUMMARY_METRICS`.
        questions: quantities and scopes, all answered by the same replicates.
        signs: the replicates.
    """
    clean = panel.clean
    cells = sorted({clean}.union(*(scope.cells for _, scope in questions if scope is not None)))
    local = [(quantity, _localised(scope, cells)) for quantity, scope in questions]
    swapped = _Swapped.of(panel, a, b, metric, np.array(cells))
    place = cells.index(clean)
    differences = np.empty((len(signs.swapped), len(questions)))
    for here in signs.blocks(swapped.width):
        pair = np.stack(swapped.scores(signs.swapped[here]))  # [2, b, K']
        # Replicates take the place of units: [2, K', b].
        by_cell = pair.transpose(0, 2, 1)
        for q, (quantity, scope) in enumerate(local):
            ours, theirs = quantity_of(by_cell, place, scope, quantity)
            differences[here, q] = ours - theirs
    observed = np.abs(differences[0]) - _TIE
    return signs.p(~(np.abs(differences) < observed))  # an undefined replicate is no evidence


def _localised(scope: Scope | None, cells: Sequence[int]) -> Scope | None:
    """Return the scope with indices into `cells`."""
    return None if scope is None else replace(scope, cells=tuple(map(cells.index, scope.cells)))


@dataclass(frozen=True, eq=False)
class _Swapped:
    """Two runs whose margins are exchanged in some units.

    `start` holds the first run's margins over all units and `both` the sum of the two runs', [M, K', C];
    `change` is what a swap adds to the first run and takes from the second, [U, M * K' * C]. M is 1
    (hits) or 2 (hits, answers). Counts are whole numbers below 2^24, so float32 sums are exact.
    """

    metric: str
    support: Floats
    start: npt.NDArray[np.float32]
    both: npt.NDArray[np.float32]
    change: npt.NDArray[np.float32]

    @classmethod
    def of(cls, panel: Panel, a: int, b: int, metric: str, cells: npt.NDArray[np.int64]) -> _Swapped:
        used = 2 if "f1" in metric else 1
        first = np.stack(margins(panel, a, cells)[:used]).astype(np.float32)  # [M, K', U, C]
        second = np.stack(margins(panel, b, cells)[:used]).astype(np.float32)
        change = (second - first).transpose(2, 0, 1, 3).reshape(len(panel.units), -1)
        start = first.sum(2)
        return cls(
            metric, panel.unit_support.sum(0), start, start + second.sum(2), np.ascontiguousarray(change)
        )

    @property
    def width(self) -> int:
        return self.start.size

    def scores(self, swapped: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Return the metric of both runs under these swaps, each [b, K']."""
        ours = (swapped.astype(np.float32) @ self.change).reshape(-1, *self.start.shape)
        ours += self.start
        theirs = self.both - ours
        return self._score(ours), self._score(theirs)

    def _score(self, counts: npt.NDArray[np.float32]) -> Floats:
        return score(self.metric, counts[:, 0], counts[:, -1], self.support)
