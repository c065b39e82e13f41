"""CREMA-D as people have it on disk, and what its raters say."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest

from merbench.datasets import load_dataset
from merbench.errors import MerbenchError
from merbench.types import MediaSpec
from tests.datasets.miniature import crema_d, voice
from tests.media.clips import tone, write_clip

SMALL = MediaSpec(frames=4, frame_size=32)
BAD = "1076_MTI_SAD_XX"


@pytest.fixture
def root(tmp_path):
    return crema_d(tmp_path)[0]


def open_crema(root, options=""):
    return load_dataset(f"crema-d:{options}", root, SMALL)


def by_id(dataset):
    return {u.id: u for u in dataset.utterances()}


def whats(report, level):
    return {f.what: f.where for f in report.findings if f.level == level}


class TestNames:
    def test_the_file_name_says_who_what_and_how(self, root):
        utterance = by_id(open_crema(root))["1001_IEO_ANG_MD"]
        assert (utterance.label, utterance.speaker, utterance.split) == ("anger", "1001", "test")
        assert utterance.extra["sentence"] == "IEO"
        assert utterance.extra["level"] == "medium"
        assert utterance.source.text == "It's eleven o'clock"

    def test_its_text_carries_no_emotion(self, root):
        assert not open_crema(root).text_informative

    def test_demographics_tell_the_gender_and_are_no_must(self, root):
        facts = {"gender": "male", "age": 51, "race": "caucasian", "ethnicity": "not hispanic"}
        assert facts.items() <= by_id(open_crema(root))["1001_IEO_ANG_MD"].extra.items()
        (root / "VideoDemographics.csv").unlink()
        assert "gender" not in by_id(open_crema(root))["1001_IEO_ANG_MD"].extra

    def test_the_clip_that_older_copies_misname_has_its_proper_id(self, tmp_path):
        voice(tmp_path / "AudioWAV" / "1040_ITH_SAD_X.wav", 200)
        (utterance,) = open_crema(tmp_path).utterances()
        assert utterance.id == "1040_ITH_SAD_XX"

    def test_other_names_are_left_out_and_reported(self, root):
        for stray in ("1001_XYZ_ANG_MD.flv", "1001_IEO_JOY_MD.flv", "._1001_IEO_ANG_MD.flv"):
            (root / "VideoFlash" / stray).touch()
        dataset = open_crema(root)
        assert len(dataset.utterances()) == 6
        where = whats(dataset.check(), "warning")["do not follow the naming convention and are left out"]
        assert where == "1001_IEO_JOY_MD.flv, 1001_XYZ_ANG_MD.flv"


class TestReleases:
    @pytest.mark.parametrize(
        ("options", "vision", "rate"),
        [("", True, 44_100), ("release=wav", False, 16_000), ("release=mp3", False, 44_100)],
    )
    def test_each_has_its_media_and_all_the_same_ids(self, root, options, vision, rate):
        dataset = load_dataset(f"crema-d:{options}", root, MediaSpec(sample_rate=None, frames=2))
        assert set(by_id(dataset)) == set(by_id(open_crema(root, "release=wav")))
        sample = dataset.load(dataset.utterances()[0])
        assert sample.sample_rate == rate
        assert sample.has("audio")
        assert sample.has("vision") == vision

    def test_auto_takes_what_is_there(self, root):
        shutil.rmtree(root / "VideoFlash")
        assert open_crema(root).utterances()[0].source.audio.suffix == ".wav"
        shutil.rmtree(root / "AudioWAV")
        assert open_crema(root).utterances()[0].source.audio.suffix == ".mp3"

    def test_the_files_may_lie_in_the_root_itself(self, root):
        assert len(open_crema(root / "AudioMP3").utterances()) == 6

    def test_a_release_that_is_not_there_is_refused_with_the_layout(self, root):
        shutil.rmtree(root / "VideoFlash")
        with pytest.raises(MerbenchError, match=r"release=flv \(found: AudioMP3.*expected VideoFlash/1001"):
            open_crema(root, "release=flv").utterances()


class TestLabels:
    def test_perceived_is_what_most_raters_of_that_channel_said(self, root):
        intended = by_id(open_crema(root))
        assert {u.label for u in intended.values()} == set(open_crema(root).labels)
        both = by_id(open_crema(root, "label=perceived"))
        assert {id: u.label for id, u in both.items()} == {id: u.label for id, u in intended.items()}
        voice = by_id(open_crema(root, "label=perceived,question=voice"))
        assert {u.label for u in voice.values()} == {"neutral"}
        assert voice["1001_IEO_ANG_MD"].extra["intended"] == "anger"

    def test_ties_are_left_out_and_said_so(self, root):
        dataset = open_crema(root, "label=perceived,question=face")
        assert list(by_id(dataset)) == ["1001_IEO_NEU_MD"]
        assert "have no single winner by face: left out" in whats(dataset.check(), "info")

    def test_where_nobody_agreed_there_is_nothing_to_score(self, root):
        for clip in (root / "VideoFlash").glob("*_NEU_*"):
            clip.unlink()
        with pytest.raises(MerbenchError, match=r"holds no utterance that dataset 'crema-d' can use"):
            open_crema(root, "label=perceived,question=face").utterances()

    def test_soft_labels_are_the_counts_in_the_order_of_the_labels(self, root):
        votes = by_id(open_crema(root))["1002_DFA_DIS_XX"].extra["votes"]
        assert votes == {
            "voice": [0, 3, 0, 0, 5, 0],
            "face": [0, 4, 0, 0, 4, 0],
            "multimodal": [0, 8, 0, 0, 0, 0],
        }

    def test_the_summary_is_enough_for_perceived_labels_and_has_no_soft_ones(self, root):
        full = {id: u.label for id, u in by_id(open_crema(root, "label=perceived")).items()}
        tied = list(by_id(open_crema(root, "label=perceived,question=face")))
        (root / "processedResults" / "tabulatedVotes.csv").unlink()
        summary = by_id(open_crema(root, "label=perceived"))
        assert {id: u.label for id, u in summary.items()} == full
        assert "votes" not in summary["1001_IEO_ANG_MD"].extra
        assert list(by_id(open_crema(root, "label=perceived,question=face"))) == tied

    def test_without_votes_only_the_intended_label_is_to_be_had(self, root):
        shutil.rmtree(root / "processedResults")
        assert len(open_crema(root).utterances()) == 6
        with pytest.raises(MerbenchError, match="label=perceived needs them; put processedResults/tabulated"):
            open_crema(root, "label=perceived").utterances()

    @pytest.mark.parametrize(("old", "new"), [('"100001"', '"900001"'), (",0,", ",many,")])
    def test_a_row_that_is_no_row_of_votes_is_named(self, root, old, new):
        table = root / "processedResults" / "tabulatedVotes.csv"
        table.write_text(table.read_text().replace(old, new, 1))
        with pytest.raises(MerbenchError, match=r"tabulatedVotes.csv:2 is no row of votes"):
            open_crema(root).utterances()

    def test_semicolons_are_recognised(self, root):
        table = root / "VideoDemographics.csv"
        table.write_text("\ufeff" + table.read_text().replace(",", ";").replace('"', ""))
        with pytest.raises(MerbenchError, match="separated by semicolons: save it with commas"):
            open_crema(root).utterances()

    def test_a_byte_order_mark_is_no_part_of_the_first_column(self, root):
        table = root / "VideoDemographics.csv"
        table.write_text("\ufeff" + table.read_text())
        assert by_id(open_crema(root))["1001_IEO_ANG_MD"].extra["gender"] == "male"


class TestPeople:
    def test_the_human_row_by_votes_and_by_clips(self, root):
        said = {f.where: f.what for f in open_crema(root).index.findings}
        # Of 8 votes per clip, 3 by voice, 4 by face and 8 by both are right and the others say neutral, which
        # is right for one clip of six. A tie, as by face for the other five, is no answer.
        majority = "the majority by {} names the intended emotion for {} of 6 clips, {:.1%} of 48 votes do"
        assert said["people, {a}"] == majority.format("voice", "16.7%", (5 * 3 + 8) / 48)
        assert said["people, {v}"] == majority.format("face", "16.7%", (5 * 4 + 8) / 48)
        assert said["people, {av}"] == majority.format("multimodal", "100.0%", 1)

    def test_people_are_measured_against_the_intended_emotion_whatever_the_label(self, root):
        intended = {f.where: f.what for f in open_crema(root).index.findings}
        perceived = {f.where: f.what for f in open_crema(root, "label=perceived").index.findings}
        assert perceived["people, {a}"] == intended["people, {a}"]


class TestDefects:
    def test_what_is_known_to_be_bad_is_left_out_by_name(self, root):
        dataset = open_crema(root)
        assert BAD not in by_id(dataset)
        assert whats(dataset.check(), "warning")["silent; the video shows no face: left out"] == BAD
        assert dataset.expected == {"utterances": 7438, "speakers": 91}
        kept = open_crema(root, "known_bad=keep")
        assert BAD in by_id(kept)
        assert kept.expected == {"utterances": 7442, "speakers": 91}
        assert "silent; the video shows no face: kept" in whats(kept.check(), "warning")

    def test_a_half_downloaded_set_is_reported_by_name(self, root):
        (root / "VideoFlash" / "1001_IEO_ANG_MD.flv").unlink()
        report = open_crema(root).check()
        assert whats(report, "warning")["are voted on and have no file here"] == "1001_IEO_ANG_MD"
        assert whats(report, "info")["5 of the 7438 published: a subset"] == "utterances"

    def test_a_clone_without_git_lfs_is_recognised(self, root):
        clip = root / "VideoFlash" / "1001_IEO_ANG_MD.flv"
        clip.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 265922\n")
        with pytest.raises(MerbenchError, match=r"1001_IEO_ANG_MD: are Git LFS pointers.*'git lfs pull'"):
            open_crema(root).utterances()

    @pytest.mark.parametrize(
        ("release", "content"),
        [
            ("flv", b""),
            ("flv", b"FLV\x01\x05\0\0\0\x09\0\0\0\0"),
            ("mp3", b""),
            ("mp3", b"ID3\x03" + bytes(200)),
        ],
        ids=["empty video", "video without frames", "empty sound", "sound without frames"],
    )
    def test_a_clip_with_nothing_in_it_is_an_error_of_the_check(self, root, release, content):
        folder = {"flv": "VideoFlash", "mp3": "AudioMP3"}[release]
        (root / folder / f"1001_IEO_ANG_MD.{release}").write_bytes(content)
        report = open_crema(root, f"release={release}").check()
        assert not report.ok
        assert [f.where for f in report.findings if f.level == "error"] == ["1001_IEO_ANG_MD"]

    def test_sound_that_is_longer_than_the_pictures_is_kept_whole(self, root):
        """The Flash videos begin with sound, and some end with it."""
        frames = np.zeros((6, 48, 64, 3), np.uint8)
        sound = tone(1.5, 44_100)
        clip = root / "VideoFlash" / "1001_IEO_ANG_MD.flv"
        write_clip(clip, frames, codec="flv", audio=sound, audio_codec="libmp3lame", rate=44_100)
        dataset = open_crema(root)
        sample = dataset.load(by_id(dataset)["1001_IEO_ANG_MD"])
        assert len(sample.audio) / sample.sample_rate == pytest.approx(1.5, abs=0.1)
        assert sample.timestamps[-1] < 0.6


class TestRealClips:
    def test_flash_video_with_vp6_and_mp3_as_the_raters_saw_it(self, real_data):
        dataset = open_crema(real_data / "av" / "cremad")
        assert [u.label for u in dataset.utterances()] == ["anger", "happiness", "neutral", "sadness"]
        assert dataset.check().ok
        sample = dataset.load(dataset.utterances()[0])
        assert sample.frames.shape == (4, 32, 32, 3)
        assert len(sample.audio) / sample.sample_rate == pytest.approx(2.235, abs=0.1)
        assert sample.text == "Don't forget a jacket"

    def test_mp3(self, real_data):
        dataset = open_crema(real_data / "audio" / "cremad")
        assert {u.speaker for u in dataset.utterances()} == {"1002"}
        assert dataset.check().ok

    def test_what_people_heard_and_saw_in_them(self, real_data, tmp_path):
        """The winners of summaryTable.csv for the eight clips, in the columns of the real one."""
        for folder in ("av", "audio"):
            for clip in (real_data / folder / "cremad").glob("100*"):
                target = tmp_path / ("VideoFlash" if folder == "av" else "AudioMP3")
                target.mkdir(exist_ok=True)
                (target / clip.name).symlink_to(clip)
        with (real_data / "av" / "cremad" / "human_votes.csv").open(newline="") as handle:
            rows = list(csv.DictReader(handle))
        table = tmp_path / "processedResults" / "summaryTable.csv"
        table.parent.mkdir()
        with table.open("w", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(("", "FileName", "VoiceVote", "FaceVote", "MultiModalVote"))
            for i, row in enumerate(rows):
                votes = (row["voice_vote"], row["face_vote"], row["multimodal_vote"])
                writer.writerow((i, row["file"], *votes))
        seen = by_id(open_crema(tmp_path, "label=perceived"))
        said = {f.where: f.what for f in open_crema(tmp_path).index.findings}
        for subset, share in (("{a}", "50.0%"), ("{v}", "75.0%"), ("{av}", "75.0%")):
            assert f"for {share} of 4 clips" in said[f"people, {subset}"]
        assert {id: u.label for id, u in seen.items()} == {
            "1001_DFA_ANG_XX": "anger",
            "1001_DFA_HAP_XX": "happiness",
            "1001_DFA_NEU_XX": "neutral",
            "1001_DFA_SAD_XX": "neutral",
        }
        heard = by_id(open_crema(tmp_path, "label=perceived,question=face,release=mp3"))
        assert "1002_DFA_SAD_XX" not in heard  # N:S


class TestCommandLine:
    def test_check_reports_counts_people_and_the_defective_clip(self, merbench, root):
        done = merbench("dataset", "check", "crema-d", "--root", root, "--frames", 2, "--frame-size", 32)
        assert done.code == 0, done.err
        for words in (
            "label  anger 1",
            "1076_MTI_SAD_XX",
            "people, {av}: the majority",
            "6 of the 7438 published",
        ):
            assert words in " ".join(done.out.split("\n")), words

    def test_no_root_names_the_licence_page_and_the_layout(self, merbench, monkeypatch):
        monkeypatch.delenv("MERBENCH_DATA", raising=False)
        merbench("dataset", "check", "crema-d").refused(
            "VideoFlash/1001_DFA_ANG_XX.flv", "https://github.com/CheyneyComputerScience/CREMA-D"
        )

    def test_corrupt_writes_a_suite_of_it(self, merbench, root, tmp_path):
        done = merbench(
            *(
                "corrupt",
                "--dataset",
                "crema-d",
                "--root",
                root,
                "--severity",
                3,
                "--out",
                tmp_path / "suite",
            ),
            *("--corruption", "audio/white", "--corruption", "vision/gaussian_noise"),
            *("--frames", 2, "--frame-size", 32, "--json"),
        )
        assert done.code == 0, done.err
        manifest = json.loads((tmp_path / "suite" / "manifest.json").read_text())
        assert manifest["facts"]["dataset"] == "crema-d"
        assert manifest["facts"]["text_informative"] is False
        assert len(manifest["roots"]) == 3  # clean and two cells


class TestSoftLabels:
    def test_the_shares_of_the_votes_are_the_targets(self, root):
        dataset = open_crema(root, "target=soft")
        found = by_id(dataset)["1001_IEO_FEA_MD"]
        assert found.targets == (0, 0, 1, 0, 0, 0)
        assert dataset.task.kind == "soft"
        assert dataset.task.targets == dataset.labels

    def test_of_the_question_that_was_chosen(self, root):
        found = by_id(open_crema(root, "target=soft,question=voice"))["1001_IEO_FEA_MD"]
        assert found.targets == (0, 0, 3 / 8, 0, 5 / 8, 0)
        assert found.label == "fear"  # as intended

    def test_clips_without_counted_votes_are_left_out(self, root):
        votes = root / "processedResults" / "tabulatedVotes.csv"
        lines = votes.read_text(encoding="utf-8").splitlines()
        votes.write_text("\n".join(x for x in lines if "1001_IEO_FEA_MD" not in x), encoding="utf-8")
        dataset = open_crema(root, "target=soft")
        assert "1001_IEO_FEA_MD" not in by_id(dataset)
        assert whats(dataset.check(), "info")["have no votes by multimodal: left out"] == "1001_IEO_FEA_MD"

    def test_recipes_that_are_older_than_the_option_stay_what_they_are(self, root):
        assert "target" not in open_crema(root).identity()["options"]
