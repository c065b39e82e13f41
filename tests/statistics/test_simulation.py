"""The fast version of ``python -m tests.statistics.simulation``; its full output is in docs/statistics.md."""

from __future__ import annotations

import pytest

from tests.statistics.simulation import METHODS, SEEDS, World, mutants, naive_over_cells, rates

FAST = [method for method in METHODS if method.name != "any false order of corruptions"]


@pytest.mark.parametrize(("units", "replicates"), [(5, 250), (8, 250), (24, 80)])
def test_false_findings_are_as_rare_as_promised(units, replicates):
    able = [method for method in FAST if units >= method.fewest]
    found = rates([method.rejects for method in able], World(units), replicates)
    wrong = {
        m.name: rate for m, rate in zip(able, found, strict=True) if not m.holds(rate, units, replicates)
    }
    assert not wrong


def test_seeds_are_a_second_source_of_luck():
    replicates = 200
    world = World(24, seeds=3, luck=0.3)
    assert SEEDS.holds(rates([SEEDS.rejects], world, replicates)[0], 24, replicates)


def test_a_true_difference_is_found():
    t, flip, swap, jackknife = rates([m.rejects for m in METHODS[:4]], World(24, gain=0.5), 60)
    assert min(t, flip, swap, jackknife) > 0.75


def test_mutated_methods_are_caught():
    """The check can fail: with utterances as units, and without pairing, rates leave the band."""
    replicates = 250
    missed = [
        (name, method.name, rate)
        for name, method, rate in mutants(replicates, METHODS[:1])
        if method.holds(rate, 24, replicates)
    ]
    assert not missed


def test_a_t_test_over_cells_finds_what_is_not_there():
    assert rates([naive_over_cells], World(10), 150)[0] > 0.4


@pytest.mark.slow
@pytest.mark.parametrize("units", [5, 8, 10, 24, 280])
def test_false_findings_over_many_benchmarks(units):
    """Other benchmarks than those of the page and of the fast version."""
    replicates = 400 if units < 100 else 50
    able = [method for method in METHODS if units >= method.fewest]
    found = rates([method.rejects for method in able], World(units), replicates, first=2000)
    wrong = {
        m.name: rate for m, rate in zip(able, found, strict=True) if not m.holds(rate, units, replicates)
    }
    assert not wrong
