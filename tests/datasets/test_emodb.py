"""EmoDB: ten letters and digits tell everything."""

from __future__ import annotations

import pytest

from merbench.datasets import load_dataset
from merbench.errors import MerbenchError
from tests.datasets.miniature import emodb, voice


@pytest.fixture
def root(tmp_path):
    return emodb(tmp_path)[0]


def open_emodb(root):
    return load_dataset("emodb", root)


def test_the_file_name_is_the_annotation(root):
    by_id = {u.id: u for u in open_emodb(root).utterances()}
    assert {id: u.label for id, u in by_id.items()} == {
        "03a01Fa": "happiness",
        "03a01Nc": "neutral",
        "03a01Wa": "anger",
        "03a02Wb": "anger",
        "08a07Aa": "fear",
        "08b03Tb": "sadness",
        "08b09Ec": "disgust",
        "08b10Lb": "boredom",
    }
    utterance = by_id["08b09Ec"]
    assert (utterance.speaker, utterance.split) == ("08", "test")
    assert utterance.extra == {"gender": "female", "age": 34, "sentence": "b09", "version": "c"}
    assert by_id["08a07Aa"].source.text == "In sieben Stunden wird es soweit sein."


def test_its_text_carries_no_emotion(root):
    assert not open_emodb(root).text_informative


def test_the_files_may_lie_in_the_root_itself(root):
    assert len(open_emodb(root / "wav").utterances()) == 8


def test_other_names_are_left_out_and_reported(root):
    for stray in ("03a03Fa.wav", "04a01Fa.wav", "03a01Xa.wav", ".03a01Fb.wav"):
        voice(root / "wav" / stray, 200)
    dataset = open_emodb(root)
    assert len(dataset.utterances()) == 8
    (finding,) = dataset.index.findings
    assert finding.where == "03a01Xa.wav, 03a03Fa.wav, 04a01Fa.wav"


def test_the_check_counts_against_what_was_published(root):
    said = {f.where: f.what for f in open_emodb(root).check().findings}
    assert said["utterances"] == "8 of the 535 published: a subset"
    assert said["speakers"] == "2 of the 10 published: a subset"


def test_a_truncated_file_is_an_error_of_the_check(root):
    path = root / "wav" / "03a01Fa.wav"
    path.write_bytes(path.read_bytes()[:30])
    assert [f.where for f in open_emodb(root).check().findings if f.level == "error"] == ["03a01Fa"]


def test_another_folder_is_refused_with_the_layout(tmp_path):
    voice(tmp_path / "happy.wav", 200)
    with pytest.raises(
        MerbenchError, match=r"does not hold EmoDB \(found: happy.wav\); expected wav/03a01Fa"
    ):
        open_emodb(tmp_path).utterances()
