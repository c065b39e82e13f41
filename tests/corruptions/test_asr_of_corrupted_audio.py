"""What `compound/asr_of_corrupted_audio` owes beyond the contract: transcripts, and how wrong they are."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corruptions._checkpoints import checkpoint_hash
from corruptions.compound._errors import edit_distance, word_error_rate
from corruptions.compound._recogniser import Recogniser
from merbench.corruption import corruptions
from merbench.errors import MerbenchError
from merbench.options import build, canonical
from merbench.types import Batch
from tests.corruptions.samples import ordinary, pool
from tests.models import transformers_models

NAME = "compound/asr_of_corrupted_audio"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("recognisers")
    return {
        "ctc": transformers_models.ctc(place / "ctc"),
        "small letters": transformers_models.ctc(place / "small", letters="abcdefghijklmnopqrstuvwxyz"),
        "whisper": transformers_models.whisper(place / "whisper"),
    }


def made(folder, **options):
    return build(corruptions[NAME], NAME, {"asr": folder, **options})


def spoil(corruption, samples, severity):
    params = corruption.draw_all(samples, pool(samples), "tests")
    return corruption.apply(Batch.of(samples), params, pool(samples), **corruption.strength(severity))


class TestErrors:
    @pytest.mark.parametrize(
        ("reference", "hypothesis", "rate"),
        [
            ("we walk home", "we walk home", 0),
            ("We walk, home!", "WE WALK HOME", 0),
            ("don\u2019t go", "don't go", 0),
            ("we walk home", "we talk home", 1 / 3),  # a substitution
            ("we walk home", "walk home", 1 / 3),  # a deletion
            ("we walk home", "we walk right home", 1 / 3),  # an insertion
            ("we walk", "", 1),
            ("home", "we walk home again", 3),  # more errors than words
            ("我今天很高兴", "我今天高兴吗", 2 / 6),  # by character
            ("", "we", None),
            ("!?", "we", None),
        ],
    )
    def test_known_rates(self, reference, hypothesis, rate):
        assert word_error_rate(reference, hypothesis) == (None if rate is None else pytest.approx(rate))

    @given(*[st.lists(st.sampled_from("abc"), max_size=6)] * 3)
    def test_it_is_a_distance(self, a, b, c):
        assert edit_distance(a, a) == 0
        assert edit_distance(a, b) == edit_distance(b, a)
        assert (edit_distance(a, b) == 0) == (a == b)
        assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)
        assert abs(len(a) - len(b)) <= edit_distance(a, b) <= max(len(a), len(b))


class TestRecogniser:
    @pytest.mark.parametrize("kind", ["ctc", "whisper"])
    def test_it_writes_what_the_librarys_own_pipeline_writes(self, folders, kind):
        from transformers import pipeline

        greedy = {"generate_kwargs": {"num_beams": 1, "do_sample": False}} if kind == "whisper" else {}
        oracle = pipeline("automatic-speech-recognition", model=str(folders[kind]), device="cpu", **greedy)
        recogniser = Recogniser(folders[kind], kind)
        for sample in ordinary(4):
            told = oracle({"raw": sample.audio / np.float32(32768), "sampling_rate": 16_000})["text"]
            letters = re.sub("<[^>]*>", "", told)  # the pipeline leaves special tokens in
            assert recogniser.transcribe(sample.audio, 16_000) == letters.strip().lower() != ""

    def test_other_rates_are_converted(self, folders):
        recogniser = Recogniser(folders["ctc"], "ctc")
        tone = (8_000 * np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100)).astype(np.int16)
        same = (8_000 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)).astype(np.int16)
        assert recogniser.transcribe(tone, 44_100)[2:-2] == recogniser.transcribe(same, 16_000)[2:-2]

    def test_what_is_longer_than_it_takes_in_is_written_piece_by_piece(self, folders):
        recogniser = Recogniser(folders["whisper"], "whisper")  # takes in 2 s
        (sample,) = ordinary(1, seconds=2.0)
        heard = recogniser.transcribe(sample.audio, 16_000)
        assert recogniser.transcribe(np.tile(sample.audio, 3), 16_000) == " ".join([heard] * 3)

    def test_a_language_can_be_told(self, folders):
        english, chinese = (
            Recogniser(folders["whisper"], "whisper", language).transcribe(ordinary(1)[0].audio, 16_000)
            for language in ("en", "zh")
        )
        assert english != chinese
        with pytest.raises(MerbenchError, match="'xx' is spoken; write language=en or zh"):
            Recogniser(folders["whisper"], "whisper", "xx")
        with pytest.raises(MerbenchError, match="knows one language"):
            Recogniser(folders["ctc"], "ctc", "en")

    def test_what_recognises_no_speech_is_refused(self, tmp_path):
        folder = transformers_models.text(tmp_path / "classifier")
        with pytest.raises(MerbenchError, match="writes down no speech; name a recogniser"):
            Recogniser(folder, "classifier")


class TestCompound:
    def test_the_text_is_what_is_heard_in_the_corrupted_sound(self, folders):
        samples = ordinary(3)
        batch, achieved = spoil(made(folders["ctc"], audio="audio/white"), samples, 5)
        white = corruptions["audio/white"]()
        recogniser = Recogniser(folders["ctc"], "ctc")
        for i, (sample, report) in enumerate(zip(samples, achieved, strict=True)):
            assert batch.text[i] == recogniser.transcribe(batch.audio[i], 16_000)
            assert batch.text[i] != recogniser.transcribe(sample.audio, 16_000)
            assert report["wer"] == pytest.approx(word_error_rate(sample.text, batch.text[i]), abs=1e-6)
            assert report["parts"]["sound"]["snr_db"] == pytest.approx(white.strength(5)["snr_db"], abs=0.05)

    def test_letters_are_small_where_only_capitals_are_known(self, folders):
        for kind in ("ctc", "small letters"):
            batch, _ = spoil(made(folders[kind]), ordinary(1), 3)
            assert batch.text[0] == batch.text[0].lower() != ""

    def test_what_is_missing_leaves_the_row_as_it_was(self, folders):
        first, second, third, fourth = ordinary(4)
        rows = [
            replace(first, text=None),
            replace(second, audio=None, sample_rate=None),
            replace(third, audio=np.zeros_like(third.audio)),
            replace(fourth, text=""),
        ]
        batch, achieved = spoil(made(folders["ctc"]), rows, 3)
        assert [report.get("reason") for report in achieved] == [
            "there is no text",
            "there is no audio",
            "the recording is silent",
            None,
        ]
        assert np.array_equal(batch.audio[0], first.audio)
        assert batch.text[:3] == (None, second.text, third.text)
        assert achieved[3]["wer"] is None  # of no words there is no rate
        assert batch.text[3] != ""

    def test_options_of_the_sound_come_after_its_name(self, folders):
        rain = made(folders["ctc"], audio="audio/environment:noise_class=rain;snr_reference=whole")
        _, achieved = spoil(rain, ordinary(3), 3)
        assert all(report["parts"]["sound"]["clip"].startswith("rain-10-") for report in achieved)
        babble = made(folders["ctc"], audio="audio/babble")
        assert babble.uses_pool and not rain.uses_pool
        assert rain.is_random and not made(folders["ctc"], audio="audio/codec").is_random

    def test_its_folds_are_those_of_its_sound(self, folders):
        for options, fold in (({}, 10), ({"noise_folds": "3"}, 3)):
            corruption = made(folders["ctc"], **options)
            assert corruption.material(canonical(corruption)) == {f"audio/environment fold {fold}"}
            _, achieved = spoil(corruption, ordinary(2), 3)
            assert all(f"-{fold}-" in report["parts"]["sound"]["clip"] for report in achieved)
        assert corruptions[NAME].material({"audio": "audio/white", "noise_folds": None}) == frozenset()

    def test_its_content_is_the_recognisers_and_the_noises(self, folders):
        one, other = made(folders["ctc"]), made(folders["whisper"])
        assert one.content_hash() != other.content_hash()
        assert one.content_hash() != made(folders["ctc"], audio="audio/white").content_hash()
        assert one.content_hash() != checkpoint_hash(folders["ctc"].as_posix())
        assert one.cell(3) == other.cell(3)

    def test_end_to_end(self, folders, merbench, tmp_path):
        done = merbench(
            "corrupt", "--limit", 3, "--severity", 3, "--out", tmp_path / "suite", "--json",
            "--corruption", f"{NAME}:audio=audio/environment:noise_class=rain,asr={folders['ctc']}",
        )  # fmt: skip
        assert done.code == 0, done.err
        manifest = json.loads((tmp_path / "suite" / "manifest.json").read_text())
        assert str(folders["ctc"]) not in json.dumps(manifest)
        verified = merbench("suite", "verify", tmp_path / "suite")
        assert verified.code == 0, verified.err

    def test_refusals(self, folders, merbench, monkeypatch, tmp_path):
        monkeypatch.delenv("MERBENCH_DATA", raising=False)
        asr = f"asr={folders['ctc']}"
        for spec, words in {
            NAME: ("needs a speech recogniser", "asr=openai/whisper-base"),
            f"{NAME}:{asr},audio=vision/fog": ("cannot take vision/fog", "audio alone"),
            f"{NAME}:{asr},audio=audio/fog": ("there is no corruption named 'audio/fog'",),
            f"{NAME}:{asr},audio=audio/musan:noise_root={tmp_path}": ("names a folder", "beside audio="),
            f"{NAME}:{asr},audio=audio/white,noise_folds=3": ("has no option 'noise_folds'",),
            f"{NAME}:{asr},audio=audio/white:snr=3": ("has no option 'snr'",),
        }.items():
            merbench("corrupt", "--recipe-only", "--out", tmp_path / "s", "--corruption", spec).refused(
                *words
            )
