"""MERR as its authors hand it out: two annotations of the same clips, and gaps."""

from __future__ import annotations

import pytest

from merbench.datasets import load_dataset
from merbench.errors import MerbenchError
from merbench.types import MediaSpec
from tests.datasets.miniature import merr

SMALL = MediaSpec(frames=4, frame_size=32)


@pytest.fixture
def root(tmp_path):
    return merr(tmp_path)[0]


def open_merr(root, spec="merr"):
    return load_dataset(spec, root, SMALL)


def by_id(dataset):
    return {u.id: u for u in dataset.utterances()}


def test_the_two_annotations_are_two_splits_of_the_same_clips(root):
    found = by_id(open_merr(root))
    assert sorted(found) == [
        "sample_00000023-coarse",
        "sample_00000023-fine",
        "sample_00000046-coarse",
        "sample_00000046-fine",
        "sample_00000047-coarse",
        "sample_00000047-fine",
        "sample_00000054-coarse",
        "sample_00000069-coarse",
    ]
    fine, coarse = found["sample_00000023-fine"], found["sample_00000023-coarse"]
    assert (fine.split, coarse.split) == ("fine", "coarse")
    assert fine.dialogue == coarse.dialogue == "sample_00000023"  # never torn apart by a split
    assert fine.speaker is None


def test_labels_explanations_and_valence(root):
    found = by_id(open_merr(root))
    assert found["sample_00000047-fine"].label == "surprise"
    assert found["sample_00000047-fine"].extra == {
        "explanation": "The brows are drawn.",
        "valence": -2.61232674,
    }
    assert found["sample_00000054-coarse"].extra == {"explanation": "A person, doubt."}


def test_the_sentence_is_the_english_transcript(root):
    dataset = open_merr(root)
    found = by_id(dataset)
    assert dataset.load(found["sample_00000046-coarse"]).text == "No, sample_00000046!"
    assert dataset.load(found["sample_00000069-coarse"]).text is None


def test_one_annotation_alone(root):
    (root / "MERR_fine_grained.txt").unlink()
    assert len(open_merr(root, "merr:annotation=coarse").utterances()) == 5
    with pytest.raises(MerbenchError, match=r"MERR_fine_grained\.txt"):
        open_merr(root).utterances()


def test_the_short_form_of_a_line(root):
    (root / "MERR_coarse_grained.txt").write_text("sample_00000023 happy\n", encoding="utf-8")
    assert by_id(open_merr(root))["sample_00000023-coarse"].label == "happy"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("sample_00000023 35 disgust -1.2", "unknown emotion 'disgust'"),
        ("sample_00000023 many angry -1.2", "is not 'name frames emotion"),
        ("sample_00000023 35 angry low", "is not 'name frames emotion"),
        ("sample_00000023", "is not 'name frames emotion"),
        ("sample_00000023 35 angry\nsample_00000023 35 sad", "a second time"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(root, line, what):
    (root / "MERR_coarse_grained.txt").write_text(line + "\n", encoding="utf-8")
    with pytest.raises(MerbenchError, match=rf"MERR_coarse_grained\.txt:\d.*{what}"):
        open_merr(root).utterances()


def test_the_check_tells_what_is_missing(root):
    report = open_merr(root).check()
    told = {f.what: f.where for f in report.findings}
    assert report.ok
    assert told["are in the coarse annotation and have no clip: left out"] == "sample_00000081"
    assert told["have no transcript"] == "sample_00000069"
    assert "8 of the 33105 published: a subset" in told


def test_a_folder_without_clips(root):
    for path in (root / "video").iterdir():
        path.unlink()
    with pytest.raises(MerbenchError, match="holds no clips"):
        open_merr(root).utterances()


def test_a_table_of_explanations_of_another_form(root):
    (root / "MERR_fine_grained.json").write_text("[1, 2]", encoding="utf-8")
    with pytest.raises(MerbenchError, match="smp_reason_caption"):
        open_merr(root).utterances()


def test_transcripts_without_their_columns(root):
    (root / "transcription_en_all.csv").write_text("clip,text\na,b\n", encoding="utf-8")
    with pytest.raises(MerbenchError, match="no column name or sentence"):
        open_merr(root).utterances()
