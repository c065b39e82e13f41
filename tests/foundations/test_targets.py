"""What a dataset asks beside the label, and where a model's values go."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from merbench.errors import MerbenchError
from merbench.targets import Task, map_targets

STEPS = ("bad", "poor", "fair", "good", "best")
SENTIMENT = Task(kind="dimensional", targets=("sentiment",), low=-2, steps=STEPS)
VALENCE = Task(kind="dimensional", targets=("valence", "arousal"))
EMOTIONS = Task(kind="multi-label", targets=("happy", "sad"))
VOTES = Task(kind="soft", targets=("happy", "sad"))


@pytest.mark.parametrize("task", [SENTIMENT, VALENCE, EMOTIONS, VOTES])
def test_a_task_is_read_back_as_it_was_written(task):
    assert Task.from_json(json.loads(json.dumps(task.to_json()))) == task


def test_a_value_has_the_label_of_the_nearest_step_and_halves_go_to_the_even_one():
    values = np.array([[-9.0], [-2.0], [-0.5], [0.49], [0.5], [1.5], [7.0]])
    assert SENTIMENT.label(values, STEPS) == ["bad", "bad", "fair", "fair", "fair", "best", "best"]


@given(st.floats(-5, 5))
def test_the_step_is_never_further_than_half_a_step_away(value):
    step = int(SENTIMENT.step(np.array(value))) - 2
    assert abs(np.clip(value, -2, 2) - step) <= 0.5


def test_the_strongest_of_the_labels_that_are_present_or_the_one_for_none():
    values = np.array([[0.5, 0.2], [0.6, 0.9], [0.4, 0.49], [0.7, 0.7]])
    assert EMOTIONS.label(values, ("happy", "sad", "neutral")) == ["happy", "sad", "neutral", "happy"]


def test_the_greatest_share_names_the_label():
    assert VOTES.label(np.array([[0.4, 0.6], [0.5, 0.5]]), ("happy", "sad")) == ["sad", "happy"]


def test_only_steps_and_distributions_name_labels():
    assert [t.names_labels for t in (SENTIMENT, VALENCE, EMOTIONS, VOTES)] == [True, False, True, True]


def test_values_go_by_name_and_what_a_model_lacks_is_missing():
    found = map_targets(("dominance", "valence"), VALENCE)
    values = found.read(np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert values[:, 0].tolist() == [2, 4]
    assert np.isnan(values[:, 1]).all()
    assert found.names_labels is False


def test_nothing_in_common_is_no_map():
    assert map_targets(("valence",), SENTIMENT) is None
    assert map_targets(("valence",), None) is None


def test_a_part_of_the_labels_names_none():
    assert map_targets(("sentiment",), SENTIMENT).names_labels
    assert map_targets(("sad",), EMOTIONS).names_labels is False


def test_a_target_is_listed_once():
    with pytest.raises(MerbenchError, match="lists the target 'valence' twice; list each target once"):
        map_targets(("valence", "valence"), VALENCE)


@pytest.mark.parametrize(
    ("task", "values", "why"),
    [
        (EMOTIONS, [0.5, 1.5], "answered 1.5 as the probability of 'sad'"),
        (EMOTIONS, [-0.1, 0.5], "answered -0.1 as the probability of 'happy'"),
        (VOTES, [0.7, 0.7], "a distribution that sums to 1.400"),
    ],
)
def test_what_is_no_probability_is_refused(task, values, why):
    with pytest.raises(MerbenchError, match=why):
        map_targets(task.targets, task).read(np.array([values]))


def test_numbers_of_a_scale_may_leave_it():
    assert map_targets(("sentiment",), SENTIMENT).read(np.array([[17.0]])).tolist() == [[17.0]]
