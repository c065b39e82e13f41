"""IEMOCAP as its archive unpacks: dialogues, two people in one picture, tags that give the emotion away."""

from __future__ import annotations

import json
import shutil
from collections import Counter

import numpy as np
import pytest

from merbench.datasets import load_dataset
from merbench.errors import MerbenchError
from merbench.types import MediaSpec
from tests.datasets.miniature import iemocap, voice
from tests.media.clips import truncate

SMALL = MediaSpec(frames=3, frame_size=None)


@pytest.fixture
def root(tmp_path):
    return iemocap(tmp_path)[0]


def open_iemocap(root, spec="iemocap"):
    return load_dataset(spec, root, SMALL)


def by_id(dataset):
    return {u.id: u for u in dataset.utterances()}


def whats(report, level):
    return {f.where: f.what for f in report.findings if f.level == level}


class TestAnnotation:
    def test_an_utterance_and_everything_said_about_it(self, root):
        found = by_id(open_iemocap(root))["Ses01M_impro01_F002"]
        assert found.label == "happy"
        assert found.split == "Session1"
        assert found.dialogue == "Ses01M_impro01"
        assert found.extra == {
            "session": "Session1",
            "gender": "female",
            "scenario": "improvised",
            "emotion": "excited",
            "valence": 2.2,
            "arousal": 3.5,
            "dominance": 2.5,
        }

    def test_the_last_letter_says_who_speaks_and_the_first_who_wears_the_markers(self, root):
        speakers = Counter(u.speaker for u in open_iemocap(root).utterances())
        assert sorted(speakers) == [f"Ses0{session}{gender}" for session in range(1, 6) for gender in "FM"]
        assert by_id(open_iemocap(root))["Ses01M_impro01_F000"].speaker == "Ses01F"

    @pytest.mark.parametrize(
        ("classes", "each"),
        [
            ("4way", {"angry": 1, "happy": 2, "neutral": 1, "sad": 1}),
            ("4way-happy-only", {"angry": 1, "happy": 1, "neutral": 1, "sad": 1}),
            ("6way", {"angry": 1, "excited": 1, "frustrated": 1, "happy": 1, "neutral": 1, "sad": 1}),
        ],
    )
    def test_the_classes_of_the_literature(self, root, classes, each):
        dataset = open_iemocap(root, f"iemocap:classes={classes}")
        assert dataset.labels == tuple(each)
        assert dataset.label_counts() == {f"Session{session}": each for session in range(1, 6)}

    def test_the_published_counts_of_each(self, root):
        four = open_iemocap(root).expected
        assert four["utterances"] == 5531
        assert [four[f"label {label}"] for label in ("angry", "happy", "neutral", "sad")] == [
            1103,
            1636,
            1708,
            1084,
        ]
        assert [four[f"split Session{n}"] for n in range(1, 6)] == [1085, 1023, 1151, 1031, 1241]
        six = open_iemocap(root, "iemocap:classes=6way").expected
        assert (six["utterances"], six["label frustrated"], six["label happy"]) == (7380, 1849, 595)
        assert open_iemocap(root, "iemocap:classes=4way-happy-only").expected["utterances"] == 5531 - 1041

    def test_a_session_is_left_out_as_a_split(self, root):
        held_out, pool = open_iemocap(root).select("Session3")
        assert {u.extra["session"] for u in (*held_out, *pool.utterances)} == {"Session3"}
        assert len(open_iemocap(root).select()[0]) == 25

    def test_what_nobody_could_agree_on_is_counted(self, root):
        told = whats(open_iemocap(root).check(), "info")
        assert told["classes=4way"] == (
            "left out: 5 disgusted, 5 fearful, 5 frustrated, 5 other, 5 surprised, 5 undecided"
        )

    @pytest.mark.parametrize(
        ("line", "what"),
        [
            ("[1.0 - 2.0]\tSes01M_impro01_F099\tang", "is not '\\[start - end\\] utterance"),
            ("[2.0 - 1.0]\tSes01M_impro01_F099\tang\t[1.0, 2.0, 3.0]", "is not '\\[start - end\\]"),
            ("[1.0 - 2.0]\tSes01M_impro01_F099\tang\t[1..0, 2.0, 3.0]", "is not '\\[start - end\\]"),
            ("[1.0 - 2.0]\tSes01M_impro01_F099\tjoy\t[1.0, 2.0, 3.0]", "unknown emotion 'joy'"),
            ("[1.0 - 2.0]\tSes01M_impro01_F000\tang\t[1.0, 2.0, 3.0]", "F000 a second time"),
        ],
    )
    def test_a_line_that_cannot_be_read_is_named(self, root, line, what):
        path = root / "Session1" / "dialog" / "EmoEvaluation" / "Ses01M_impro01.txt"
        path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
        with pytest.raises(MerbenchError, match=rf"Session1/Ses01M_impro01\.txt:47: .*{what}"):
            open_iemocap(root).utterances()


class TestTranscripts:
    def test_laughter_is_not_written_into_the_text(self, root):
        dataset = open_iemocap(root)
        found = by_id(dataset)
        assert dataset.load(found["Ses01M_impro01_F000"]).text == "Oh no."
        assert dataset.load(found["Ses01M_impro01_M001"]).text == ""

    def test_unless_it_is_asked_for(self, root):
        dataset = open_iemocap(root, "iemocap:tags=keep")
        found = by_id(dataset)
        assert dataset.load(found["Ses01M_impro01_F000"]).text == "[LAUGHTER] Oh [BREATHING] no."

    def test_without_a_transcript_there_is_no_text(self, root):
        (root / "Session1" / "dialog" / "transcriptions" / "Ses01M_impro01.txt").unlink()
        dataset = open_iemocap(root)
        assert dataset.load(by_id(dataset)["Ses01M_impro01_F000"]).text is None
        assert "have no transcript" in whats(dataset.check(), "warning").values()


class TestPictures:
    def test_only_the_speaker_is_seen(self, root):
        dataset = open_iemocap(root)
        found = by_id(dataset)
        wearer = dataset.load(found["Ses01M_impro01_M001"]).frames
        other = dataset.load(found["Ses01M_impro01_F002"]).frames
        assert wearer.shape == other.shape == (3, 48, 36, 3)
        red, _, blue = wearer[:, 12:36, 4:32].mean(axis=(0, 1, 2))
        assert red > 50 > 20 > blue  # the left one
        red, _, blue = other[:, 12:36, 4:32].mean(axis=(0, 1, 2))
        assert blue > 50 > 20 > red

    def test_only_while_the_utterance_lasts(self, root):
        dataset = open_iemocap(root)
        brightness = np.linspace(60, 250, 40)  # of the video's pictures, ten per second
        for u in dataset.select("Session2")[0]:
            sample = dataset.load(u)
            start = u.source.video.start
            shown = [int(10 * (start + k * 0.2) + 1e-6) for k in range(3)]
            channel = 0 if u.source.video.box[0] == 0 else 2
            seen = sample.frames[:, 16:32, 8:28, channel].mean(axis=(1, 2))
            np.testing.assert_allclose(seen, brightness[shown], atol=6, err_msg=u.id)
            assert sample.timestamps[0] >= 0
            assert sample.timestamps[-1] < 0.6

    def test_the_sound_is_the_utterances_own(self, root):
        dataset = open_iemocap(root)
        sample = dataset.load(by_id(dataset)["Ses01M_impro01_F002"])
        assert len(sample.audio) == round(0.6 * 16_000)

    def test_utterances_of_one_video_are_no_duplicates(self, root):
        assert not any(
            "byte-identical" in what for what in whats(open_iemocap(root).check(), "warning").values()
        )

    def test_the_source_hash_sees_which_part_of_a_video_is_meant(self, root):
        rows = open_iemocap(root).utterances()
        before = open_iemocap(root).source_hash(rows)
        path = root / "Session1" / "dialog" / "EmoEvaluation" / "Ses01M_impro01.txt"
        path.write_text(path.read_text(encoding="utf-8").replace("[0.6000", "[0.7000"), encoding="utf-8")
        assert open_iemocap(root).source_hash(open_iemocap(root).utterances()) != before

    def test_a_truncated_video_is_named_with_every_utterance_it_spoils(self, root):
        truncate(root / "Session1" / "dialog" / "avi" / "DivX" / "Ses01M_impro01.avi", 0.5)
        report = open_iemocap(root).check()
        assert not report.ok
        broken = whats(report, "error")
        assert len(broken) == 5
        assert all("Ses01M_impro01.avi is truncated" in what for what in broken.values())


class TestHalfADownload:
    def test_missing_sessions_are_named(self, root):
        shutil.rmtree(root / "Session2")
        shutil.rmtree(root / "Session4")
        report = open_iemocap(root).check()
        assert whats(report, "warning")["Session2, Session4"] == "are not there: half of a download?"
        assert whats(report, "info")["utterances"] == "15 of the 5531 published: a subset"
        assert whats(report, "info")["speakers"] == "6 of the 10 published: a subset"
        assert whats(report, "info")["split Session2"] == "0 of the 1023 published: a subset"

    def test_missing_sounds_are_named(self, root):
        shutil.rmtree(root / "Session2" / "sentences")
        report = open_iemocap(root).check()
        assert any("Session2/sentences/wav: left out" in what for what in whats(report, "warning").values())
        assert report.counts["split"] == {f"Session{n}": 5 for n in (1, 3, 4, 5)}

    def test_a_missing_video_is_named(self, root):
        (root / "Session2" / "dialog" / "avi" / "DivX" / "Ses02F_impro01.avi").unlink()
        split_by_hand = root / "Session2" / "dialog" / "avi" / "DivX" / "another.avi"
        split_by_hand.touch()
        told = whats(open_iemocap(root).check(), "warning")
        assert told["Ses02F_impro01"] == "are dialogues without a video, though others have one"

    def test_the_release_without_videos_is_whole(self, root):
        for folder in root.glob("Session*/dialog/avi"):
            shutil.rmtree(folder)
        report = open_iemocap(root).check()
        assert report.counts["modality"] == {"audio": 25, "vision": 0, "text": 25}
        assert whats(report, "info")["Session1/dialog/avi/DivX"].startswith("no videos")

    def test_a_session_without_annotation_cannot_be_used(self, root):
        shutil.rmtree(root / "Session3" / "dialog" / "EmoEvaluation")
        with pytest.raises(MerbenchError, match="Session3/dialog/EmoEvaluation: there is no annotation"):
            open_iemocap(root).utterances()

    def test_a_dialogue_without_annotation_is_named(self, root):
        sounds = root / "Session1" / "sentences" / "wav"
        voice(sounds / "Ses01F_impro02" / "Ses01F_impro02_F000.wav", 200)
        told = whats(open_iemocap(root).check(), "warning")
        assert told["Ses01F_impro02"] == "are dialogues with sounds and no annotation: left out"

    def test_sounds_that_nobody_annotated_are_no_utterances(self, root):
        voice(root / "Session1" / "sentences" / "wav" / "Ses01M_impro01" / "Ses01M_impro01_FXX0.wav", 200)
        assert len(open_iemocap(root).utterances()) == 25


class TestCommands:
    def test_corrupt_end_to_end(self, root, merbench, tmp_path):
        out = tmp_path / "suite"
        done = merbench(
            "corrupt", "--dataset", "iemocap", "--severity", "3", "--root", root, "--limit", "6",
            "--frames", "2", "--frame-size", "32", "--out", out
        )  # fmt: skip
        assert done.code == 0, done.err
        assert merbench("suite", "verify", out).code == 0

    def test_the_check_tells_counts(self, root, merbench):
        done = merbench("dataset", "check", "iemocap", "--root", root, "--frames", "2", "--frame-size", "32")
        assert done.code == 0, done.err
        assert "25 of the 5531 published: a subset" in done.out

    def test_the_list_shows_whether_it_is_here(self, root, merbench, monkeypatch):
        monkeypatch.setenv("MERBENCH_DATA", str(root.parent))
        assert merbench("list", "datasets").code == 0
        (root.parent / "iemocap").symlink_to(root)
        rows = {r["name"]: r for r in json.loads(merbench("list", "datasets", "--json").out)}
        assert rows["iemocap"]["found"] == str(root.parent / "iemocap")
        assert rows["ravdess"]["found"] == "no"


class TestDimensions:
    def test_ratings_are_targets_and_the_label_is_the_nearest_step_of_valence(self, root):
        dataset = open_iemocap(root, "iemocap:target=dimensions")
        found = by_id(dataset)["Ses01M_impro01_F002"]
        assert (found.targets, found.label) == ((2.2, 3.5, 2.5), "valence 2")
        assert dataset.task.targets == ("valence", "arousal", "dominance")
        assert dataset.task.steps == dataset.labels

    def test_every_annotation_can_be_asked_for(self, root):
        everything = open_iemocap(root, "iemocap:classes=all,target=dimensions")
        assert len(everything.utterances()) == 55
        assert everything.expected["utterances"] == 10_039
        assert not any(name.startswith("label") for name in everything.expected)

    def test_recipes_that_are_older_than_the_option_stay_what_they_are(self, root):
        assert "target" not in open_iemocap(root).identity()["options"]
        named = open_iemocap(root, "iemocap:target=dimensions").identity()["options"]
        assert named["target"] == "dimensions"
