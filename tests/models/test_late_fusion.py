"""`late-fusion`: how well it does, what it must survive, and that its record and its card are true."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest

from benchmarks.synthetic import by_subset
from merbench.datasets import datasets
from merbench.datasets.synthetic import Synthetic, bayes_ceiling
from merbench.errors import MerbenchError
from merbench.evaluation.marks import marks_of
from merbench.models._late_fusion import checkpoint, features
from merbench.models._load import load_model
from merbench.models.late_fusion import LateFusion
from merbench.rng import Stream
from merbench.suites.plan import make_plan
from merbench.types import MODALITIES, Batch, Packed
from tests.models.media import batch, without

HOME = Path(checkpoint.__file__).parent


@pytest.fixture(scope="module")
def model():
    return LateFusion()


@pytest.fixture(scope="module")
def record():
    return checkpoint.load_record(HOME)


@pytest.fixture(scope="module")
def accuracy():
    """Its accuracy on the default test split with each subset of modalities."""
    dataset = Synthetic()
    test = [u for u in dataset.utterances() if u.split == "test"]
    return {subset: right.mean() for subset, right in by_subset(dataset, test)}


class TestAccuracy:
    def test_of_one_modality_is_far_above_chance_and_far_below_all_three(self, accuracy):
        for modality in MODALITIES:
            assert 0.5 < accuracy[(modality,)] < 0.75

    def test_of_two_lies_between(self, accuracy):
        for pair in itertools.combinations(MODALITIES, 2):
            assert max(accuracy[(m,)] for m in pair) + 0.1 < accuracy[pair] < accuracy[MODALITIES]

    def test_of_all_three_is_at_least_90_percent_and_below_the_ceiling(self, accuracy):
        assert 0.9 <= accuracy[MODALITIES] < bayes_ceiling()

    def test_is_the_one_on_record(self, accuracy, record):
        for subset, value in accuracy.items():
            assert record["accuracy"]["test"]["+".join(subset)] == pytest.approx(value, abs=0.005)


class TestMissing:
    def test_nothing_at_all_gives_the_prior(self, model):
        logits = model.predict(without(batch(3), *MODALITIES))
        assert np.exp(logits).sum(axis=1) == pytest.approx(1)
        assert (logits == logits[0]).all()
        assert np.exp(logits[0]) == pytest.approx(1 / 6, abs=0.001)

    def test_a_missing_modality_adds_nothing(self, model):
        full = batch(4)
        prior = model.predict(without(full, *MODALITIES))
        alone = {m: model.predict(full.only(m)) - prior for m in MODALITIES}
        assert model.predict(full) == pytest.approx(prior + sum(alone.values()), abs=1e-4)
        assert model.predict(without(full, "text")) == pytest.approx(
            prior + alone["audio"] + alone["vision"], abs=1e-4
        )


class TestRows:
    def test_a_row_does_not_depend_on_its_batch_mates(self, model):
        """A short clip beside a long one is padded: nothing of that may be heard."""
        lengths = (100, 8_000, 64_000, 33_333)
        audio = Packed.of(
            [np.rint(Stream.of(str(n)).normal(n) * 2000).astype(np.int16) for n in lengths], np.int16
        )
        mixed = Batch(audio, (16_000,) * 4, Packed.of([None] * 4, np.uint8), (None,) * 4, (None,) * 4)
        together = model.predict(mixed)
        for i in range(4):
            assert model.predict(mixed.take([i]))[0] == pytest.approx(together[i], abs=1e-4)

    @pytest.mark.parametrize(
        "text", ["", "…", "日本語の文章です", "Πάμε σπίτι", "🙂🙂", "a" * 5000, "no " * 300]
    )
    def test_any_text_gets_an_answer(self, model, text):
        one = without(batch(1), "audio", "vision").replace(text=(text,))
        assert np.isfinite(model.predict(one)).all()

    @pytest.mark.parametrize("frames", [1, 2, 3, 25])
    @pytest.mark.parametrize("side", [48, 224])
    def test_any_number_of_frames_gets_an_answer(self, model, frames, side):
        one = batch(2, frames=frames, frame_size=side).only("vision")
        assert np.isfinite(model.predict(one)).all()

    @pytest.mark.parametrize("sound", [np.zeros(16_000), np.zeros(1), np.zeros(0), np.full(9_000, 32_767)])
    def test_silence_nothing_and_a_constant_get_an_answer(self, model, sound):
        full = batch(1)
        one = full.replace(audio=Packed.of([sound.astype(np.int16)], np.int16)).only("audio")
        assert np.isfinite(model.predict(one)).all()

    def test_loudness_is_no_cue(self, model):
        quiet = batch(4).only("audio")
        loud = quiet.replace(audio=quiet.audio.with_values(quiet.audio.values * 2))
        assert model.predict(loud) == pytest.approx(model.predict(quiet), abs=0.02)

    def test_a_typo_changes_some_of_a_word_and_not_all_of_it(self):
        (right,), (wrong,) = features.words("furious"), features.words("furoius")
        assert 0.2 < len(set(right) & set(wrong)) / len(right) < 0.9


class TestRecord:
    def test_the_ids_and_speakers_it_was_trained_on_are_those_of_the_set(self, model, record):
        (trained,) = model.trained_on
        sizes = record["trained_on"]["samples"]
        rows = [u for u in Synthetic(**sizes).utterances() if u.split in sizes]
        assert trained.samples == {u.id for u in rows}
        assert trained.speakers == {u.speaker for u in rows}

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
        dataset = datasets["synthetic"](seed=seed)
        plan = make_plan(dataset, [], (), split=split, limit=20)
        assert [m.kind for m in marks_of(model.trained_on, plan.facts, plan.index(), plan.cells)] == marks

    def test_the_recipe_on_record_is_the_committed_one(self, record):
        from merbench.training import late_fusion

        assert record["recipe"] == tomllib.loads(late_fusion.RECIPE.read_text(encoding="utf-8"))

    def test_the_card_says_what_the_record_says(self, record):
        card = (HOME / "MODEL_CARD.md").read_text(encoding="utf-8")
        rows = re.findall(r"^\| ([a-z+ ]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|", card, re.MULTILINE)
        told = {name.replace(" ", ""): tuple(map(float, figures)) for name, *figures in rows}
        known = {
            name: (ceiling, record["accuracy"]["validation"][name], record["accuracy"]["test"][name])
            for name, ceiling in record["bayes_ceiling"].items()
        }
        assert told == {name: tuple(round(x, 3) for x in row) for name, row in known.items()}

    def test_it_is_small(self):
        weights, _ = checkpoint.files(HOME)
        assert weights.stat().st_size < 2_000_000
        parameters = sum(p.numel() for p in checkpoint.load_network(HOME, 6).parameters())
        assert 200_000 < parameters < 500_000


class TestFolder:
    def test_a_model_trained_elsewhere_has_another_fingerprint(self, model, tmp_path):
        for path in checkpoint.files(HOME):
            shutil.copy(path, tmp_path)
        assert load_model(f"late-fusion:folder={tmp_path}").fingerprint() == model.fingerprint()
        record = json.loads((tmp_path / "record.json").read_text())
        (tmp_path / "record.json").write_text(json.dumps({**record, "recipe": {}}))
        assert load_model(f"late-fusion:folder={tmp_path}").fingerprint() != model.fingerprint()

    def test_a_folder_without_a_record_is_refused(self, tmp_path):
        with pytest.raises(MerbenchError, match=r"record\.json is not the record of a late-fusion model"):
            load_model(f"late-fusion:folder={tmp_path}")

    @pytest.mark.parametrize("damage", [b"", b"\x00" * 100])
    def test_damaged_weights_are_refused(self, tmp_path, damage):
        weights, record = checkpoint.files(HOME)
        shutil.copy(record, tmp_path)
        (tmp_path / weights.name).write_bytes(damage or weights.read_bytes()[:5000])
        broken = load_model(f"late-fusion:folder={tmp_path}")
        with pytest.raises(MerbenchError, match="does not hold a late-fusion model"):
            broken.predict(batch(1))


class TestTraining:
    @pytest.fixture
    def tiny(self):
        from merbench.training.late_fusion import RECIPE

        recipe = tomllib.loads(RECIPE.read_text(encoding="utf-8"))
        recipe["data"] |= {"train": 64, "validation": 12, "test": 12}
        recipe["training"] |= {"epochs": 1}
        return recipe

    def test_the_same_recipe_gives_the_same_bytes(self, tiny, tmp_path):
        from merbench.training.late_fusion import train

        made = [tmp_path / "one", tmp_path / "other"]
        for folder in made:
            train(tiny, folder)
        one, other = ([path.read_bytes() for path in checkpoint.files(folder)] for folder in made)
        assert one == other
        assert np.isfinite(load_model(f"late-fusion:folder={made[0]}").predict(batch(2))).all()

    @pytest.mark.slow
    def test_the_committed_recipe_makes_a_model_as_good_as_the_shipped_one(self, tmp_path, record):
        from merbench.training.late_fusion import train

        again = train(record["recipe"], tmp_path)
        for subset, value in record["accuracy"]["test"].items():
            assert again["accuracy"]["test"][subset] == pytest.approx(value, abs=0.05)
