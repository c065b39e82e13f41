"""GoEmotions: two groupings, several labels per comment, splits that are not there."""

from __future__ import annotations

import shutil

import pytest

from merbench.datasets import load_dataset
from merbench.errors import MerbenchError
from tests.datasets.miniature import GOEMOTIONS, goemotions

EKMAN = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")


@pytest.fixture
def root(tmp_path):
    return goemotions(tmp_path)[0]


def open_goemotions(root, options=""):
    return load_dataset(f"goemotions:{options}", root)


def labels(dataset, split="test"):
    return {u.id.removeprefix(split): u.label for u in dataset.utterances() if u.split == split}


class TestLabels:
    def test_the_numbers_count_the_list_beside_the_table(self, root):
        dataset = open_goemotions(root)
        assert dataset.labels == tuple(GOEMOTIONS.split())
        assert labels(dataset) == {f"{i:02d}": name for i, name in enumerate(dataset.labels)}

    def test_without_a_list_they_count_the_published_order(self, root):
        with_list = labels(open_goemotions(root))
        (root / "data" / "emotions.txt").unlink()
        assert labels(open_goemotions(root)) == with_list

    def test_ekmans_grouping_covers_every_emotion_once(self, root):
        dataset = open_goemotions(root, "grouping=ekman")
        assert dataset.labels == EKMAN
        found = labels(dataset)
        assert (found["03"], found["00"], found["13"], found["22"]) == ("anger", "joy", "joy", "surprise")
        assert set(found.values()) == set(EKMAN)

    def test_grouping_comes_before_counting(self, root):
        """Anger and annoyance are two of the 28, and one of Ekman's."""
        assert "28" not in labels(open_goemotions(root))
        assert labels(open_goemotions(root, "grouping=ekman"))["28"] == "anger"

    def test_rows_with_several_labels_are_left_out_and_counted(self, root):
        dataset = open_goemotions(root)
        assert "29" not in labels(dataset)
        said = {f.what: f.where for f in dataset.index.findings}
        assert said["6 rows with several labels are left out"] == "train28, train29, dev28 and 3 more"

    def test_or_the_first_of_the_label_set_stands_for_all(self, root):
        first = open_goemotions(root, "multi_label=first")
        assert labels(first)["29"] == "amusement"
        grouped = open_goemotions(root, "multi_label=first,grouping=ekman")
        assert labels(grouped)["29"] == "joy"
        row = next(u for u in grouped.utterances() if u.id == "test29")
        assert row.extra == {"labels": ["joy", "sadness"]}

    @pytest.mark.parametrize("numbers", ["28", "-1", "", "joy", "3,"])
    def test_a_number_beyond_the_list_is_named(self, root, numbers):
        (root / "data" / "dev.tsv").write_text(f"Oh\t{numbers}\tabc\n", encoding="utf-8")
        with pytest.raises(MerbenchError, match=rf"dev.tsv:1: '{numbers}' are no numbers from 0 to 27"):
            open_goemotions(root).utterances()

    def test_files_that_are_grouped_already_are_no_original(self, root):
        (root / "data" / "emotions.txt").write_text("\n".join(EKMAN), encoding="utf-8")
        with pytest.raises(MerbenchError, match=r"are grouped already; ask for goemotions:grouping=ekman"):
            open_goemotions(root).utterances()

    def test_a_list_of_other_emotions_is_refused(self, root):
        (root / "data" / "emotions.txt").write_text("joy\nennui\n", encoding="utf-8")
        with pytest.raises(MerbenchError, match="names the emotion 'ennui', which is not one of GoEmotions'"):
            open_goemotions(root).utterances()

    def test_nothing_but_rows_with_several_labels_is_nothing_to_score(self, root):
        for split in ("train", "dev", "test"):
            (root / "data" / f"{split}.tsv").write_text(f"Oh\t2,5\t{split}\n", encoding="utf-8")
        with pytest.raises(MerbenchError, match=r"no utterance that dataset 'goemotions' can use"):
            open_goemotions(root).utterances()
        assert open_goemotions(root).check().ok


class TestText:
    def test_quotation_marks_and_emoji_are_characters(self, root):
        texts = {u.id: u.source.text for u in open_goemotions(root, "multi_label=first").utterances()}
        assert texts["test28"] == '"Argh'
        assert texts["test00"] == "Thanks, number 0 \N{GRINNING FACE}"


class TestSplits:
    def test_test_is_what_is_scored(self, root):
        chosen, _ = open_goemotions(root).select()
        assert {u.split for u in chosen} == {"test"}

    def test_a_split_that_is_not_there_or_not_whole_is_reported_by_name(self, root):
        (root / "data" / "train.tsv").unlink()
        said = {f.where: f.what for f in open_goemotions(root).index.findings}
        assert said["train"] == "is not here: there is no train.tsv"
        assert said["dev"] == "30 rows, and 5426 were published"

    def test_an_id_that_is_there_twice_is_an_error(self, root):
        shutil.copy(root / "data" / "dev.tsv", root / "data" / "test.tsv")
        with pytest.raises(MerbenchError, match=r"test.tsv:1: id 'dev00' stands there already"):
            open_goemotions(root).utterances()

    def test_another_folder_is_refused_with_the_layout(self, tmp_path):
        with pytest.raises(MerbenchError, match=r"holds no split of GoEmotions; expected train.tsv, dev.tsv"):
            open_goemotions(tmp_path).utterances()


class TestRealComments:
    def test_the_counts_of_dev_are_those_published(self, real_data):
        counts = open_goemotions(real_data / "text" / "goemotions").label_counts()["dev"]
        assert sum(counts.values()) == 4548
        assert (counts["neutral"], counts["admiration"], counts["grief"]) == (1592, 326, 6)

    def test_our_grouping_is_the_one_that_others_published(self, real_data, tmp_path):
        """The same comments, once grouped here and once by a repository that publishes both."""
        for grouping in ("original", "ekman"):
            (tmp_path / grouping).mkdir()
            for name in ("dev.tsv", "labels.txt"):
                (tmp_path / grouping / name).symlink_to(real_data / "text" / "goemotions" / grouping / name)
        ours = open_goemotions(tmp_path / "original", "grouping=ekman,multi_label=first")
        theirs = open_goemotions(tmp_path / "ekman", "grouping=ekman,multi_label=first")
        assert len(ours.utterances()) == 5426
        assert {u.id: u.extra["labels"] for u in ours.utterances()} == {
            u.id: u.extra["labels"] for u in theirs.utterances()
        }

    def test_the_grouped_release_is_preferred_where_both_are(self, real_data):
        counts = open_goemotions(real_data / "text" / "goemotions", "grouping=ekman").label_counts()
        assert {split: sum(n.values()) for split, n in counts.items()} == {"dev": 4946, "train": 39_555}


class TestSeveralAtOnce:
    def test_every_row_is_asked_which_emotions_are_present(self, root):
        dataset = open_goemotions(root, "target=emotions")
        found = {u.id: u for u in dataset.utterances() if u.split == "test"}
        assert len(found) == 30
        assert dataset.task.targets == dataset.labels[:-1]
        present = [name for name, t in zip(dataset.task.targets, found["test28"].targets, strict=True) if t]
        assert present == ["anger", "annoyance"]
        assert found["test28"].label == "anger"
        assert (found["test27"].label, sum(found["test27"].targets)) == ("neutral", 0)

    def test_an_emotion_goes_before_neutral(self, root):
        table = root / "data" / "test.tsv"
        table.write_text("Well.\t27,25\ttest00\n", encoding="utf-8")
        dataset = open_goemotions(root, "target=emotions,grouping=ekman")
        assert next(u.label for u in dataset.utterances() if u.id == "test00") == "sadness"

    def test_recipes_that_are_older_than_the_option_stay_what_they_are(self, root):
        assert "target" not in open_goemotions(root).identity()["options"]
