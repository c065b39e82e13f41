"""Labels are matched by a table that can be looked at; nothing becomes another class unseen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from merbench.errors import MerbenchError
from merbench.labels import map_labels

RAVDESS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")


def test_words_for_the_same_emotion_are_matched():
    found = map_labels(["anger", "joy", "Sadness"], ["angry", "happy", "sad"], "strict")
    assert found.table == {"anger": "angry", "joy": "happy", "Sadness": "sad"}
    assert found.classes == ("angry", "happy", "sad")


def test_the_same_spelling_wins_over_the_same_concept():
    assert map_labels(["joy"], ["happiness", "joy"], "subset").table == {"joy": "joy"}


@pytest.mark.parametrize(
    "labels",
    [("happy", "sad", "angry", "fear", "disgust", "surprise"), ("hap", "sad", "ang", "fea", "dis", "sur")],
)
def test_the_six_basic_emotions_are_matched_across_datasets(labels):
    theirs = ("joy", "sadness", "anger", "fearful", "disgusted", "surprised")
    assert list(map_labels(labels, theirs, "strict").table.values()) == list(theirs)


def test_words_that_only_look_alike_are_not_matched():
    assert map_labels(["sad", "content"], ["sad", "contempt"], "subset").table["content"] is None


def test_strict_refuses_a_class_that_the_model_cannot_answer_and_names_it():
    with pytest.raises(MerbenchError, match="cannot answer the dataset's calm") as refused:
        map_labels(["happy", "sad"], ["happy", "sad", "calm"], "strict")
    assert "--labels subset" in str(refused.value)
    assert "--labels closed" in str(refused.value)


def test_strict_refuses_a_label_that_the_dataset_does_not_have_and_names_it():
    with pytest.raises(MerbenchError, match="nothing for the model's contempt"):
        map_labels(["happy", "sad", "contempt"], ["happy", "sad"], "strict")


def test_subset_scores_the_shared_classes_in_the_datasets_order():
    found = map_labels(["sad", "happy", "calm"], RAVDESS, "subset")
    assert found.classes == ("calm", "happy", "sad")


def test_closed_keeps_every_class():
    assert map_labels(["sad", "happy"], RAVDESS, "closed").classes == RAVDESS


@pytest.mark.parametrize("mode", ["strict", "subset", "closed"])
def test_nothing_in_common_is_refused(mode):
    with pytest.raises(MerbenchError, match="nothing in common"):
        map_labels(["cat", "dog"], RAVDESS, mode)


def test_a_label_that_could_mean_two_is_refused():
    with pytest.raises(MerbenchError, match="could be the dataset's joy or happiness"):
        map_labels(["happy"], ["joy", "happiness"], "subset")


@pytest.mark.parametrize(("ours", "theirs"), [(["sad", "sad"], ["sad"]), (["sad"], ["sad", "sad"])])
def test_a_label_that_is_listed_twice_is_refused(ours, theirs):
    with pytest.raises(MerbenchError, match="'sad' twice"):
        map_labels(ours, theirs, "strict")


def test_an_unknown_mode_is_refused():
    with pytest.raises(MerbenchError, match="--labels cannot be 'loose'"):
        map_labels(["sad"], ["sad"], "loose")


def test_probabilities_of_labels_that_mean_the_same_add_up():
    found = map_labels(["happy", "joy", "sad"], ["sad", "happy"], "strict")
    answers, in_set, probabilities = found.read_logits(np.log([[0.3, 0.3, 0.4]]))
    assert answers == ["happy"]
    assert in_set.tolist() == [True]
    assert probabilities == pytest.approx(np.array([[0.4, 0.6]]))


def test_an_answer_out_of_the_set_is_given_as_it_is_and_takes_its_probability_along():
    found = map_labels(["happy", "contempt"], ["happy", "sad"], "closed")
    answers, in_set, probabilities = found.read_logits(np.log([[0.2, 0.8]]))
    assert answers == ["contempt"]
    assert in_set.tolist() == [False]
    assert probabilities == pytest.approx(np.array([[0.2, 0.0]]))


@given(st.lists(st.lists(st.floats(-700, 700), min_size=4, max_size=4), min_size=1, max_size=5))
def test_probabilities_are_a_softmax_and_do_not_depend_on_the_batch(logits):
    found = map_labels(["happy", "joy", "sad", "contempt"], ["sad", "happy"], "subset")
    whole = found.read_logits(np.array(logits))[2]
    alone = np.concatenate([found.read_logits(np.array([row]))[2] for row in logits])
    assert np.array_equal(whole, alone)
    assert (whole >= 0).all()
    assert (whole.sum(axis=1) <= 1 + 1e-6).all()


def test_a_text_answer_may_use_any_word_for_a_class():
    found = map_labels(["happy", "sad"], ["happiness", "sadness", "fear"], "subset")
    assert found.read_answer("joyful") == "happiness"
    assert found.read_answer("fear") is None
    assert found.read_answer("hungry") is None


def test_the_table_is_part_of_the_result():
    found = map_labels(["joy", "contempt"], ["happy", "sad"], "closed")
    assert found.to_json() == {
        "mode": "closed",
        "classes": ["happy", "sad"],
        "table": {"joy": "happy", "contempt": None},
    }
