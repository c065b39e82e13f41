"""DFEW as its archives unpack: numbered clips in parts, and five folds of numbered labels."""

from __future__ import annotations

import shutil

import pytest

from merbench.datasets import load_dataset
from merbench.errors import MerbenchError
from merbench.types import MediaSpec
from tests.datasets.miniature import dfew

SMALL = MediaSpec(frames=2, frame_size=32)


@pytest.fixture
def root(tmp_path):
    return dfew(tmp_path)[0]


def open_dfew(root, spec="dfew"):
    return load_dataset(spec, root, SMALL)


def whats(report, level):
    return {f.where: f.what for f in report.findings if f.level == level}


def test_labels_are_numbered_from_one(root):
    labels = {u.id: u.label for u in open_dfew(root).utterances()}
    assert [labels[f"{n:05d}"] for n in (7, 1, 2, 3, 4, 5, 6)] == list(load_dataset("dfew").labels)
    assert labels["16372"] == load_dataset("dfew").labels[16_372 % 7]


def test_every_clip_is_tested_in_one_fold_and_trained_on_in_the_others(root):
    tested = []
    for fold in range(1, 6):
        splits = {u.id: u.split for u in open_dfew(root, f"dfew:fold={fold}").utterances()}
        assert len(splits) == 15
        tested += [id for id, split in splits.items() if split == "test"]
    assert sorted(tested) == sorted(splits)


def test_what_was_published():
    folds = [load_dataset(f"dfew:fold={fold}").expected for fold in range(1, 6)]
    assert {fold["utterances"] for fold in folds} == {sum(fold["split test"] for fold in folds)} == {11_697}
    assert [fold["split train"] for fold in folds] == [9356, 9356, 9357, 9358, 9361]


def test_there_is_sound_and_no_text(root):
    dataset = open_dfew(root)
    assert dataset.check().counts["modality"] == {"audio": 15, "vision": 15, "text": 0}
    assert not dataset.text_informative


def test_nobody_is_known_and_the_card_and_the_check_say_so(root):
    dataset = open_dfew(root)
    assert dataset.card.unit == "sample"
    assert whats(dataset.check(), "info")["speakers"] == "are not annotated: samples count as independent"


@pytest.mark.parametrize("name", ["00003.mp4", "3.mp4"])
def test_clips_with_and_without_zeros_in_parts_and_without(root, name):
    clip = root / "Clip" / "original" / "part_1" / "3.mp4"
    clip.rename(root / "Clip" / "original" / name)
    found = {u.id: u.source.video.name for u in open_dfew(root).utterances()}
    assert found["00003"] == name


def test_the_other_spelling_of_the_folders(root):
    for split in ("train", "test"):
        folder = root / "EmoLabel_DataSplit" / f"{split}(single-labeled)"
        folder.rename(folder.with_name(f"{split}(single_labeled)"))
    assert len(open_dfew(root).utterances()) == 15


def test_half_a_download_is_named(root):
    shutil.rmtree(root / "Clip" / "original" / "part_2")
    report = open_dfew(root).check()
    assert whats(report, "warning")["16372"] == "are in train of fold 1 and have no clip: left out"
    assert whats(report, "info")["utterances"] == "14 of the 11697 published: a subset"


def test_a_missing_fold_is_named(root):
    (root / "EmoLabel_DataSplit" / "test(single-labeled)" / "set_4.csv").unlink()
    with pytest.raises(MerbenchError, match=r"does not hold EmoLabel_DataSplit/test\(single-labeled\)/set_4"):
        open_dfew(root, "dfew:fold=4").utterances()


def test_the_release_of_cropped_faces_is_refused(root):
    (root / "Clip" / "original").rename(root / "Clip" / "clip_224x224")
    with pytest.raises(MerbenchError, match="the releases of cropped faces are not read"):
        open_dfew(root).utterances()


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("99,0", "is not a clip's number and a label from 1 to 7"),
        ("99,8", "is not a clip's number"),
        ("x,1", "is not a clip's number"),
        ("2,3", "clip 2 stands already in train"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(root, row, what):
    path = root / "EmoLabel_DataSplit" / "test(single-labeled)" / "set_1.csv"
    with path.open("a", encoding="utf-8", newline="") as handle:
        handle.write(row + "\r\n")
    with pytest.raises(MerbenchError, match=rf"set_1\.csv:5: .*{what}"):
        open_dfew(root).utterances()


def test_corrupt_end_to_end(root, merbench, tmp_path):
    out = tmp_path / "suite"
    done = merbench(
        "corrupt", "--dataset", "dfew:fold=3", "--root", root, "--corruption", "audio/white",
        "--severity", "3", "--frames", "2", "--frame-size", "32", "--out", out
    )  # fmt: skip
    assert done.code == 0, done.err
    assert merbench("suite", "verify", out).code == 0
