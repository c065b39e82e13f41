"""MELD as its archive unpacks: CSV files with scars, clips with two names, two that are known to be bad."""

from __future__ import annotations

import shutil

import pytest

from merbench.datasets import load_dataset
from merbench.errors import MerbenchError
from merbench.types import MediaSpec
from tests.datasets.miniature import meld, meld_texts

SMALL = MediaSpec(frames=2, frame_size=32)


@pytest.fixture
def root(tmp_path):
    return meld(tmp_path)[0]


def open_meld(root, spec="meld"):
    return load_dataset(spec, root, SMALL)


def by_id(dataset):
    return {u.id: u for u in dataset.utterances()}


def whats(report, level):
    return {f.where: f.what for f in report.findings if f.level == level}


class TestAnnotation:
    def test_a_line_and_everything_said_about_it(self, root):
        found = by_id(open_meld(root))["test-dia1_utt1"]
        assert found.label == "joy"
        assert found.split == "test"
        assert found.speaker == "Chandler"
        assert found.extra == {"sentiment": "positive", "season": "8", "episode": "21"}

    def test_dialogues_are_numbered_anew_in_every_split(self, root):
        dialogues = {u.dialogue for u in open_meld(root).utterances()}
        assert dialogues == {"train-dia0", "train-dia125", "dev-dia0", "dev-dia110", "test-dia0", "test-dia1"}

    @pytest.mark.parametrize(
        ("line", "text"),
        [
            (
                0,
                "It\N{RIGHT SINGLE QUOTATION MARK}s over, isn\N{RIGHT SINGLE QUOTATION MARK}t it?",
            ),  # Windows-1252 that became control characters
            (1, '"Wanted. Roommate." Nice!'),
            (2, "Oh,\nno!"),
            (3, "Y\N{RIGHT SINGLE QUOTATION MARK}know."),  # UTF-8 that was read as Windows-1252
        ],
    )
    def test_transcripts_are_what_was_said(self, tmp_path, line, text):
        dataset = open_meld(meld_texts(tmp_path)[0])
        assert dataset.load(by_id(dataset)[f"dev-dia0_utt{line}"]).text == text

    @pytest.mark.parametrize("text", ["café", "naïve Ü", "“fine”", "日本語", "🙂", "Ãgua"])
    def test_what_was_never_broken_is_not_mended(self, tmp_path, text):
        root = meld_texts(tmp_path)[0]
        path = root / "test_sent_emo.csv"
        path.write_text(path.read_text(encoding="utf-8").replace("Ew.", text), encoding="utf-8", newline="")
        dataset = open_meld(root)
        assert dataset.load(by_id(dataset)["test-dia0_utt4"]).text == text

    def test_the_check_tells_what_was_mended(self, tmp_path):
        told = whats(open_meld(meld_texts(tmp_path)[0]).check(), "info")
        where = "test-dia0_utt0, test-dia0_utt3, test-dia1_utt0 and 1 more"
        assert told[where] == "have characters in a wrong encoding, which are mended"

    @pytest.mark.parametrize(
        ("before", "after", "what"),
        [
            (",joy,", ",glad,", "unknown emotion 'glad'"),
            (",0,1,8,", ",zero,1,8,", "are not whole numbers"),
            (",0,1,8,", ",0,0,8,", "annotates dia0_utt0 a second time"),
        ],
    )
    def test_a_row_that_cannot_be_read_is_named(self, tmp_path, before, after, what):
        root = meld_texts(tmp_path)[0]
        path = root / "test_sent_emo.csv"
        path.write_text(path.read_text(encoding="utf-8").replace(before, after, 1), encoding="utf-8")
        with pytest.raises(MerbenchError, match=rf"test_sent_emo\.csv:3: .*{what}"):
            open_meld(root).utterances()

    def test_semicolons_are_recognised(self, tmp_path):
        root = meld_texts(tmp_path)[0]
        path = root / "test_sent_emo.csv"
        path.write_text(path.read_text(encoding="utf-8").replace(",", ";"), encoding="utf-8")
        with pytest.raises(MerbenchError, match="separated by semicolons"):
            open_meld(root).utterances()


class TestClips:
    def test_each_split_has_its_folder(self, root):
        clips = {u.id: u.source.video.parent.name for u in open_meld(root).utterances()}
        assert clips["train-dia0_utt0"] == "train_splits"
        assert clips["dev-dia0_utt0"] == "dev_splits_complete"
        assert clips["test-dia0_utt0"] == "output_repeated_splits_test"

    def test_a_clip_under_its_other_name_stands_in(self, root):
        found = by_id(open_meld(root))
        assert found["test-dia1_utt4"].source.video.name == "final_videos_testdia1_utt4.mp4"
        assert found["test-dia1_utt3"].source.video.name == "dia1_utt3.mp4"

    def test_the_two_known_to_be_bad_are_left_out_and_told(self, root):
        dataset = open_meld(root)
        assert len(dataset.utterances()) == 28
        assert dataset.expected == {
            "utterances": 13_706, "split train": 9988, "split dev": 1108, "split test": 2610
        }  # fmt: skip
        report = dataset.check()
        assert report.ok, report.findings
        told = whats(report, "info")
        assert told["train-dia125_utt3"] == "is a corrupt clip: left out"
        assert told["dev-dia110_utt7"] == "was never published as a clip: left out"
        assert told["dev_splits_complete/dia66_utt9"] == "are clips that nobody annotated"
        assert told["output_repeated_splits_test/final_videos_testdia1_utt3"].startswith("are second clips")
        assert told["utterances"] == "28 of the 13706 published: a subset"

    def test_unless_they_are_asked_for(self, root):
        report = open_meld(root, "meld:known_bad=keep").check()
        assert "dia125_utt3.mp4 cannot be decoded" in whats(report, "error")["train-dia125_utt3"]
        gap = "are annotated and have no clip in dev_splits_complete: left out"
        assert whats(report, "warning")["dev-dia110_utt7"] == gap

    def test_the_annotation_alone_is_a_text_dataset(self, tmp_path):
        report = open_meld(meld_texts(tmp_path)[0]).check()
        assert report.counts["modality"] == {"audio": 0, "vision": 0, "text": 30}
        assert whats(report, "info")["utterances"] == "30 of the 13708 published: a subset"

    def test_transcripts_alone_though_there_are_clips(self, root):
        assert open_meld(root, "meld:modality=text").check().counts["modality"]["vision"] == 0

    def test_clips_are_missed_where_they_are_asked_for(self, tmp_path):
        with pytest.raises(MerbenchError, match="holds no clips of MELD"):
            open_meld(meld_texts(tmp_path)[0], "meld:modality=av").utterances()


class TestHalfADownload:
    def test_a_missing_annotation_is_named(self, root):
        (root / "test_sent_emo.csv").unlink()
        told = whats(open_meld(root).check(), "warning")
        assert told["test_sent_emo.csv"] == "are not there: half of a download?"

    def test_a_missing_folder_is_named(self, root):
        shutil.rmtree(root / "test")
        told = whats(open_meld(root).check(), "warning").values()
        assert "are annotated and have no clip in output_repeated_splits_test: left out" in told

    def test_without_any_annotation_it_is_not_meld(self, root):
        for path in (*root.glob("*.csv"), *root.glob("*/*.csv")):
            path.unlink()
        with pytest.raises(MerbenchError, match=r"holds no annotation of MELD .*affective-meld"):
            open_meld(root).utterances()


def test_corrupt_end_to_end(tmp_path, merbench):
    out = tmp_path / "suite"
    done = merbench(
        "corrupt", "--dataset", "meld", "--root", meld_texts(tmp_path)[0], "--split", "dev",
        "--corruption", "text/typo", "--severity", "3", "--out", out
    )  # fmt: skip
    assert done.code == 0, done.err
    assert merbench("suite", "verify", out).code == 0


def test_the_published_annotation(real_data):
    dataset = open_meld(real_data / "text" / "meld")
    assert tuple(dataset.label_counts()["dev"].values()) == (153, 22, 40, 163, 470, 111, 150)
    rows = dataset.utterances()
    assert len({u.dialogue for u in rows}) == 114
    assert not [u for u in rows if any(0x80 <= ord(c) < 0xA0 or c == "â" for c in u.source.text)]
    told = whats(dataset.check(), "info")
    assert told["utterances"] == "1109 of the 13708 published: a subset"
    assert "split dev" not in told  # it is whole
