"""Intervals, permutations and rankings: what must hold whatever the data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from merbench.errors import MerbenchError
from merbench.evaluation.metrics import SUMMARY_METRICS, confusion_matrix, scalars
from merbench.statistics.anova import model_by_corruption, repeated_measures
from merbench.statistics.classical import mcnemar
from merbench.statistics.intervals import p_value, paired_interval, single_interval, spread
from merbench.statistics.permutation import draw_signs, sign_flip, smallest_p, swap_test
from merbench.statistics.ranking import rank_corruptions, simultaneous_critical
from tests.statistics.panels import panel
from tests.statistics.simulation import World


def toy(seed: int = 0, n: int = 48, units: int = 6, runs: int = 2, **more):
    rng = np.random.default_rng(seed)
    truth = rng.choice(4, n, p=(0.4, 0.3, 0.2, 0.1))
    answer = np.where(rng.uniform(size=(runs, 4, n)) < 0.6, truth, rng.integers(0, 5, (runs, 4, n)))
    return panel(truth, answer, rng.permutation(np.arange(n) % units), **more)


@given(st.integers(0, 10_000), st.sampled_from(SUMMARY_METRICS), st.sampled_from(["pooled", "unit mean"]))
def test_a_difference_turned_round_is_its_negative(seed, metric, estimand):
    p = toy(seed)
    for quantity in ("clean", "noisy", "drop"):
        one = paired_interval(p, "a", "b", metric=metric, quantity=quantity, estimand=estimand)
        other = paired_interval(p, "b", "a", metric=metric, quantity=quantity, estimand=estimand)
        assert one.estimate == pytest.approx(-other.estimate)
        assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
        assert one.p == pytest.approx(other.p)
        assert one.low <= one.estimate <= one.high


@given(st.integers(0, 10_000))
def test_pooled_accuracy_of_equal_units_is_the_mean_over_units(seed):
    """For a figure that is a mean, the jackknife is the t-test."""
    p = toy(seed)
    pooled = paired_interval(p, 0, 1, metric="accuracy")
    typical = paired_interval(p, 0, 1, metric="accuracy", estimand="unit mean")
    for name in ("estimate", "low", "high", "p", "df", "effect"):
        assert getattr(pooled, name) == pytest.approx(getattr(typical, name)), name


def test_a_model_against_itself_differs_by_nothing():
    truth = np.arange(24) % 4
    answers = np.stack([[truth, (truth + (np.arange(24) < 9)) % 4]] * 2)
    same = paired_interval(panel(truth, answers, np.arange(24) % 6), 0, 1, metric="uar")
    assert (same.estimate, same.low, same.high, same.p, same.effect) == (0, 0, 0, 1, 0)
    assert not same.shown
    assert "no variation between units" in same.notes


def test_one_unit_has_a_figure_and_no_interval():
    alone = single_interval(toy(units=1), 0, metric="uar")
    assert alone.estimate is not None
    assert (alone.low, alone.high, alone.p) == (None, None, None)
    assert alone.notes == ("one speaker only: nothing can be said about others",)
    assert alone.detectable() is None


def test_a_class_that_one_speaker_has_alone_is_noted():
    truth = np.r_[np.zeros(10, int), np.ones(10, int)]
    units = np.r_[np.arange(10) % 5, np.zeros(10, int)]
    found = single_interval(panel(truth, np.stack([[truth, truth]]), units), 0, metric="uar")
    assert any("happy" in note for note in found.notes)


def test_all_answers_alike_is_chance_without_variation():
    truth = np.arange(40) % 4
    p = panel(truth, np.zeros((2, 3, 40)), np.arange(40) // 8)
    found = single_interval(p, 0, metric="uar")
    assert (found.estimate, found.low, found.high) == pytest.approx((0.25, 0.25, 0.25))
    assert paired_interval(p, 0, 1, metric="uar", quantity="retention").estimate == 0


def test_a_retention_of_nothing_is_undefined():
    truth = np.arange(40) % 4
    p = panel(truth, np.full((2, 3, 40), 4), np.arange(40) // 8)
    found = single_interval(p, 0, metric="uar", quantity="retention")
    assert (found.estimate, found.low) == (None, None)
    with pytest.raises(MerbenchError, match="retention has no mean over units"):
        single_interval(p, 0, metric="uar", quantity="retention", estimand="unit mean")


@given(st.integers(0, 10_000))
def test_seeds_that_agree_add_nothing(seed):
    """A copy of a run is no second seed: the interval over units stays."""
    p = toy(seed)
    copied = panel(p.truth, p.answer[[0, 0, 1, 1]], p.units.code, seeds=[2, 2])
    one, two = (paired_interval(q, 0, 1, metric="uar") for q in (p, copied))
    assert (two.estimate, two.low, two.high) == pytest.approx((one.estimate, one.low, one.high))
    assert two.seeds == (2, 2)
    assert "for new seeds" in two.assumption
    assert "checkpoints" in one.assumption


def test_seeds_that_differ_widen_the_interval():
    rng = np.random.default_rng(0)
    units = rng.normal(size=(1, 12)) + rng.normal(0, 0.1, (4, 12))
    lucky = units + np.array([[-3.0], [3.0], [-1.0], [1.0]])
    assert spread([lucky], 11.0).variance > 2 * spread([units], 11.0).variance
    assert spread([lucky], 11.0).df < 5  # what is known about four seeds


def test_what_matched_seeds_share_is_no_part_of_their_difference():
    """Seeds that are good or bad in both models widen the difference only if nobody says that they match."""
    chance = np.random.default_rng(1)
    n, seeds, start = 240, 5, (0.95, 0.55, 0.9, 0.6, 0.8)
    truth = np.arange(n) % 2
    right = np.stack([chance.random((2, n)) < rate for rate in start])  # [seed, cell, sample]
    better = right | (chance.random(right.shape) < 0.5)
    answer = np.where(np.concatenate([right, better]), truth, 1 - truth)
    p = panel(truth, answer, np.arange(n) % 12, seeds=[seeds, seeds])
    alone, matched = (paired_interval(p, 1, 0, metric="accuracy", matched=m) for m in (False, True))
    assert matched.estimate == alone.estimate > 0
    assert matched.standard_error < alone.standard_error / 2
    assert matched.high - matched.low < alone.high - alone.low
    assert matched.method.endswith("matched")


def test_different_numbers_of_seeds_do_not_match():
    p = toy(0)
    uneven = panel(p.truth, p.answer[[0, 1, 1]], p.units.code, seeds=[1, 2])
    with pytest.raises(ValueError, match="1 and 2 runs"):
        paired_interval(uneven, 0, 1, metric="uar", matched=True)


def test_matched_seeds_that_make_no_difference_are_called_one_as_often_as_said():
    chance, called = np.random.default_rng(2), 0
    for _ in range(600):
        start, unit = chance.normal(size=(5, 1)), chance.normal(size=12)
        first, second = (
            start + unit + chance.normal(0, 0.5, (5, 1)) + chance.normal(size=(5, 12)) for _ in "ab"
        )
        difference = first - second
        variance, df = spread([difference], 11.0)
        called += p_value(difference.mean(), variance**0.5, df) <= 0.05
    assert called / 600 < 0.07


def test_degrees_of_freedom_do_not_collapse_where_a_part_is_subtracted_again():
    """Seeds that vary hardly more than chance leave next to nothing of two large parts."""
    chance = np.random.default_rng(0)
    found = []
    for _ in range(400):
        groups = [chance.normal(size=(3, 12)) for _ in range(2)]
        variance, df = spread(groups, 11.0)
        assert variance > 0 and 2.0 <= df <= 11.0 + 2 * 22.0
        found.append(df)
    assert found.count(2.0) > 3


def test_the_smallest_detectable_difference_is_detected_as_often_as_said():
    p = toy(units=12)
    found = paired_interval(p, 0, 1, metric="uar")
    shift = found.detectable(power=0.8) / found.standard_error
    rng = np.random.default_rng(0)
    z = rng.normal(shift, 1, 40_000) / np.sqrt(rng.chisquare(found.df, 40_000) / found.df)
    from merbench.statistics.intervals import critical

    assert np.mean(z > critical(found.df, 0.95)) == pytest.approx(0.8, abs=0.01)
    assert found.detectable(0.9) > found.detectable(0.8)


def test_swapping_gives_what_brute_force_gives():
    p = toy(units=5)
    signs = draw_signs(5)
    assert signs.exact and signs.swapped.shape == (32, 5)
    for metric in SUMMARY_METRICS:
        questions = [("clean", None), ("noisy", p.scope("overall")), ("drop", p.scope("overall"))]
        questions.append(("retention", p.scope("overall")))
        found = swap_test(p, 0, 1, metric, questions, signs)
        expected = np.zeros((32, 4))
        for i, swapped in enumerate(signs.swapped):
            mine = swapped[p.units.code]
            a, b = np.where(mine, p.answer[1], p.answer[0]), np.where(mine, p.answer[0], p.answer[1])
            values = scalars(confusion_matrix(p.truth, np.stack([a, b]), 4))[metric]
            noisy = values[:, 1:].mean(1)
            for q, figure in enumerate((values[:, 0], noisy, values[:, 0] - noisy, noisy / values[:, 0])):
                expected[i, q] = figure[0] - figure[1]
        least = np.abs(expected[0]) - 1e-9
        assert found == pytest.approx((np.abs(expected) >= least).mean(0)), metric


def test_five_units_cannot_show_anything_by_swapping():
    assert smallest_p(5) == 0.0625
    differences = np.arange(1.0, 6.0)[:, None]
    assert sign_flip(differences, draw_signs(5))[0] == 0.0625


def test_random_swaps_estimate_what_all_swaps_give():
    differences = np.random.default_rng(4).normal(0.4, 1, (14, 3))
    exact = sign_flip(differences, draw_signs(14, permutations=2**14))
    sampled = draw_signs(14, permutations=9_999)
    assert not sampled.exact and not sampled.swapped[0].any()
    assert sign_flip(differences, sampled) == pytest.approx(exact, abs=0.02)


def test_permutations_are_the_same_every_time_and_fair():
    one, two = draw_signs(40, 999), draw_signs(40, 999)
    assert (one.swapped == two.swapped).all()
    assert one.swapped[1:].mean() == pytest.approx(0.5, abs=0.01)


def test_anova_is_refused_for_few_units():
    p = World(5).draw(0)
    with pytest.raises(MerbenchError, match="over 5 speakers is refused"):
        model_by_corruption(p, (0, 1), "uar", p.of_kind("corruption"), draw_signs(5))


def test_anova_table_is_over_model_corruption_and_severity():
    p = World(12).draw(0)
    table = model_by_corruption(p, (0, 1), "uar", p.of_kind("corruption"), draw_signs(12, 99))
    assert {name: len(levels) for name, levels in table.factors.items()} == {
        "model": 2,
        "corruption": 3,
        "severity": 3,
    }
    assert len(table.effects) == 7
    assert table.effect("model", "corruption").df2 == 2 * 11
    for effect in table.effects:
        assert 1 / effect.df1 <= effect.epsilon <= 1 + 1e-9


def test_corruptions_without_a_common_severity_are_averaged():
    from merbench.types import Cell

    of = [
        Cell.clean(),
        *(
            Cell(corruption=f"audio/{name}", version=1, severity=s)
            for name, s in (("x", 1), ("x", 2), ("y", 3))
        ),
    ]
    p = toy(of=of)
    table = model_by_corruption(p, (0, 1), "uar", p.of_kind("corruption"), draw_signs(6))
    assert list(table.factors) == ["model", "corruption"]


def test_a_factor_that_changes_nothing_is_undefined_not_zero():
    table = np.repeat(np.random.default_rng(0).normal(size=(8, 1, 3)), 2, axis=1)
    effects = {e.name: e for e in repeated_measures(table, ["model", "noise"], draw_signs(8))}
    assert effects["model"].to_json()["f"] is None
    assert effects["noise"].to_json()["f"] is not None


def test_a_harmful_corruption_is_ranked_first_and_ties_share_ranks():
    rng = np.random.default_rng(1)
    n, units = 600, np.arange(600) % 20
    truth = np.arange(n) % 4
    share = np.array([0.95, 0.85, 0.85, 0.4])[:, None]
    from merbench.types import Cell

    of = [Cell.clean(), *(Cell(corruption=f"audio/{name}", version=1, severity=3) for name in "xyz")]
    answer = np.where(rng.uniform(size=(1, 4, n)) < share, truth, (truth + 1) % 4)
    p = panel(truth, answer, units, of=of)
    ranking = rank_corruptions(p, 0, "uar", "pooled", p.of_kind("corruption"))
    first, *rest = ranking.corruptions
    assert (first.corruption, first.best, first.worst) == ("audio/z", 1, 1)
    assert [(entry.best, entry.worst) for entry in rest] == [(2, 3), (2, 3)]


def test_simultaneous_critical_values_are_between_one_test_and_bonferroni():
    from merbench.statistics.intervals import critical

    table = np.random.default_rng(0).normal(size=(15, 8))
    found = simultaneous_critical(table, 14.0, 0.95)
    assert critical(14.0, 0.95) < found < critical(14.0, 1 - 0.05 / 8) * 1.03
    doubled = simultaneous_critical(np.hstack([table, table]), 14.0, 0.95)
    assert doubled == pytest.approx(found)  # the same question twice costs nothing
    one = simultaneous_critical(table[:, :1], 14.0, 0.95)
    assert one == pytest.approx(critical(14.0, 0.95), rel=0.03)


def test_mcnemar_needs_independent_utterances():
    with pytest.raises(MerbenchError, match="48 are of 6 known speakers"):
        mcnemar(toy(), 0, 1, 0)
    p = toy(units=48, unit="sample")
    found = mcnemar(p, 0, 1, 2)
    right = p.answer[:, 2] == p.truth
    assert found.only_a == (right[0] & ~right[1]).sum()
    assert found.cell_id == p.cells[2].cell_id
