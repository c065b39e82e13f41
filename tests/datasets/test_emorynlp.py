"""EmoryNLP in the tables in which it comes with MELD."""

from __future__ import annotations

from collections import Counter

import pytest

from merbench.datasets import load_dataset
from merbench.errors import MerbenchError
from tests.datasets.miniature import emorynlp


@pytest.fixture
def root(tmp_path):
    return emorynlp(tmp_path)[0]


def open_emorynlp(root):
    return load_dataset("emorynlp", root)


def edit(root, old, new, split="dev"):
    table = root / f"emorynlp_{split}_final.csv"
    text = table.read_text(encoding="utf-8")
    assert old in text
    table.write_text(text.replace(old, new, 1), encoding="utf-8")


class TestRows:
    def test_a_row_is_named_as_its_authors_name_it(self, root):
        by_id = {u.id: u for u in open_emorynlp(root).utterances()}
        line = by_id["s01_e02_c01_u001"]
        assert (line.label, line.split, line.speaker) == ("joyful", "dev", "Rachel Green")
        assert line.dialogue == "s01_e02_c01"
        assert line.extra == {"start": "00:00:00.795", "end": "00:00:01.004"}
        assert line.source.text == "Oh, no 0!"

    def test_what_several_people_say_is_said_by_all_of_them(self, root):
        speakers = {u.id: u.speaker for u in open_emorynlp(root).utterances()}
        assert speakers["s01_e02_c02_u004"] == "Chandler Bing and Ross Geller"

    def test_its_unit_is_the_dialogue(self, root):
        dataset = open_emorynlp(root)
        assert dataset.card.unit == "dialogue"
        assert Counter(u.dialogue for u in dataset.utterances())["s01_e01_c01"] == 4

    @pytest.mark.parametrize(
        ("old", "new", "says"),
        [
            (",Mad,", ",Livid,", "emorynlp_dev_final.csv:3: emotion 'Livid' is not one of joyful, mad"),
            ("['Rachel Green']", "['Rachel", "emorynlp_dev_final.csv:2: is no row of EmoryNLP"),
            ("Joyful,1,1,1,", "Joyful,1,1,one,", "emorynlp_dev_final.csv:2: is no row of EmoryNLP"),
            ("Mad,2,2,", "Mad,1,1,", "emorynlp_dev_final.csv:3: id 's01_e02_c01_u001' stands there already"),
            ("Emotion", "Feeling", "emorynlp_dev_final.csv has no column Emotion"),
        ],
    )
    def test_a_row_that_is_wrong_is_named(self, root, old, new, says):
        edit(root, old, new)
        with pytest.raises(MerbenchError) as caught:
            open_emorynlp(root).utterances()
        assert says in str(caught.value)

    def test_a_quoted_newline_and_a_byte_order_mark_are_read(self, root):
        edit(root, "Utterance,", "\ufeffUtterance,")
        edit(root, "Oh, no 0!", "Oh,\nno!")
        texts = {u.id: u.source.text for u in open_emorynlp(root).utterances()}
        assert texts["s01_e02_c01_u001"] == "Oh,\nno!"


class TestSplits:
    def test_a_split_that_is_not_there_or_not_whole_is_reported_by_name(self, root):
        (root / "emorynlp_train_final.csv").unlink()
        said = {f.where: f.what for f in open_emorynlp(root).index.findings}
        assert said["train"] == "is not here: there is no emorynlp_train_final.csv"
        assert said["dev"] == "7 rows, and 954 were published"

    def test_another_folder_is_refused_with_the_layout(self, tmp_path):
        with pytest.raises(MerbenchError, match=r"holds no split of EmoryNLP; expected emorynlp_train_final"):
            open_emorynlp(tmp_path).utterances()


def test_the_real_dev_split_has_the_published_counts(real_data):
    dataset = open_emorynlp(real_data / "text" / "emorynlp")
    assert dataset.label_counts()["dev"] == {
        "joyful": 205, "mad": 97, "neutral": 322, "peaceful": 82, "powerful": 70, "sad": 51, "scared": 127
    }  # fmt: skip
    assert len({u.dialogue for u in dataset.utterances()}) == 89
    assert not [f for f in dataset.index.findings if f.where == "dev"]
