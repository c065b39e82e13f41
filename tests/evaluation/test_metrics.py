"""Metrics agree with scikit-learn, and what is undefined is null."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from merbench.evaluation import metrics
from merbench.evaluation.metrics import confusion_matrix, expected_calibration_error, per_class, scalars


@st.composite
def answers(draw):
    """Draw (truth, answer, C) where classes may be absent and answers may be no class at all (C)."""
    classes = draw(st.integers(2, 5))
    n = draw(st.integers(1, 40))
    truth = draw(st.lists(st.integers(0, classes - 1), min_size=n, max_size=n))
    answer = draw(st.lists(st.integers(0, classes), min_size=n, max_size=n))
    return np.array(truth), np.array(answer), classes


def one(truth, answer, classes) -> dict[str, float | None]:
    return {k: metrics.to_json(v) for k, v in scalars(confusion_matrix(truth, answer, classes)).items()}


@given(answers())
def test_averages_are_those_of_scikit_learn_over_the_classes_with_a_true_sample(given_answers):
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    truth, answer, classes = given_answers
    ours = one(truth, answer, classes)
    present = sorted(set(truth.tolist()))
    theirs = {
        average: precision_recall_fscore_support(
            truth, answer, labels=present, average=average, zero_division=np.nan
        )
        for average in ("macro", "weighted")
    }

    def same(mine, reference):
        return mine is None if np.isnan(reference) else mine == pytest.approx(reference)

    assert ours["accuracy"] == pytest.approx(accuracy_score(truth, answer))
    assert same(ours["uar"], theirs["macro"][1])
    assert same(ours["macro_precision"], theirs["macro"][0])
    assert same(ours["weighted_precision"], theirs["weighted"][0])
    assert same(ours["macro_f1"], theirs["macro"][2])
    assert same(ours["weighted_f1"], theirs["weighted"][2])


@given(answers())
def test_figures_per_class_are_those_of_scikit_learn(given_answers):
    from sklearn.metrics import precision_recall_fscore_support

    truth, answer, classes = given_answers
    names = [f"c{c}" for c in range(classes)]
    ours = per_class(confusion_matrix(truth, answer, classes), names)
    theirs = precision_recall_fscore_support(
        truth, answer, labels=range(classes), average=None, zero_division=np.nan
    )
    for name, p, r, f, n in zip(names, *theirs, strict=True):
        assert ours[name]["n"] == n
        if n == 0:
            assert ours[name] == {"n": 0, "precision": None, "recall": None, "f1": None}
        else:
            assert ours[name]["recall"] == pytest.approx(r)
            assert ours[name]["f1"] == pytest.approx(f)
            assert ours[name]["precision"] == (None if np.isnan(p) else pytest.approx(p))


@given(answers(), st.integers(1, 3))
def test_many_cells_and_groups_at_once_equal_one_by_one(given_answers, group_count):
    truth, answer, classes = given_answers
    stack = np.stack([answer, np.roll(answer, 1), np.full_like(answer, classes)])
    groups = np.arange(len(truth)) % (group_count + 1) - 1
    together = confusion_matrix(truth, stack, classes)
    by_group = confusion_matrix(truth, stack, classes, groups, group_count)
    for k in range(3):
        assert np.array_equal(together[k], confusion_matrix(truth, stack[k], classes))
        for g in range(group_count):
            rows = groups == g
            assert np.array_equal(by_group[k, g], confusion_matrix(truth[rows], stack[k][rows], classes))


def test_the_last_column_holds_answers_that_are_no_class():
    confusion = confusion_matrix(np.array([0, 0, 1]), np.array([0, 2, 2]), 2)
    assert confusion.tolist() == [[1, 0, 1], [0, 0, 1]]


def test_an_answer_out_of_the_set_is_wrong_for_its_class_and_false_for_none():
    figures = one(np.array([0, 0, 1]), np.array([0, 2, 1]), 2)
    assert figures["uar"] == pytest.approx(0.75)
    assert figures["macro_precision"] == 1.0


def test_an_absent_class_leaves_every_average():
    assert one(np.array([0, 1]), np.array([0, 2]), 3)["uar"] == 0.5


def test_a_class_that_is_never_answered_has_recall_and_f1_zero_but_no_precision():
    found = per_class(confusion_matrix(np.array([0, 1]), np.array([0, 0]), 2), ["a", "b"])
    assert found["b"] == {"n": 1, "precision": None, "recall": 0.0, "f1": 0.0}


def test_nothing_is_defined_over_no_samples():
    empty = np.array([], dtype=np.int64)
    assert set(one(empty, empty, 3).values()) == {None}


def test_calibration_error_is_the_mean_gap_between_confidence_and_accuracy():
    confidence = np.array([0.9, 0.9, 0.55, 0.55])
    right = np.array([True, True, True, False])
    assert expected_calibration_error(confidence, right) == pytest.approx((2 * 0.1 + 2 * 0.05) / 4)


def test_a_confidence_on_an_edge_belongs_to_the_bin_below_it():
    # Bins of width 1/2: 0.5 is in the lower one, so the two gaps do not cancel.
    error = expected_calibration_error(np.array([0.5, 0.7]), np.array([True, False]), bins=2)
    assert error == pytest.approx((0.5 + 0.7) / 2)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_calibration_error_is_guos_sum_over_bins(pairs):
    confidence, right = np.array([c for c, _ in pairs]), np.array([r for _, r in pairs])
    # Edges such as 1/15 are rounded numbers themselves, so a confidence on one could fall on either side.
    assume(not np.isclose(confidence * 15, np.rint(confidence * 15)).any())
    expected = 0.0
    for m in range(1, 16):
        low, high = (m - 1) / 15, m / 15
        rows = (confidence > low) & (confidence <= high)
        if rows.any():
            expected += rows.sum() / len(pairs) * abs(right[rows].mean() - confidence[rows].mean())
    assert expected_calibration_error(confidence, right) == pytest.approx(expected)


def test_answers_without_a_confidence_are_left_out_of_the_calibration_error():
    assert expected_calibration_error(np.array([1.0, np.nan]), np.array([True, False])) == 0.0
    assert expected_calibration_error(np.array([np.nan]), np.array([False])) is None
