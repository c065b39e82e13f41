"""nEMO as it is published, and in parts."""

from __future__ import annotations

import shutil

import pytest

from merbench.datasets import load_dataset
from merbench.errors import MerbenchError
from tests.datasets.miniature import nemo, voice


@pytest.fixture
def root(tmp_path):
    return nemo(tmp_path)[0]


def open_nemo(root):
    return load_dataset("nemo", root)


def whats(dataset, level):
    return {f.what: f.where for f in dataset.index.findings if f.level == level}


def edit(root, old, new):
    table = root / "data.tsv"
    text = table.read_text(encoding="utf-8")
    assert old in text
    table.write_text(text.replace(old, new, 1), encoding="utf-8")


class TestTable:
    def test_a_row_is_an_utterance(self, root):
        first = open_nemo(root).utterances()[0]
        assert (first.id, first.label, first.speaker, first.split) == ("EB0_anger_1", "anger", "EB0", "test")
        assert first.extra == {"gender": "female", "age": 27}
        assert first.source.text == 'Lubię "0" źdźbła.'  # a quotation mark in TSV is a character
        assert open_nemo(root).load(first).sample_rate == 16_000

    def test_its_text_carries_no_emotion(self, root):
        assert not open_nemo(root).text_informative

    def test_decomposed_polish_letters_are_composed(self, root):
        edit(root, "Lubi\N{LATIN SMALL LETTER E WITH OGONEK}", "Lubie\N{COMBINING OGONEK}")
        assert (
            open_nemo(root)
            .utterances()[0]
            .source.text.startswith("Lubi\N{LATIN SMALL LETTER E WITH OGONEK} ")
        )

    @pytest.mark.parametrize(
        ("old", "new", "says"),
        [
            ("\tanger\t", "\trage\t", "data.tsv:2: has the emotion 'rage'"),
            ("SM0_fear_2.wav", "EB0_anger_1.wav", "data.tsv:3: names EB0_anger_1.wav a second time"),
            ("speaker_id", "voice", "data.tsv has no column speaker_id"),
            ("\t27\n", "\n", "data.tsv:2 has 6 cells"),
        ],
    )
    def test_a_row_that_is_wrong_is_named(self, root, old, new, says):
        edit(root, old, new)
        with pytest.raises(MerbenchError) as caught:
            open_nemo(root).utterances()
        assert says in str(caught.value)


class TestHalfDownloaded:
    def test_missing_files_are_left_out_by_name(self, root):
        (root / "samples" / "EB0_anger_1.wav").unlink()
        dataset = open_nemo(root)
        assert len(dataset.utterances()) == 5
        assert whats(dataset, "warning") == {"are in data.tsv and have no file: left out": "EB0_anger_1.wav"}
        assert "5 of the 4481 published: a subset" in {f.what for f in dataset.check().findings}

    def test_files_that_the_table_does_not_know_are_left_out_by_name(self, root):
        voice(root / "samples" / "EB0_anger_99.wav", 200)
        assert whats(open_nemo(root), "warning") == {"are not in data.tsv: left out": "EB0_anger_99.wav"}

    def test_the_table_alone_is_refused(self, root):
        shutil.rmtree(root / "samples")
        with pytest.raises(MerbenchError, match=r"none of the 6 files that data.tsv names is in .*samples"):
            open_nemo(root).utterances()

    def test_the_files_alone_are_refused(self, root):
        (root / "data.tsv").unlink()
        with pytest.raises(MerbenchError, match=r"does not hold data.tsv; expected data.tsv and samples/"):
            open_nemo(root).utterances()


def test_the_real_recordings(real_data):
    dataset = open_nemo(real_data / "audio" / "nemo")
    report = dataset.check()
    assert report.ok
    assert report.counts["label"] == dict.fromkeys(dataset.labels, 40)
    assert report.counts["speaker"] == dict.fromkeys(("EB0", "IC0", "KS0", "SM0", "TP0"), 48)
    assert report.counts["modality"] == {"audio": 240, "vision": 0, "text": 240}
