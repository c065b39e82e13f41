"""Datasets of the hub: a copy of a repository, the cache, and no connection."""

from __future__ import annotations

import pytest

from merbench.datasets import load_dataset
from merbench.errors import MerbenchError
from merbench.types import MediaSpec
from tests.datasets.miniature import hub

MAP = "hub:id=file_id,label=emotion,text=raw_text"


@pytest.fixture
def root(tmp_path):
    return hub(tmp_path)[0]


class TestCopy:
    def test_columns_are_mapped_and_splits_kept(self, root):
        dataset = load_dataset(MAP, root)
        by_id = {u.id: u for u in dataset.utterances()}
        assert {u.split for u in by_id.values()} == {"train", "test"}
        assert len(by_id) == 7
        assert by_id["test1"].label == "glad"  # the class label's name, not its number
        assert dataset.load(by_id["test1"]).text == "Number 1"

    def test_sound_that_lies_in_the_table_is_decoded(self, root):
        dataset = load_dataset(MAP, root, MediaSpec(sample_rate=None))
        sample = dataset.load(dataset.utterances()[0])
        assert sample.sample_rate == 16_000
        assert len(sample.audio) == 6400

    def test_comma_separated_values_are_read_too(self, tmp_path):
        (tmp_path / "test.csv").write_text('what,how\n"Hi,\nyou",glad\nNo,sad\n', encoding="utf-8")
        dataset = load_dataset("hub:text=what,label=how", tmp_path)
        assert [u.source.text for u in dataset.utterances()] == ["Hi,\nyou", "No"]

    def test_a_column_that_is_not_there_is_named_with_those_that_are(self, root):
        with pytest.raises(MerbenchError, match=r"no column 'feeling' for label; map one with hub:label=COL"):
            load_dataset("hub:label=feeling", root).utterances()

    def test_a_copy_has_no_revision(self, root):
        with pytest.raises(MerbenchError, match="a revision is one of a repository on the hub; add repo="):
            load_dataset(f"{MAP},revision=v1", root).utterances()

    def test_a_folder_without_data_is_refused_in_one_line(self, tmp_path):
        with pytest.raises(
            MerbenchError, match=r"cannot be loaded: .*doesn't contain any data files"
        ) as error:
            load_dataset("hub", tmp_path).utterances()
        assert "\n" not in str(error.value)


class TestOnTheHub:
    def test_no_connection_is_said_in_one_line(self, merbench):
        done = merbench("dataset", "check", "hub:repo=amu-cai/nEMO,label=emotion,text=raw_text")
        done.refused("amu-cai/nEMO cannot be loaded: Couldn't reach", "the connection", "--root DIR")

    def test_what_is_asked_of_the_hub(self, monkeypatch, root, tmp_path):
        import datasets

        asked = {}
        copy = datasets.load_dataset(str(root))

        def load(*words, **options):
            asked[words] = options
            return copy

        monkeypatch.setattr(datasets, "load_dataset", load)
        spec = f"{MAP},repo=some/where,revision=v1,config=small"
        first = load_dataset(spec).utterances()
        again = load_dataset(spec, tmp_path).utterances()
        assert asked == {("some/where", "small"): {"revision": "v1", "cache_dir": str(tmp_path)}}
        assert first == again == load_dataset(MAP, root).utterances()

    def test_the_repository_is_part_of_the_identity_and_the_root_is_not(self, tmp_path):
        identity = load_dataset("hub:repo=some/where,revision=v1", tmp_path).identity()
        assert identity["options"]["repo"] == "some/where"
        assert identity["options"]["revision"] == "v1"
        assert str(tmp_path) not in str(identity)


def test_neither_a_copy_nor_a_name_says_what_to_give(merbench, monkeypatch):
    monkeypatch.delenv("MERBENCH_DATA", raising=False)
    merbench("dataset", "check", "hub:label=emotion").refused("hub:repo=OWNER/NAME", "--root DIR")
