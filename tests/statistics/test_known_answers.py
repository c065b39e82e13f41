"""Each method against a worked example that others have published; only the numbers are theirs."""

from __future__ import annotations

import numpy as np
import pytest

from merbench.statistics.anova import repeated_measures
from merbench.statistics.classical import discordance, friedman
from merbench.statistics.compare import holm
from merbench.statistics.intervals import critical, p_value, spread, unit_df
from merbench.statistics.permutation import draw_signs, sign_flip


def test_paired_t_on_students_sleep_data():
    """Student, Biometrika 6, 1908: extra hours of sleep of ten patients under two drugs."""
    first = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    second = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
    variance, df = spread([first[None], second[None]], 9.0)
    error = variance**0.5
    estimate = first.mean() - second.mean()
    assert df == 9
    assert estimate / error == pytest.approx(-4.0621, abs=5e-5)
    assert p_value(estimate, error, df) == pytest.approx(0.002833, abs=5e-7)
    reach = critical(df, 0.95) * error
    assert (estimate - reach, estimate + reach) == pytest.approx((-2.4598858, -0.7001142), abs=1e-6)


def test_sign_flip_on_darwins_maize():
    """Fisher, The Design of Experiments, 1935, section 21: 15 pairs, 863 of 2^15 sums one-sided."""
    differences = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48], dtype=float)
    signs = draw_signs(15, permutations=2**15)
    assert signs.exact
    assert sign_flip(differences[:, None], signs)[0] == 2 * 863 / 2**15


def test_jackknife_on_the_law_schools():
    """Efron & Tibshirani, An Introduction to the Bootstrap, 1993, table 3.1: correlation .776, error .143."""
    lsat = [576, 635, 558, 578, 666, 580, 555, 661, 651, 605, 653, 575, 545, 572, 594]
    gpa = [3.39, 3.30, 2.81, 3.03, 3.44, 3.07, 3.00, 3.43, 3.36, 3.13, 3.12, 2.74, 2.76, 2.88, 2.96]
    schools = np.array([lsat, gpa])

    def correlation(kept: np.ndarray) -> float:
        return float(np.corrcoef(schools[:, kept])[0, 1])

    everyone = np.arange(15)
    whole = correlation(everyone)
    without = np.array([correlation(everyone != i) for i in everyone])
    pseudo = 15 * whole - 14 * without
    assert whole == pytest.approx(0.776, abs=5e-4)
    assert spread([pseudo[None]], 14.0).variance ** 0.5 == pytest.approx(0.1425, abs=5e-5)


def test_repeated_measures_on_eight_celebrities():
    """Field, Discovering Statistics, chapter on repeated measures: seconds until retching over four foods."""
    seconds = np.array(
        [
            [8, 7, 1, 6],
            [9, 5, 2, 5],
            [6, 2, 3, 8],
            [5, 3, 1, 9],
            [8, 4, 5, 8],
            [7, 5, 6, 7],
            [10, 2, 7, 2],
            [12, 6, 8, 1],
        ],
        dtype=float,
    )
    (effect,) = repeated_measures(seconds, ["food"], draw_signs(8))
    assert (effect.df1, effect.df2) == (3, 21)
    assert effect.f == pytest.approx(3.79, abs=5e-3)
    assert effect.p == pytest.approx(0.026, abs=5e-4)
    assert effect.epsilon == pytest.approx(0.533, abs=5e-4)
    assert effect.p_corrected == pytest.approx(0.063, abs=5e-4)
    assert effect.generalized_eta_squared == pytest.approx(0.327, abs=5e-4)


def test_mcnemar_on_airway_hyperresponsiveness():
    """Fagerland, Lydersen & Laake, BMC Medical Research Methodology 13, 2013: discordant pairs 1 and 7."""
    ratio, low, high, p = discordance(1, 7)
    assert p == pytest.approx(0.070, abs=5e-4)
    assert ratio == pytest.approx(1 / 7)
    assert low < ratio < 1 < high


def test_friedman_and_nemenyi_on_four_decision_trees():
    """Demsar, JMLR 7, 2006, table 6 and section 3.2.2: AUC on 14 datasets.

    Where the printed table has a tie (voting, .975), the paper ranks by more digits.
    """
    auc = np.array(
        [
            [0.763, 0.768, 0.771, 0.798],
            [0.599, 0.591, 0.590, 0.569],
            [0.954, 0.971, 0.968, 0.967],
            [0.628, 0.661, 0.654, 0.657],
            [0.882, 0.888, 0.886, 0.898],
            [0.936, 0.931, 0.916, 0.931],
            [0.661, 0.668, 0.609, 0.685],
            [0.583, 0.583, 0.563, 0.625],
            [0.775, 0.838, 0.866, 0.875],
            [1.000, 1.000, 1.000, 1.000],
            [0.940, 0.962, 0.965, 0.962],
            [0.619, 0.666, 0.614, 0.669],
            [0.972, 0.981, 0.9751, 0.975],
            [0.957, 0.978, 0.946, 0.970],
        ]
    )
    found = friedman(auc, ["C4.5", "+m", "+cf", "+m+cf"])
    assert found.mean_ranks == pytest.approx((3.143, 2.000, 2.893, 1.964), abs=5e-4)
    assert found.chi_squared == pytest.approx(9.28, abs=5e-3)
    assert found.f == pytest.approx(3.69, abs=5e-3)
    assert found.critical_difference == pytest.approx(1.25, abs=5e-3)


def test_holm_on_four_hypotheses():
    """Holm's procedure, worked by hand: 4 x .005, 3 x .01, 2 x .03, and never less than before."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]).tolist() == []


def test_holm_agrees_with_statsmodels():
    from statsmodels.stats.multitest import multipletests

    p = np.random.default_rng(0).uniform(size=40) ** 3
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_repeated_measures_agrees_with_statsmodels():
    import pandas as pd
    from statsmodels.stats.anova import AnovaRM

    rng = np.random.default_rng(0)
    table = rng.normal(size=(9, 2, 3, 4)) + rng.normal(size=(9, 1, 1, 1)) + np.arange(3)[:, None] * 0.3
    rows = [(*place, value) for place, value in np.ndenumerate(table)]
    long = pd.DataFrame(
        rows,
        columns=["who", "model", "noise", "level", "y"],
    )
    oracle = AnovaRM(long, "y", "who", within=["model", "noise", "level"]).fit().anova_table
    ours = {
        effect.name: effect for effect in repeated_measures(table, ["model", "noise", "level"], draw_signs(9))
    }
    assert len(oracle) == 7
    for name, line in oracle.iterrows():
        effect = ours[name.replace(":", " x ")]
        assert (effect.df1, effect.df2) == (line["Num DF"], line["Den DF"])
        assert effect.f == pytest.approx(line["F Value"], rel=1e-9)
        assert effect.p == pytest.approx(line["Pr > F"], rel=1e-6)


@pytest.mark.parametrize("sizes", [[7, 7, 7, 7], [3, 9, 20, 4, 4], list(range(1, 30))])
def test_degrees_of_freedom_are_those_of_the_quadratic_form(sizes):
    sizes = np.array(sizes)
    share, units = sizes / sizes.sum(), len(sizes)
    residual = np.eye(units) - np.outer(np.ones(units), share)
    covariance = residual @ np.diag(1 / sizes) @ residual.T
    form = np.diag((share / (1 - share)) ** 2) @ covariance
    expected = np.trace(form) ** 2 / np.trace(form @ form)
    assert unit_df(sizes, "pooled") == pytest.approx(expected)
    assert unit_df(sizes, "pooled") <= units - 1 + 1e-9
    assert unit_df(sizes, "unit mean") == units - 1
