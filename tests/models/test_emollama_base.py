"""`emollama-base`: how well the shipped network does, and that its record and its card are true."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.emotion_llama import by_subset, held_out
from merbench.datasets import datasets
from merbench.datasets.synthetic import bayes_ceiling
from merbench.evaluation.marks import marks_of
from merbench.models._emotion_llama import checkpoint
from merbench.models._load import load_model
from merbench.suites.plan import make_plan
from merbench.training.recipe import load_recipe
from merbench.types import MODALITIES, Batch
from tests.models.media import batch, without

HOME = Path(checkpoint.__file__).parent / "base"


@pytest.fixture(scope="module")
def model():
    return load_model("emollama-base")


@pytest.fixture(scope="module")
def record():
    return checkpoint.load_record(HOME)


@pytest.fixture(scope="module")
def card():
    return (HOME / "MODEL_CARD.md").read_text(encoding="utf-8")


def told(card: str) -> dict[str, tuple[float, float]]:
    """Ceiling and test accuracy of every subset of modalities, as the card's table has them."""
    rows = re.findall(r"^\| ([a-z+ ]+) \| ([\d.]+) \| ([\d.]+) \|$", card, re.MULTILINE)
    return {name.replace(" ", ""): (float(ceiling), float(test)) for name, ceiling, test in rows}


@pytest.fixture(scope="module")
def accuracy(model):
    """Its accuracy on 120 test utterances with each subset of modalities."""
    return by_subset(model, *held_out(120))


@pytest.fixture(scope="module")
def utterances():
    dataset, test = held_out(40)
    return Batch.of([dataset.load(u) for u in test])


class TestAccuracy:
    def test_of_one_modality_is_above_chance_and_far_below_all_three(self, accuracy):
        for modality in MODALITIES:
            assert 0.35 < accuracy[(modality,)] < accuracy[MODALITIES] - 0.15

    def test_of_two_lies_between(self, accuracy):
        for pair in itertools.combinations(MODALITIES, 2):
            assert max(accuracy[(m,)] for m in pair) < accuracy[pair] < accuracy[MODALITIES] + 0.03

    def test_of_all_three_is_near_what_the_card_says_and_below_the_ceiling(self, accuracy, card):
        assert accuracy[MODALITIES] == pytest.approx(told(card)["audio+vision+text"][1], abs=0.08)
        assert 0.8 < accuracy[MODALITIES] <= bayes_ceiling() + 0.03

    @pytest.mark.slow
    def test_is_what_the_card_says(self, model, card):
        for subset, value in by_subset(model, *held_out(1200)).items():
            assert told(card)["+".join(subset)][1] == pytest.approx(value, abs=0.003)


class TestAnswers:
    def test_written_and_scored_agree(self, utterances):
        both = load_model("emollama-base:answer=both")
        logits, texts = both.predict(utterances)
        scored = [both.labels[i] for i in np.argmax(logits, axis=1)]
        assert np.mean([both.parse(text) == label for text, label in zip(texts, scored, strict=True)]) > 0.95

    def test_are_probabilities_of_nearly_all_there_is(self, model, utterances):
        """After training hardly anything but a label is expected."""
        assert (np.exp(model.predict(utterances)).sum(axis=1) > 0.9).all()

    def test_to_nothing_at_all_are_the_same_for_every_row(self, model):
        logits = model.predict(without(batch(3), *MODALITIES))
        assert logits == pytest.approx(np.repeat(logits[:1], 3, axis=0), abs=1e-5)


class TestRecord:
    def test_the_recipe_on_record_is_the_committed_one(self, record):
        committed = json.loads(json.dumps(load_recipe("emollama-base").to_json()))
        assert record["recipe"] == committed

    def test_the_ids_and_speakers_it_was_trained_on_are_those_of_the_set(self, model, record):
        (trained,) = model.trained_on
        dataset = datasets["synthetic"](train=len([i for i in trained.samples if i.startswith("train")]))
        rows = [u for u in dataset.utterances() if u.split in ("train", "validation")]
        assert trained.samples == {u.id for u in rows}
        assert trained.speakers == {u.speaker for u in rows}
        assert trained.noise == frozenset()

    @pytest.mark.parametrize(
        ("seed", "split", "marks"),
        [
            (0, "test", []),
            (0, "train", ["contaminated"]),
            (0, "validation", ["contaminated"]),
            (1, "train", []),
        ],
    )
    def test_evaluation_knows_what_it_has_seen(self, model, seed, split, marks):
        plan = make_plan(datasets["synthetic"](seed=seed), [], (), split=split, limit=20)
        assert [m.kind for m in marks_of(model.trained_on, plan.facts, plan.index(), plan.cells)] == marks

    def test_the_card_tells_ceilings_and_the_score_on_record(self, card, record):
        figures = told(card)
        for size in (1, 2, 3):
            for subset in itertools.combinations(MODALITIES, size):
                assert figures["+".join(subset)][0] == pytest.approx(bayes_ceiling(subset), abs=0.0006)
        # The record's figure is of 32-bit weights, the shipped ones have 16.
        assert figures["audio+vision+text"][1] == pytest.approx(
            record["scores"]["test"]["accuracy"], abs=0.003
        )

    def test_it_is_small(self, model):
        weights, described = checkpoint.files(HOME)
        assert weights.stat().st_size + described.stat().st_size < 4_000_000
        assert 1_000_000 < sum(p.numel() for p in model.network.parameters()) < 2_000_000
        assert json.loads(described.read_text())["config"] == model.config.to_json()
