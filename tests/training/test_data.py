"""Who is trained on and who judges: never the same speakers."""

from __future__ import annotations

import functools
from collections import Counter

import pytest

from merbench.datasets import load_dataset
from merbench.errors import MerbenchError
from merbench.models import Wants
from merbench.suites.plan import make_plan
from merbench.training.data import Examples, Hardening, make_corruptions, make_splits
from merbench.training.recipe import Noise
from merbench.training.run import plan_training
from merbench.types import Pool


@pytest.fixture
def splits_of(tmp_path, workshop):
    """Split a table given as (speaker, split, label) rows."""

    def split(rows, **lines):
        table = tmp_path / "rows.csv"
        body = [f"u{i},hello,{label},{speaker},{name}" for i, (speaker, name, label) in enumerate(rows)]
        table.write_text("\n".join(["id,text,label,speaker,split", *body]) + "\n", encoding="utf-8")
        recipe = workshop.recipe(**lines)
        return make_splits(load_dataset("table", table), recipe)

    return split


def speakers(rows):
    return {u.speaker for u in rows}


def test_a_share_of_speakers_is_held_out_whole(workshop):
    splits = plan_training(workshop.recipe(), root=workshop.table).splits
    assert len(speakers(splits.validation)) == 3
    assert not speakers(splits.validation) & speakers(splits.train["coarse"])
    assert len(splits.validation) + len(splits.train["coarse"]) == 120
    assert splits.train["coarse"] == splits.train["fine"]


def test_who_is_held_out_does_not_change_with_who_else_is_there(splits_of):
    def held(count):
        rows = [(f"s{k}", "test", label) for k in range(count) for label in ("a", "b")]
        return speakers(splits_of(rows).validation)

    assert len(held(20) & held(19)) >= 5  # of six: the order is a hash of the speaker alone


def test_the_datasets_own_splits_are_taken_by_their_names(splits_of):
    rows = [("s1", "train", "a"), ("s2", "train", "b"), ("s3", "dev", "a"), ("s4", "test", "b")]
    splits = splits_of(rows, train='["train"]', validation='["validation", "dev", 0.2]', test='["test"]')
    assert [u.id for u in splits.validation] == ["u2"]
    assert [u.id for u in splits.test] == ["u3"]
    assert {u.id for u in splits.seen} == {"u0", "u1", "u2"}


def test_a_validation_split_that_shares_speakers_is_refused_unless_told(splits_of):
    rows = [("s1", "train", "a"), ("s2", "train", "b"), ("s1", "dev", "a")]
    names = {"train": '"train"', "validation": '"dev"'}
    with pytest.raises(MerbenchError, match="1 speakers of the validation split are also trained on"):
        splits_of(rows, **names)
    assert len(splits_of(rows, **names, data="speaker_disjoint = false").validation) == 1


def test_a_split_that_is_not_there_names_those_that_are(splits_of):
    with pytest.raises(MerbenchError, match=r"no split 'train' .*name one of its splits \(test\)"):
        splits_of([("s1", "test", "a"), ("s2", "test", "b")], train='"train"')


def test_a_test_share_is_held_out_too(splits_of):
    rows = [(f"s{k}", "test", label) for k in range(20) for label in ("a", "b")]
    splits = splits_of(rows, test="0.2")
    parts = [speakers(part) for part in (splits.train["coarse"], splits.validation, splits.test)]
    assert [len(part) for part in parts] == [11, 5, 4]
    assert len(set().union(*parts)) == 20
    assert not {u.id for u in splits.test} & {u.id for u in splits.seen}


def test_one_class_only(splits_of):
    with pytest.raises(MerbenchError, match="only the class 'a'"):
        splits_of([(f"s{k}", "test", "a") for k in range(9)])


def test_too_few_speakers_to_hold_one_out(splits_of):
    with pytest.raises(MerbenchError, match="leave some to train on"):
        splits_of([("s1", "test", "a"), ("s1", "test", "b")])


def test_without_speakers_dialogues_or_utterances_are_held_out(splits_of):
    splits = splits_of([("", "test", "ab"[k % 2]) for k in range(20)])
    assert len(splits.validation) == 6


def test_a_noisy_epoch_shows_its_share_and_turns_through_the_draws():
    data = load_dataset("synthetic:train=400,validation=1,test=1")
    utterances = [u for u in data.utterances() if u.split == "train"]
    noise = Noise(corruptions=("text/typo",), share=0.25, draws=2)
    hardening = Hardening(make_corruptions(noise, None), noise, data.name, "train", 0, Pool((), data.load))
    first, second = ([hardening.version(u, epoch) for u in utterances] for epoch in (0, 1))
    assert set(first) == {0, 1}
    assert set(second) == {0, 2}
    assert 60 < Counter(first)[1] < 140
    assert sum((a > 0) == (b > 0) for a, b in zip(first, second, strict=True)) < 300  # other rows each epoch


class Counting:
    """Notes what is decoded and prepared."""

    wants = Wants()

    def __init__(self, data):
        self.name, self.data, self.decoded, self.prepared = data.name, data, [], []

    def load(self, utterance):
        self.decoded.append(utterance.id)
        return self.data.load(utterance)

    def prepare(self, batch, utterances):
        self.prepared.append(utterances[0].id)
        return list(batch.text)


def test_an_utterance_is_decoded_once_and_made_in_no_version_that_nobody_asks_for():
    data = load_dataset("synthetic:train=40,validation=1,test=1")
    utterances = [u for u in data.utterances() if u.split == "train"]
    noise = Noise(corruptions=("text/typo",), share=0.5, draws=4)
    hardening = Hardening(make_corruptions(noise, None), noise, data.name, "train", 0, Pool((), data.load))
    counting = Counting(data)
    ahead = functools.partial(hardening.versions, epochs=4)
    examples = Examples(counting, counting, hardening, ahead, keep=True, workers=1)
    shown = [examples.inputs(examples.versions(utterances, epoch)) for epoch in range(4)]

    wanted = {(u.id, hardening.version(u, epoch)) for u in utterances for epoch in range(4)}
    assert Counter(counting.decoded) == Counter({u.id: 1 for u in utterances})
    assert Counter(counting.prepared) == Counter(name for name, _ in wanted)
    assert len(wanted) < 0.8 * 5 * len(utterances)

    one_by_one = Examples(counting, counting, hardening, ahead, keep=False, workers=1)
    assert shown[3] == one_by_one.inputs(one_by_one.versions(utterances, 3))
    never = next(v for v in range(5) if (utterances[0].id, v) not in wanted)
    assert examples.inputs([(utterances[0], never)])  # what was not foreseen is made when it is asked for


def test_training_noise_is_never_that_of_a_suite_nor_of_validation():
    data = load_dataset("synthetic:train=8,validation=1,test=1")
    noise = Noise(corruptions=("text/typo",), severities=(3,), draws=1)
    corruption = make_corruptions(noise, None)
    sample = data.load(next(u for u in data.utterances() if u.split == "train"))
    pool = Pool((), data.load)
    drawn = {
        purpose: Hardening(corruption, noise, data.name, purpose, 0, pool).corrupt(sample, 1).text[0]
        for purpose in ("train", "validation")
    }
    plan = make_plan(data, list(corruption), (3,), split="train")
    position = [u.id for u in plan.utterances].index(sample.id)
    (chunk,) = plan.chunks(0)
    (_, batch, _, _) = next(chunk.cells)
    assert len({drawn["train"], drawn["validation"], batch.text[position], sample.text}) == 4


def test_folds_go_to_the_corruptions_that_have_them():
    noise = Noise(corruptions=("audio/environment", "text/typo", "audio/environment:noise_folds=2"))
    environment, _, asked = make_corruptions(noise, None)
    assert environment.noise_folds == tuple(range(1, 10))
    assert asked.noise_folds == (2,)
