"""A score says whether the model was trained on the data, or on nothing like it."""

from __future__ import annotations

import pytest

from merbench.corruption import corruptions
from merbench.evaluation.marks import marks_of
from merbench.models import UNRECORDED, TrainingRecord
from merbench.options import build
from merbench.suites.source import Facts
from merbench.types import Cell, Utterance

FACTS = Facts(
    dataset="ravdess",
    options={"seed": 0},
    split="test",
    labels=("sad", "happy"),
    label_counts={},
    text_informative=False,
    unit="speaker",
    restricted=True,
    licence="",
)
UTTERANCES = [Utterance(id=f"u{i}", label="sad", split="test", speaker=f"s{i % 2}") for i in range(4)]


def kinds(*records: TrainingRecord, unknown: bool = False, cells: tuple[Cell, ...] = ()) -> list[str]:
    return [mark.kind for mark in marks_of(None if unknown else records, FACTS, UTTERANCES, cells)]


def noisy(folds: tuple[int, ...]) -> Cell:
    return build(corruptions["audio/environment"], "audio/environment", {}, noise_folds=folds).cell(3)


def test_nobody_knows_what_it_was_trained_on():
    assert kinds(unknown=True) == ["unknown training data"]


def test_what_nobody_knows_of_a_part_hides_nothing_of_the_rest():
    seen = TrainingRecord(dataset="ravdess", samples=frozenset({"u1"}))
    assert kinds(seen, UNRECORDED) == ["contaminated", "unknown training data"]
    assert kinds(UNRECORDED) == ["unknown training data"]


def test_a_model_trained_on_nothing_carries_no_mark():
    assert kinds() == []


def test_other_data_is_out_of_domain():
    assert kinds(TrainingRecord(dataset="iemocap")) == ["out of domain"]


def test_the_same_dataset_without_a_record_of_samples_is_contaminated():
    assert kinds(TrainingRecord(dataset="ravdess")) == ["contaminated"]


@pytest.mark.parametrize(
    ("samples", "speakers", "expected"),
    [
        ({"u1", "x"}, {"s9"}, ["contaminated"]),
        ({"x"}, {"s1"}, ["contaminated"]),
        ({"x"}, {"s9"}, []),
        ({"x"}, None, []),
    ],
)
def test_overlap_of_samples_or_speakers_is_contamination(samples, speakers, expected):
    record = TrainingRecord(
        dataset="ravdess",
        samples=frozenset(samples),
        speakers=None if speakers is None else frozenset(speakers),
    )
    assert kinds(record) == expected


def test_the_same_generator_with_another_seed_is_other_data():
    assert kinds(TrainingRecord(dataset="ravdess", options={"seed": 1})) == []


def test_noise_that_a_model_was_hardened_with_is_contamination_on_any_data():
    learned = TrainingRecord(dataset="iemocap", noise=frozenset({"audio/environment fold 3"}))
    assert kinds(learned, cells=(Cell.clean(), noisy((10,)))) == ["out of domain"]
    assert kinds(learned, cells=(Cell.clean(), noisy((3, 10)))) == ["out of domain", "contaminated"]
