"""Metrics of targets against scikit-learn, SciPy and their definitions, and what must hold of any data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cosine as cosine_distance
from scipy.spatial.distance import jensenshannon
from scipy.stats import pearsonr
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    mean_absolute_error,
    mean_squared_error,
)

from merbench.evaluation import target_metrics as m
from merbench.targets import Task

SENTIMENT = Task(kind="dimensional", targets=("sentiment",), low=-3, steps=tuple("abcdefg"))
AFFECT = Task(kind="dimensional", targets=("valence", "arousal"), low=1, steps=tuple("abcde"))
VALENCE = Task(kind="dimensional", targets=("valence",))
EMOTIONS = Task(kind="multi-label", targets=("happy", "sad", "anger"))
VOTES = Task(kind="soft", targets=("happy", "sad", "anger"))

thirds = st.integers(-9, 9).map(lambda k: k / 3)  # as three raters give them
columns = st.integers(2, 12).flatmap(
    lambda n: st.tuples(
        arrays(float, (n, 1), elements=thirds),
        arrays(float, (2, n, 1), elements=st.floats(-4, 4, width=32)),
    )
)
present = st.integers(2, 12).flatmap(
    lambda n: st.tuples(
        arrays(float, (n, 3), elements=st.sampled_from([0.0, 1.0])),
        arrays(float, (2, n, 3), elements=st.integers(0, 8).map(lambda k: k / 8)),
    )
)


def spread(shape):
    """Distributions, some with shares of 0."""
    counts = arrays(int, shape, elements=st.integers(0, 6))
    return counts.map(lambda c: np.where(c.sum(-1, keepdims=True) > 0, c, 1)).map(
        lambda c: c / c.sum(-1, keepdims=True)
    )


votes = st.integers(1, 8).flatmap(lambda n: st.tuples(spread((n, 3)), spread((2, n, 3))))
NO_F1 = np.zeros(2)


@settings(max_examples=20)
@given(columns)
def test_errors_and_correlation_are_those_of_the_libraries(pair):
    truth, values = pair
    found = m.scalars(SENTIMENT, truth, values, NO_F1)
    for k in range(2):
        t, v = truth[:, 0], values[k, :, 0]
        assert found["mae"][k] == pytest.approx(mean_absolute_error(t, v))
        assert found["mse"][k] == pytest.approx(mean_squared_error(t, v))
        if np.ptp(t) > 1e-3 and np.ptp(v) > 1e-3:
            assert found["pearson"][k] == pytest.approx(pearsonr(t, v).statistic, abs=1e-9)


@settings(max_examples=20)
@given(columns)
def test_concordance_is_lins_and_never_beyond_the_correlation(pair):
    truth, values = pair
    t, v = truth[:, 0], values[0, :, 0]
    found = m.concordance(truth, values)[0, 0]
    whole = t.var() + v.var() + (t.mean() - v.mean()) ** 2
    if whole > 1e-9:
        assert found == pytest.approx(2 * ((t - t.mean()) * (v - v.mean())).mean() / whole, abs=1e-9)
        r = m.pearson(truth, values)[0, 0]
        assert abs(found) <= (abs(r) if not np.isnan(r) else 0) + 1e-9
    assert m.concordance(truth, truth[None])[0, 0] == pytest.approx(1) or np.ptp(t) == 0


def test_what_a_constant_answer_is_worth():
    truth = np.array([[-1.0], [0.0], [2.0]])
    found = m.scalars(SENTIMENT, truth, np.full((1, 3, 1), 0.3), np.zeros(1))
    assert np.isnan(found["pearson"][0])
    assert found["ccc"][0] == 0
    same = m.concordance(np.full((3, 1), 2.0), np.full((1, 3, 1), 2.0))
    assert np.isnan(same[0, 0])


@settings(max_examples=20)
@given(columns)
def test_both_conventions_of_two_classes_are_those_of_the_literature(pair):
    truth, values = pair
    t, v = truth[:, 0], values[0, :, 0]
    found = m.signed(t, values[..., 0])
    assert found["acc2"][0] == pytest.approx(accuracy_score(t >= 0, v >= 0))
    assert found["f1"][0] == pytest.approx(f1_score(t >= 0, v >= 0, average="weighted", zero_division=0))
    felt = t != 0
    if felt.any():
        assert found["acc2_nonzero"][0] == pytest.approx(accuracy_score(t[felt] > 0, v[felt] > 0))
        expected = f1_score(t[felt] > 0, v[felt] > 0, average="weighted", zero_division=0)
        assert found["f1_nonzero"][0] == pytest.approx(expected)
    else:
        assert np.isnan(found["acc2_nonzero"][0])


def test_a_truth_of_zero_counts_in_one_convention_only():
    found = m.signed(np.array([0.0, 0.0, 1.0, -1.0]), np.array([0.5, -0.5, 0.0, -2.0]))
    assert found["acc2"] == 0.75  # 0 is not negative, whether true or told
    assert found["acc2_nonzero"] == 0.5  # of 1 and -1; a value of 0 is not positive


@settings(max_examples=20)
@given(columns)
def test_seven_classes_are_the_rounded_scale(pair):
    truth, values = pair
    found = m.scalars(SENTIMENT, truth, values, NO_F1)["acc7"][1]
    told = np.round(np.clip(values[1], -3, 3))
    assert found == pytest.approx((told == np.round(np.clip(truth, -3, 3))).mean())


def test_a_figure_of_several_targets_is_their_mean_and_undefined_if_one_is():
    truth = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 3.0]])
    values = np.stack([truth + np.array([1, 0]), np.where([[True, False]] * 3, truth, np.nan)])
    found, each = m.scalars(AFFECT, truth, values, NO_F1), m.by_target(AFFECT, truth, values)
    assert each["mae"].tolist()[0] == [1.0, 0.0]
    assert each["mae"][1, 0] == 0
    assert np.isnan(each["mae"][1, 1])
    assert found["mae"][0] == 0.5
    assert np.isnan(found["mae"][1])
    assert np.isnan(found["acc5"][1])


def test_the_score_of_mer2023_weighs_the_squared_error_against_the_f1():
    truth = np.array([[1.0], [-2.0]])
    found = m.scalars(VALENCE, truth, truth[None] + 2, np.array([0.9]))
    assert found["mer2023_score"][0] == pytest.approx(0.9 - 0.25 * 4)
    assert "mer2023_score" not in m.metrics_of(SENTIMENT) + m.metrics_of(AFFECT)


@settings(max_examples=20)
@given(present)
def test_several_labels_are_scored_as_by_scikit_learn(pair):
    truth, values = pair
    each = m.by_target(EMOTIONS, truth, values)
    found = m.scalars(EMOTIONS, truth, values, NO_F1)
    told = values[0] >= 0.5
    kept = truth.any(0)
    for t in range(3):
        if kept[t]:
            assert each["f1"][0, t] == pytest.approx(f1_score(truth[:, t], told[:, t], zero_division=0))
            expected = average_precision_score(truth[:, t], values[0, :, t])
            assert each["average_precision"][0, t] == pytest.approx(expected)
        else:
            assert np.isnan(each["f1"][0, t])
            assert np.isnan(each["average_precision"][0, t])
        if 0 < truth[:, t].sum() < len(truth):
            expected = balanced_accuracy_score(truth[:, t], told[:, t])
            assert each["weighted_accuracy"][0, t] == pytest.approx(expected)
    if kept.any():
        assert found["multilabel_f1"][0] == pytest.approx(each["f1"][0, kept].mean())
        assert found["map"][0] == pytest.approx(each["average_precision"][0, kept].mean())
        micro = f1_score(truth.astype(int), told.astype(int), average="micro", zero_division=0)
        assert found["multilabel_micro_f1"][0] == pytest.approx(micro)


@settings(max_examples=20)
@given(votes)
def test_distributions_are_compared_as_by_scipy(pair):
    truth, values = pair
    found = m.js_divergence(truth, values)
    expected = jensenshannon(np.broadcast_to(truth, values.shape), values, base=2, axis=-1) ** 2
    assert found == pytest.approx(np.nan_to_num(expected), abs=1e-7)
    assert ((found >= 0) & (found <= 1)).all()
    assert m.js_divergence(values[0], truth[None]) == pytest.approx(found[:1])  # symmetric
    angle = m.cosine(truth, values)
    for i in range(len(truth)):
        assert angle[0, i] == pytest.approx(1 - cosine_distance(truth[i], values[0, i]), abs=1e-9)


def test_distributions_at_both_ends():
    one, other = np.eye(3)[[0]], np.eye(3)[[1]]
    assert m.js_divergence(one, one[None]) == 0
    assert m.js_divergence(one, other[None]) == 1
    # What goes to answers out of the set is shared with nobody.
    assert m.js_divergence(one, np.zeros((1, 1, 3))) == 1


@pytest.mark.parametrize("task", [SENTIMENT, AFFECT, VALENCE, EMOTIONS, VOTES])
def test_without_values_every_figure_is_undefined(task):
    truth = np.full((4, len(task.targets)), 1 / len(task.targets))
    values = np.full((2, *truth.shape), np.nan)
    found = m.scalars(task, truth, values, np.ones(2))
    assert tuple(found) == m.metrics_of(task)
    assert all(np.isnan(figure).all() for figure in found.values())
    assert set(found) <= m.METRICS.keys()
