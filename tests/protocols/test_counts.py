"""Every committed protocol gives the published counts on the published release, or says what is missing."""

from __future__ import annotations

import pytest

from merbench.datasets._view import FOLD
from merbench.evaluation.metrics import SUMMARY_METRICS
from merbench.evaluation.target_metrics import METRICS
from merbench.protocols import PROTOCOLS, check_protocol, load_protocol
from merbench.protocols._check import against_published
from merbench.protocols._protocol import Metric, Unit
from merbench.statistics.panel import UNITS
from tests.protocols import releases

PUBLISHED = [name for name in PROTOCOLS.names() if load_protocol(name).published is not None]
MANY_FILES = ("iemocap", "mer2023")


def released(name):
    """A protocol, apart from the fast tests where its release has thousands of files."""
    dataset = load_protocol(name).dataset.partition(":")[0]
    return pytest.param(name, marks=pytest.mark.slow if dataset in MANY_FILES else ())


WHOLE = [released(name) for name in PUBLISHED if name != "mosei"]  # whose index needs 22 860 media


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """The index of a whole release, made once."""
    made = {}

    def root(dataset):
        name = dataset.partition(":")[0]
        if name == "synthetic":
            return None
        if name not in made:
            made[name] = getattr(releases, name)(tmp_path_factory.mktemp(name) / name)
        return made[name]

    return root


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_release_has_the_published_counts(name, release):
    protocol = load_protocol(name)
    report = check_protocol(protocol, release(protocol.dataset))
    assert [(f.level, f.where) for f in report.findings] == [("info", "counts")], report.findings


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_counts_add_up(name):
    protocol = load_protocol(name)
    published, merge = protocol.published, protocol.merge
    for table in (published.classes, published.parts):
        assert not table or sum(table.values()) == published.utterances
    if published.labels and merge is None:
        assert sum(published.labels.values()) == published.utterances
    if published.labels and merge is not None and published.classes:
        assert published.classes == {
            name: sum(published.labels[label] for label in labels) for name, labels in merge.classes.items()
        }
    if protocol.folds is not None and published.parts:
        assert set(published.parts) == {str(k) for k in range(1, len(protocol.folds.members) + 1)}


@pytest.mark.slow
def test_excited_counts_as_happy(release):
    protocol = load_protocol("iemocap-4way-loso")
    labels, classes, folds = check_protocol(protocol, release("iemocap")).counts.values()
    assert (labels["happy"], labels["excited"]) == (595, 1041)
    assert classes == {"angry": 1103, "happy": 595 + 1041, "neutral": 1708, "sad": 1084}
    assert list(folds.values()) == [1085, 1023, 1151, 1031, 1241]


@pytest.mark.slow
def test_the_reader_that_merges_and_the_protocol_that_merges_agree(release):
    from merbench.datasets import load_dataset

    by_reader = load_dataset("iemocap:classes=4way", release("iemocap")).utterances()
    by_protocol = load_protocol("iemocap-4way-loso").open(release("iemocap")).utterances()
    assert [(u.id, u.label) for u in by_reader] == [(u.id, u.label) for u in by_protocol]


def test_calm_counts_as_neutral(release):
    eight = check_protocol(load_protocol("ravdess-actor-5fold"), release("ravdess")).counts
    seven = check_protocol(load_protocol("ravdess-7way-actor-5fold"), release("ravdess")).counts
    assert seven["class"]["neutral"] == eight["class"]["neutral"] + eight["class"]["calm"] == 96 + 192
    assert list(eight["fold"].values()) == [300, 300, 300, 300, 240]


def test_every_actor_is_tested_once():
    for name, speakers in (("ravdess-actor-5fold", 24), ("crema-d-perceived", 91)):
        members = [actor for fold in load_protocol(name).folds.members for actor in fold]
        assert len(set(members)) == len(members) == speakers


def test_a_wrong_label_in_a_whole_release_is_an_error(tmp_path):
    root = releases.meld(tmp_path)
    path = root / "test_sent_emo.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("fear", "joy", 1), encoding="utf-8")
    report = check_protocol(load_protocol("meld"), root)
    assert not report.ok
    assert {f.where for f in report.findings if f.level == "error"} == {"label fear", "label joy"}


def test_a_part_of_a_release_says_how_much_of_it_is_there(tmp_path):
    root = releases.ravdess(tmp_path)
    for folder in list(root.iterdir())[:12]:
        for path in folder.iterdir():
            path.unlink()
    report = check_protocol(load_protocol("ravdess-actor-5fold"), root)
    assert report.ok
    assert ("info", "utterances", "720 of 1440 present") in [
        (f.level, f.where, f.what) for f in report.findings
    ]


def test_more_than_was_published_is_an_error_even_in_a_part(tmp_path):
    rows = ["Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID"]
    rows += [f"{i},Line,Joey,fear,negative,{i},0" for i in range(400)]
    (tmp_path / "dev_sent_emo.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    report = check_protocol(load_protocol("meld"), tmp_path)
    assert [f.where for f in report.findings if f.level == "error"] == ["label fear"]


def test_the_real_development_lines_of_meld(real_data):
    report = check_protocol(load_protocol("meld"), real_data / "text" / "meld")
    assert report.ok
    assert report.counts["split"] == {"dev": 1109}
    assert report.counts["label"] == dict(
        zip(report.counts["label"], releases.MELD_LABELS["dev"], strict=True)
    )


def test_what_is_known_to_be_defective_is_not_missed():
    published, bad = load_protocol("meld").published, ["dev-dia110_utt7", "train-dia125_utt3"]
    counts = {"label": {**published.labels, "joy": 2307, "neutral": 6435}, "class": {}}
    counts["split"] = {"train": 9988, "dev": 1108, "test": 2610}
    findings = list(against_published(published, 13706, counts, bad))
    assert {f.level for f in findings} == {"info"}
    told = {f.where: f.what for f in findings}
    assert (
        told["split dev"] == "1108 of 1109 present, without the defective dev-dia110_utt7, train-dia125_utt3"
    )
    counts["split"]["test"] = 2600
    wrong = [f.where for f in against_published(published, 13706, counts, bad) if f.level == "error"]
    assert wrong == ["split test"]


def test_metrics_and_units_are_those_that_there_are():
    assert set(Metric.__args__) == {*SUMMARY_METRICS, *METRICS}
    assert set(Unit.__args__) == set(UNITS)


def test_every_utterance_of_a_fold_says_so(release):
    utterances = load_protocol("ravdess-actor-5fold").open(release("ravdess")).utterances()
    assert {(u.split, u.extra[FOLD]) for u in utterances} == {(f"fold{k}", k) for k in range(1, 6)}
