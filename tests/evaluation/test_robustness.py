"""Robustness scores are means of means, and are null where they mean nothing."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from merbench.evaluation.robustness import (
    area_under_severity,
    corruption_error,
    nested_weights,
    relative_corruption_error,
    robustness_score,
)

scores = st.floats(0.01, 1)
trees = st.dictionaries(
    st.sampled_from("av"),
    st.dictionaries(
        st.sampled_from("xyz"), st.dictionaries(st.integers(1, 5), scores, min_size=1), min_size=1
    ),
    min_size=1,
)


@given(trees)
def test_the_overall_mean_is_over_severities_then_corruptions_then_families(tree):
    leaves = {(f, c, s): m for f, cs in tree.items() for c, ss in cs.items() for s, m in ss.items()}
    expected = np.mean([np.mean([np.mean(list(ss.values())) for ss in cs.values()]) for cs in tree.values()])
    weights = nested_weights(list(leaves))
    assert weights.sum() == pytest.approx(1)
    assert weights @ np.array(list(leaves.values())) == pytest.approx(expected)


def test_a_family_with_many_corruptions_weighs_no_more_than_one_with_few():
    weights = nested_weights([("audio", "rain"), ("audio", "wind"), ("audio", "siren"), ("text", "typo")])
    assert weights == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2])


def test_a_score_is_the_drop_beside_clean_and_what_is_kept():
    score = robustness_score(0.8, 0.6)
    assert score == pytest.approx({"clean": 0.8, "noisy": 0.6, "drop": 0.2, "retention": 0.75})


def test_retention_of_nothing_is_undefined():
    assert robustness_score(0.0, 0.0) == {"clean": 0.0, "noisy": 0.0, "drop": 0.0, "retention": None}


def test_what_is_undefined_stays_undefined():
    assert robustness_score(0.5, nan) == {"clean": 0.5, "noisy": None, "drop": None, "retention": None}
    assert set(robustness_score(nan, 0.5).values()) == {None, 0.5}


@given(scores)
def test_the_area_of_an_unharmed_model_is_its_clean_metric(clean):
    assert area_under_severity(clean, dict.fromkeys(range(1, 6), clean)) == pytest.approx(clean)


def test_the_area_is_the_trapezoid_over_severity_0_to_5():
    noisy = {1: 0.8, 2: 0.6, 3: 0.4, 4: 0.2, 5: 0.0}
    assert area_under_severity(1.0, noisy) == pytest.approx(np.trapezoid([1, 0.8, 0.6, 0.4, 0.2, 0]) / 5)


def test_there_is_no_area_unless_all_five_severities_are_there():
    assert area_under_severity(1.0, {1: 0.9, 3: 0.5, 5: 0.1}) is None


def test_corruption_errors_are_relative_to_the_reference():
    ours, theirs = robustness_score(0.9, 0.7), robustness_score(0.8, 0.4)
    assert corruption_error(ours, theirs) == pytest.approx(0.3 / 0.6)
    assert relative_corruption_error(ours, theirs) == pytest.approx(0.2 / 0.4)


def test_a_reference_that_makes_no_error_or_does_not_drop_gives_no_figure():
    ours = robustness_score(0.9, 0.7)
    assert corruption_error(ours, robustness_score(1.0, 1.0)) is None
    assert relative_corruption_error(ours, robustness_score(0.5, 0.6)) is None
