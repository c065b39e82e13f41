"""MER2023 as its archives unpack: a label file per split, clips in two formats, most of them unlabelled."""

from __future__ import annotations

import shutil

import pytest

from merbench.datasets import load_dataset
from merbench.errors import MerbenchError
from merbench.types import MediaSpec
from tests.datasets.miniature import mer2023

SMALL = MediaSpec(frames=2, frame_size=32)


@pytest.fixture
def root(tmp_path):
    return mer2023(tmp_path)[0]


def open_mer2023(root, spec="mer2023"):
    return load_dataset(spec, root, SMALL)


def by_id(dataset):
    return {u.id: u for u in dataset.utterances()}


def whats(report, level):
    return {f.where: f.what for f in report.findings if f.level == level}


def test_the_four_splits_and_their_labels(root):
    each = {"neutral": 1, "angry": 1, "happy": 1, "sad": 1, "worried": 1, "surprise": 1}
    assert open_mer2023(root).label_counts() == dict.fromkeys(("test1", "test2", "test3", "train"), each)


def test_what_was_published():
    assert load_dataset("mer2023").card.expected == {
        "utterances": 5030, "split train": 3373, "split test1": 411, "split test2": 412, "split test3": 834
    }  # fmt: skip


def test_valence_where_there_is_one(root):
    found = by_id(open_mer2023(root))
    assert found["sample_00000001"].extra == {"valence": -1.5}
    assert found["sample_00000018"].extra == {}  # test3


def test_nobody_is_known_and_the_card_and_the_check_say_so(root):
    dataset = open_mer2023(root)
    assert {u.speaker for u in dataset.utterances()} == {None}
    assert dataset.card.unit == "sample"
    assert whats(dataset.check(), "info")["speakers"] == "are not annotated: samples count as independent"


@pytest.mark.parametrize(
    ("spec", "text"),
    [("mer2023", "\u4e0d\u884c\uff01"), ("mer2023:language=english", "No, sample_00000002!")],
)
def test_the_transcript_is_what_the_toolkit_recognised(root, spec, text):
    dataset = open_mer2023(root, spec)
    found = by_id(dataset)
    assert dataset.load(found["sample_00000002"]).text == text
    assert dataset.load(found["sample_00000001"]).text is None


def test_without_transcripts_it_is_a_dataset_of_sounds_and_pictures(root):
    (root / "transcription-engchi-polish.csv").unlink()
    assert open_mer2023(root).check().counts["modality"] == {"audio": 24, "vision": 24, "text": 0}


def test_everything_in_one_place(root):
    for path in (*root.glob("mer2023train/*"), *root.glob("test-labels/*")):
        shutil.move(path, root / path.name)
    assert len(open_mer2023(root).utterances()) == 24


def test_a_clip_in_both_forms_is_one(root):
    shutil.copy(root / "test1" / "sample_00000006.mp4", root / "test1" / "sample_00000007.mp4")
    assert by_id(open_mer2023(root))["sample_00000007"].source.video.suffix == ".mp4"


def test_the_check_counts_and_names(root):
    (root / "mer2023train" / "train" / "._sample_00000000.mp4").write_bytes(b"Mac OS X")
    (root / "test2" / "sample_00000012.mp4").unlink()
    report = open_mer2023(root).check()
    assert report.ok, report.findings
    info = whats(report, "info")
    assert info["test3/sample_00000099"] == "are clips without a label"
    assert info["sample_00000000, sample_00000001"].startswith("have no transcript")
    assert info["utterances"] == "23 of the 5030 published: a subset"
    gap = "are labelled and have no clip in test2: left out"
    assert whats(report, "warning")["sample_00000012"] == gap


def test_half_a_download_is_named(root):
    (root / "test-labels" / "test1-label.csv").unlink()
    shutil.rmtree(root / "mer2023train" / "test3")
    told = whats(open_mer2023(root).check(), "warning")
    assert told["test1-label.csv"] == "are not there: half of a download?"
    assert "are labelled and have no clip in test3: left out" in told.values()


def test_without_labels_it_is_not_mer2023(root):
    for path in root.rglob("*-label.csv"):
        path.unlink()
    with pytest.raises(MerbenchError, match=r"holds no labels of MER2023 .*MERChallenge"):
        open_mer2023(root).utterances()


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("sample_00000090,disgust,1.0", "unknown emotion 'disgust'"),
        ("sample_00000001,angry,1.0", "labels sample_00000001 a second time"),
        ("sample_00000090,angry,high", "a valence that is no number: high"),
        ("sample_00000090,angry,nan", "a valence that is no number: nan"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(root, row, what):
    path = root / "mer2023train" / "train-label.csv"
    path.write_text(path.read_text(encoding="utf-8") + row + "\n", encoding="utf-8")
    with pytest.raises(MerbenchError, match=rf"train-label\.csv:8: .*{what}"):
        open_mer2023(root).utterances()


def test_corrupt_end_to_end(root, merbench, tmp_path):
    out = tmp_path / "suite"
    done = merbench(
        "corrupt", "--dataset", "mer2023", "--root", root, "--split", "test2", "--corruption", "audio/white",
        "--severity", "3", "--frames", "2", "--frame-size", "32", "--out", out
    )  # fmt: skip
    assert done.code == 0, done.err
    assert merbench("suite", "verify", out).code == 0


def test_valence_as_a_target_leaves_out_the_clips_that_have_none(root):
    dataset = open_mer2023(root, "mer2023:target=valence")
    found = by_id(dataset)
    assert found["sample_00000001"].targets == (-1.5,)
    assert found["sample_00000001"].label == "angry"
    assert {u.split for u in found.values()} == {"train", "test1", "test2"}
    assert dataset.task.names_labels is False
    assert whats(dataset.check(), "info")["sample_00000018, sample_00000019, sample_00000020 and 3 more"] == (
        "have no valence: left out"
    )


def test_recipes_that_are_older_than_the_target_stay_what_they_are(root):
    assert "target" not in open_mer2023(root).identity()["options"]
