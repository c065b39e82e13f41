"""CMU-MOSEI as its authors give it out and as the MMSA toolkit does: segments of longer videos."""

from __future__ import annotations

import builtins
import csv
import shutil

import numpy as np
import pytest

from merbench.datasets import load_dataset
from merbench.errors import MerbenchError
from merbench.types import MediaSpec
from tests.datasets.miniature import mosei, mosei_clips

SMALL = MediaSpec(frames=2, frame_size=32)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return mosei(tmp_path_factory.mktemp("archive"))[0]


@pytest.fixture
def root(archive, tmp_path):
    """A copy to break."""
    return shutil.copytree(archive, tmp_path / "CMU_MOSEI")


def open_mosei(root, spec="mosei"):
    return load_dataset(spec, root, SMALL)


def by_id(dataset):
    return {u.id: u for u in dataset.utterances()}


def whats(report, level):
    return {f.where: f.what for f in report.findings if f.level == level}


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


class TestSentiment:
    def test_the_score_is_the_target_and_its_class_the_label(self, root):
        found = {id: (u.targets, u.label) for id, u in by_id(open_mosei(root)).items()}
        assert found == {
            "--qXJuDtHPw[0]": ((1.667,), "positive"),
            "-9y-fZ3swSY[0]": ((1.0,), "weakly positive"),
            "-9y-fZ3swSY[1]": ((-2.333,), "negative"),
            "-9y-fZ3swSY[2]": ((0.0,), "neutral"),
            "274563[0]": ((-1.333,), "weakly negative"),
            "81406[0]": ((-0.333,), "neutral"),
            "81406[1]": ((3.0,), "highly positive"),
        }

    def test_the_task_is_one_signed_scale(self, root):
        task = open_mosei(root).task
        assert (task.kind, task.targets, task.is_signed) == ("dimensional", ("sentiment",), True)
        assert task.steps == open_mosei(root).labels

    def test_the_mean_of_every_split_is_known_to_models_of_a_prior(self, root):
        found = {split: mean for split, (mean,) in open_mosei(root).target_means().items()}
        assert found == pytest.approx({"train": -1.333 / 3, "valid": 1.667, "test": (3 - 1.666) / 3})


class TestEmotions:
    def test_those_with_an_intensity_are_present_and_the_strongest_is_the_label(self, root):
        found = by_id(open_mosei(root, "mosei:target=emotions"))
        assert found["-9y-fZ3swSY[1]"].targets == (0, 1, 1, 0, 1, 0)
        assert found["-9y-fZ3swSY[1]"].label == "anger"  # as strong as disgust, and first
        assert found["-9y-fZ3swSY[2]"].targets == (0,) * 6
        assert found["-9y-fZ3swSY[2]"].label == "neutral"

    def test_the_task_is_several_labels(self, root):
        dataset = open_mosei(root, "mosei:target=emotions")
        assert dataset.task.kind == "multi-label"
        assert dataset.labels == (*dataset.task.targets, "neutral")

    def test_all_scores_travel_along(self, root):
        extra = by_id(open_mosei(root))["-9y-fZ3swSY[0]"].extra
        assert extra == {
            "sentiment": 1.0, "happy": 1.333, "sad": 0, "anger": 0, "surprise": 0, "disgust": 0, "fear": 0
        }  # fmt: skip


class TestSegments:
    def test_splits_go_by_the_lists_of_videos(self, root):
        found = by_id(open_mosei(root))
        assert {u.dialogue: u.split for u in found.values()} == {
            "-9y-fZ3swSY": "train", "--qXJuDtHPw": "valid", "81406": "test", "274563": "test"
        }  # fmt: skip
        assert open_mosei(root).card.unit == "dialogue"

    def test_sound_and_pictures_are_those_of_the_segment(self, root):
        dataset = open_mosei(root)
        found = by_id(dataset)
        first, second = (dataset.load(found[f"-9y-fZ3swSY[{n}]"]) for n in (1, 0))
        assert len(first.audio) == round(1.013 * 16_000)
        assert len(second.audio) == round(2.9 * 16_000) - round(1.8 * 16_000)
        assert first.frames.max() < second.frames.max()  # the film gets brighter
        whole = open_mosei(root).load(found["81406[1]"])
        assert np.array_equal(whole.audio[:100], dataset.load(found["81406[1]"]).audio[:100])

    def test_a_segment_that_begins_before_its_video_begins_with_it(self, root):
        dataset = open_mosei(root)
        sample = dataset.load(by_id(dataset)["--qXJuDtHPw[0]"])
        assert len(sample.audio) == round(1.77959183673 * 16_000)

    def test_a_segment_that_ends_after_its_video_ends_with_it(self, root):
        dataset = open_mosei(root)
        sample = dataset.load(by_id(dataset)["81406[0]"])
        assert len(sample.audio) == round(3.0 * 16_000) - round(2.2 * 16_000)

    def test_a_segment_that_begins_after_its_video_has_ended_is_left_out(self, root):
        import h5py

        with h5py.File(root / "CMU_MOSEI_Labels.csd", "r+") as file:
            file["All Labels/data/81406/intervals"][0] = (3.5, 4.75)
        dataset = open_mosei(root)
        assert "81406[0]" not in by_id(dataset)
        what = "begin after their sound has ended: left out"
        assert whats(dataset.check(), "warning")["81406[0]"] == what

    def test_a_broken_sound_file_is_named_when_it_is_read(self, root):
        path = root / "Raw" / "Audio" / "Full" / "WAV_16000" / "274563.wav"
        path.write_bytes(b"RIFF")
        dataset = open_mosei(root)
        with pytest.raises(MerbenchError, match=r"274563\.wav"):
            dataset.load(by_id(dataset)["274563[0]"])

    def test_transcripts_are_found_by_time_and_may_hold_underscores(self, root):
        found = by_id(open_mosei(root))
        assert found["-9y-fZ3swSY[0]"].source.text == "And _____ caf\u00e9 number 2, you know."
        assert found["274563[0]"].source.text is None

    def test_a_check_tells_what_was_left_out(self, root):
        report = open_mosei(root).check()
        assert report.ok
        left_out = "are labelled and have neither sound, video nor transcript: left out"
        assert whats(report, "warning")["0h-zjBukYpk[0]"] == left_out
        infos = whats(report, "info")
        assert infos["2Y8-fOtMCsE[0]"] == "are of videos in no list: left out"
        assert infos["274563[0]"] == "have no transcript"

    def test_without_sound_files_the_sound_is_that_of_the_video(self, root):
        dataset = open_mosei(root)
        with_files = dataset.load(by_id(dataset)["81406[1]"]).audio
        for path in root.rglob("*.wav"):
            path.unlink()
        again = open_mosei(root)
        sample = again.load(by_id(again)["81406[1]"])
        assert abs(len(sample.audio) - len(with_files)) < 2048  # a frame of AAC

    def test_transcripts_alone_are_a_dataset_of_texts(self, root):
        for path in (*root.rglob("*.wav"), *root.rglob("*.mp4")):
            path.unlink()
        assert open_mosei(root).check().counts["modality"] == {"audio": 0, "vision": 0, "text": 6}

    def test_the_times_are_part_of_what_a_source_is(self, root):
        import h5py

        dataset = open_mosei(root)
        before = dataset.source_hash(dataset.utterances())
        with h5py.File(root / "CMU_MOSEI_Labels.csd", "r+") as file:
            file["All Labels/data/81406/intervals"][1] = (0.0, 1.9)
        after = open_mosei(root)
        assert after.source_hash(after.utterances()) != before


class TestRefusals:
    def refused(self, root, why, spec="mosei"):
        with pytest.raises(MerbenchError, match=why) as caught:
            open_mosei(root, spec).utterances()
        assert "\n" not in str(caught.value)

    def test_a_folder_without_labels(self, root):
        (root / "CMU_MOSEI_Labels.csd").unlink()
        self.refused(root, r"holds no labels of CMU-MOSEI \(CMU_MOSEI_Labels.csd or label.csv\)")

    def test_no_lists_of_videos(self, root):
        (root / "cmu_mosei_std_folds.py").unlink()
        self.refused(root, r"there is no .*cmu_mosei_std_folds.py.*CMU-MultimodalSDK")

    @pytest.mark.parametrize("text", ["standard_train_fold = [", "standard_train_fold = open('x')", "x = 1"])
    def test_lists_that_are_none_and_nothing_in_them_is_run(self, root, text):
        (root / "cmu_mosei_std_folds.py").write_text(text, encoding="utf-8")
        self.refused(root, "does not list the videos of train, valid, test")

    def test_a_half_downloaded_label_file(self, root):
        path = root / "CMU_MOSEI_Labels.csd"
        path.write_bytes(path.read_bytes()[:1000])
        self.refused(root, "is not the label file of CMU-MOSEI")

    def test_a_label_file_of_something_else(self, root):
        import h5py

        with h5py.File(root / "CMU_MOSEI_Labels.csd", "w") as file:
            file["COVAREP/metadata/dimension names"] = ['["f0"]']
        self.refused(root, r"is not the label file of CMU-MOSEI \(its scores are f0\)")

    def test_a_transcript_with_a_line_cut_off(self, root):
        script = root / "Raw" / "Transcript" / "Segmented" / "Combined" / "81406.txt"
        edit(script, "81406___1___2.2___", "81406___1___")
        self.refused(root, "81406.txt:2 is not VIDEO___CLIP___START___END___TEXT")

    def test_without_h5py_it_says_what_is_missing(self, root, monkeypatch):
        real = builtins.__import__

        def without(name, *rest):
            if name == "h5py":
                raise ImportError(name)
            return real(name, *rest)

        monkeypatch.setattr(builtins, "__import__", without)
        self.refused(root, "needs h5py, which is not installed; pip install h5py")

    def test_scores_that_are_none(self, root):
        import h5py

        with h5py.File(root / "CMU_MOSEI_Labels.csd", "r+") as file:
            file["All Labels/data/81406/features"][0, 0] = np.nan
            file["All Labels/data/-9y-fZ3swSY/intervals"][2] = (5.0, 4.0)
        warnings = whats(open_mosei(root).check(), "warning")
        assert warnings["81406[0]"] == "have a score that is no number: left out"
        assert warnings["-9y-fZ3swSY[2]"] == "end before they begin: left out"


class TestClips:
    @pytest.fixture
    def root(self, tmp_path):
        return mosei_clips(tmp_path)[0]

    def test_scores_splits_and_texts_are_those_of_the_table(self, root):
        found = by_id(open_mosei(root))
        one = found["81406_0"]
        assert (one.label, one.split, one.targets) == ("neutral", "test", (-0.333,))
        assert (one.dialogue, one.source.text) == ("81406", "Well, number 0.")

    def test_a_missing_clip_is_told(self, root):
        what = "are labelled and have no clip in Raw: left out"
        assert whats(open_mosei(root).check(), "warning")["-9y-fZ3swSY/2"] == what

    def test_it_has_no_emotions(self, root):
        TestRefusals().refused(root, "label.csv has no emotions", "mosei:target=emotions")

    @pytest.mark.parametrize(
        ("column", "value", "why"),
        [
            (3, "3.5", "has a sentiment that is none: '3.5'"),
            (3, "nan", "has a sentiment that is none: 'nan'"),
            (8, "dev", "has the unknown split 'dev'"),
        ],
    )
    def test_rows_that_cannot_be_used(self, root, column, value, why):
        path = root / "label.csv"
        with path.open(encoding="utf-8", newline="") as handle:
            table = list(csv.reader(handle))
        table[1][column] = value
        with path.open("w", encoding="utf-8", newline="") as handle:
            csv.writer(handle).writerows(table)
        TestRefusals().refused(root, f"label.csv:2: {why}")

    def test_what_was_published_depends_on_the_form(self, root, archive):
        assert open_mosei(root).expected["split test"] == 4659
        assert open_mosei(archive).expected["split test"] == 4662
