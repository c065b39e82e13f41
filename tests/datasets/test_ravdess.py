"""RAVDESS as people have it on disk: complete, in part, copied twice, in the wrong place."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest

from merbench.datasets import datasets
from merbench.errors import MerbenchError
from merbench.options import build, split_spec
from merbench.types import MediaSpec
from tests.datasets.miniature import face, ravdess_audio, ravdess_video, voice

SMALL = MediaSpec(frames=4, frame_size=32)


def open_ravdess(root, spec="ravdess"):
    name, options = split_spec(spec)
    return build(datasets[name], name, options, root=root, media=SMALL)


def whats(report, level):
    return {f.what: f.where for f in report.findings if f.level == level}


class TestNames:
    def test_the_file_name_is_the_annotation(self, tmp_path):
        voice(tmp_path / "Actor_12" / "03-01-06-02-02-01-12.wav", 300)
        (utterance,) = open_ravdess(tmp_path).utterances()
        assert utterance.id == "03-01-06-02-02-01-12"
        assert utterance.label == "fearful"
        assert utterance.speaker == "Actor_12"
        assert utterance.split == "test"
        assert utterance.extra == {
            "channel": "speech",
            "gender": "female",
            "intensity": "strong",
            "statement": 2,
            "repetition": 1,
        }
        assert open_ravdess(tmp_path).load(utterance).text == "Dogs are sitting by the door"

    def test_the_eight_emotions_in_their_order(self, tmp_path):
        dataset = open_ravdess(ravdess_audio(tmp_path)[0])
        by_code = {u.id[6:8]: u.label for u in dataset.utterances()}
        assert tuple(by_code[f"{code:02d}"] for code in range(1, 9)) == dataset.labels
        assert dataset.labels == (
            "neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"
        )  # fmt: skip

    def test_its_text_carries_no_emotion(self, tmp_path):
        assert not open_ravdess(tmp_path).text_informative


class TestLayouts:
    @pytest.mark.parametrize("below", ["", "Audio_Speech_Actors_01-24"])
    def test_the_root_itself_or_the_folder_above_it(self, tmp_path, below):
        root, _ = ravdess_audio(tmp_path)
        if below:
            moved = tmp_path / "all" / below
            moved.parent.mkdir()
            root.rename(moved)
            root = moved.parent
        assert len(open_ravdess(root).utterances()) == 16

    def test_the_video_release_is_found_one_level_below_too(self, tmp_path):
        root, _ = ravdess_video(tmp_path)
        assert len(open_ravdess(root, "ravdess:modality=av").utterances()) == 3
        assert len(open_ravdess(root.parent, "ravdess:modality=av").utterances()) == 3

    def test_a_second_copy_in_a_deeper_folder_is_left_out_and_reported(self, tmp_path):
        """The set on Kaggle holds everything twice."""
        root, _ = ravdess_audio(tmp_path)
        shutil.copytree(root / "Actor_01", root / "audio_speech_actors_01-24" / "Actor_01")
        dataset = open_ravdess(root)
        assert len(dataset.utterances()) == 16
        assert "are further copies of a file of that name and are left out" in whats(
            dataset.check(), "warning"
        )

    def test_files_of_other_names_are_left_out_and_reported(self, tmp_path):
        root, _ = ravdess_audio(tmp_path)
        for stray in (
            "notes.wav",
            "03-01-09-01-01-01-01.wav",
            "03-01-01-01-01-01-25.wav",
            "03-01-01-01-01-02-01.mp4",
        ):
            (root / "Actor_01" / stray).touch()
        (root / "Actor_01" / ".DS_Store").touch()
        report = open_ravdess(root).check()
        where = whats(report, "warning")["do not follow the naming convention and are left out"]
        assert where.endswith("and 1 more")
        assert ".DS_Store" not in where
        assert report.ok

    def test_a_file_in_another_actors_folder_is_reported(self, tmp_path):
        voice(tmp_path / "Actor_02" / "03-01-01-01-01-01-01.wav", 300)
        dataset = open_ravdess(tmp_path)
        assert dataset.utterances()[0].speaker == "Actor_01"
        assert "lie in another actor's folder; the name is believed" in whats(dataset.check(), "warning")

    def test_a_wrong_layout_says_what_is_there_and_what_should_be(self, tmp_path):
        (tmp_path / "happy").mkdir()
        voice(tmp_path / "happy" / "1.wav", 300)
        with pytest.raises(MerbenchError, match=r"found: happy.*expected Actor_XX/03-01-.*zenodo"):
            open_ravdess(tmp_path).utterances()


class TestReleases:
    def test_auto_takes_audio_and_video_where_there_is_any(self, tmp_path):
        root, _ = ravdess_video(tmp_path)
        dataset = open_ravdess(root)
        assert all(u.id.startswith("01-") for u in dataset.utterances())
        sample = dataset.load(dataset.utterances()[0])
        assert sample.frames.shape == (4, 32, 32, 3)
        assert len(sample.audio) == pytest.approx(0.6 * 16_000, rel=0.1)

    def test_auto_takes_audio_where_there_is_no_video(self, tmp_path):
        dataset = open_ravdess(ravdess_audio(tmp_path)[0])
        sample = dataset.load(dataset.utterances()[0])
        assert sample.frames is None
        assert sample.audio is not None

    def test_the_video_only_release_has_no_sound(self, tmp_path):
        dataset = open_ravdess(ravdess_video(tmp_path)[0], "ravdess:modality=video")
        sample = dataset.load(dataset.utterances()[0])
        assert sample.audio is None
        assert sample.frames is not None

    def test_an_audio_video_file_without_sound_is_an_error(self, tmp_path):
        face(tmp_path / "Actor_01" / "01-01-01-01-01-01-01.mp4", 1, sound=False)
        dataset = open_ravdess(tmp_path)
        with pytest.raises(MerbenchError, match="has no audio stream"):
            dataset.load(dataset.utterances()[0])

    def test_songs_are_apart(self, tmp_path):
        root, _ = ravdess_audio(tmp_path)
        (song,) = open_ravdess(root, "ravdess:channel=song").utterances()
        assert song.extra["channel"] == "song"
        assert len(open_ravdess(root, "ravdess:channel=all").utterances()) == 17

    def test_what_is_not_there_is_refused_with_what_is(self, tmp_path):
        root, _ = ravdess_audio(tmp_path)
        with pytest.raises(MerbenchError, match="it holds 1 with channel=song and modality=audio, 16 with"):
            open_ravdess(root, "ravdess:modality=av").utterances()


class TestCheck:
    def test_a_subset_is_told_from_the_published_counts(self, tmp_path):
        report = open_ravdess(ravdess_audio(tmp_path)[0]).check()
        assert {"16 of the 1440 published: a subset", "2 of the 24 published: a subset"} <= set(
            whats(report, "info")
        )

    def test_every_unusable_file_is_an_error_with_its_name(self, tmp_path):
        root, _ = ravdess_audio(tmp_path)
        victims = ["03-01-01-01-01-01-01", "03-01-05-01-01-01-01"]
        for stem in victims:
            path = root / "Actor_01" / f"{stem}.wav"
            path.write_bytes(path.read_bytes()[:1000])
        report = open_ravdess(root).check()
        assert not report.ok
        assert [f.where for f in report.findings if f.level == "error"] == victims
        assert all("is truncated" in f.what for f in report.findings if f.level == "error")

    def test_identical_files_with_different_labels_are_reported(self, tmp_path):
        first = voice(tmp_path / "Actor_01" / "03-01-01-01-01-01-01.wav", 300)
        shutil.copy(first, first.with_name("03-01-04-01-01-01-01.wav"))
        warnings = whats(open_ravdess(tmp_path).check(), "warning")
        assert "are byte-identical, with different labels (neutral, sad)" in warnings

    def test_silent_and_short_files_are_reported(self, tmp_path):
        voice(tmp_path / "Actor_01" / "03-01-01-01-01-01-01.wav", 0)  # a tone of 0 Hz is silence
        voice(tmp_path / "Actor_01" / "03-01-02-01-01-01-01.wav", 300, seconds=0.1)
        voice(tmp_path / "Actor_01" / "03-01-03-01-01-01-01.wav", 300, rate=8000)
        warnings = whats(open_ravdess(tmp_path).check(), "warning")
        assert warnings["are silent (below -60 dBFS)"] == "03-01-01-01-01-01-01"
        assert warnings["are shorter than 0.25 s"] == "03-01-02-01-01-01-01"
        assert warnings["are not at the usual 48000 Hz"] == "03-01-03-01-01-01-01"


class TestRealFiles:
    @pytest.fixture
    def dataset(self, real_data):
        return build(datasets["ravdess"], "ravdess", {}, root=real_data / "audio" / "ravdess")

    def test_130_files_of_eight_actors(self, dataset):
        utterances = dataset.utterances()
        assert len(utterances) == 130
        assert len({u.speaker for u in utterances}) == 8
        assert Counter(u.label for u in utterances)["calm"] == 17

    def test_its_known_defects_are_found_and_none_is_fatal(self, dataset):
        report = dataset.check()
        assert report.ok
        assert whats(report, "warning") == {
            "are byte-identical": "03-01-03-01-02-01-07, 03-01-03-01-02-02-07",
            "have several channels, which are averaged": "03-01-02-01-02-02-05",
        }
        assert report.counts["modality"] == {"audio": 130, "vision": 0, "text": 130}

    def test_every_clip_loads(self, dataset):
        for utterance in dataset.utterances()[::10]:
            sample = dataset.load(utterance)
            assert 2.5 < len(sample.audio) / sample.sample_rate < 6
            assert sample.text in ("Kids are talking by the door", "Dogs are sitting by the door")
