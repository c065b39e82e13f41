"""Merging classes and folding: one place, visible in the identity, and the media stay what they are."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from merbench.datasets import load_dataset
from merbench.datasets._view import FOLD, Folds, Merge, view, view_from_recipe
from merbench.protocols import load_protocol
from merbench.suites.plan import make_plan, parse_corruption
from merbench.suites.protocol import plan_protocol

MERGED = Merge({"low": ("sad", "neutral"), "high": ("angry", "happy", "surprise")}, dropped=("fear",))


@pytest.fixture(scope="module")
def synthetic():
    return load_dataset("synthetic:train=24,validation=24,test=48")


def recipe_of(dataset):
    return make_plan(dataset, [parse_corruption("text/typo", {})], (3,))


def test_without_merges_and_folds_a_view_is_the_dataset(synthetic):
    assert view(synthetic) is synthetic
    by_protocol = plan_protocol(load_protocol("synthetic"), limit=8)
    by_hand = make_plan(
        load_dataset("synthetic"),
        [parse_corruption(name, {}) for name in by_protocol_names(by_protocol)],
        range(1, 6),
        limit=8,
    )
    assert by_protocol.recipe_id == by_hand.recipe_id


def by_protocol_names(plan):
    return [variant.corruption.name for variant in plan.variants]


def test_labels_are_merged_and_dropped(synthetic):
    merged = view(synthetic, MERGED)
    assert merged.labels == ("low", "high")
    own = {u.id: u.label for u in synthetic.utterances()}
    expected = {id: MERGED.table[label] for id, label in own.items() if label != "fear"}
    assert {u.id: u.label for u in merged.utterances()} == expected
    assert merged.label_counts()["test"] == {"low": 16, "high": 24}


def test_media_and_order_stay_what_they_are(synthetic):
    merged = view(synthetic, MERGED)
    chosen = [u for u in synthetic.select("test")[0] if u.label != "fear"]
    assert [u.id for u in merged.select("test")[0]] == [u.id for u in chosen]
    for own, seen in zip(chosen[:3], merged.select("test")[0], strict=False):
        a, b = synthetic.load(own), merged.load(seen)
        assert b.utterance is seen
        assert a.text == b.text
        assert np.array_equal(a.audio, b.audio)
        assert np.array_equal(a.frames, b.frames)


def test_a_merged_suite_and_an_unmerged_one_never_share_a_recipe(synthetic):
    same = Merge({label: (label,) for label in synthetic.labels})
    other = Merge({**MERGED.classes, "high": ("angry", "happy")}, dropped=("fear", "surprise"))
    views = [synthetic, view(synthetic, same), view(synthetic, MERGED), view(synthetic, other)]
    assert len({recipe_of(one).recipe_id for one in views}) == 4


def test_what_a_recipe_says_is_enough_to_make_the_view_again(synthetic):
    folds = Folds("speaker", (("S000", "S001"), ("S002",)), trained=2, validated=False)
    for merge, rule in ((MERGED, None), (None, folds), (MERGED, dataclasses.replace(folds, trained=None))):
        made = view(synthetic, merge, rule).identity()["view"]
        again = view_from_recipe(synthetic, json.loads(json.dumps(made)))
        assert again.identity()["view"] == made
    assert view_from_recipe(synthetic, None) is synthetic


def test_other_media_go_down_to_the_dataset(synthetic):
    merged = view(synthetic, MERGED)
    fewer = dataclasses.replace(merged, media=dataclasses.replace(merged.media, frames=2))
    assert len(fewer.load(fewer.utterances()[0]).frames) == 2


def test_a_label_in_no_class_names_itself_and_its_utterance(bench, merbench):
    protocol = bench.protocol(dropped="[]")
    for command in (("corrupt",), ("eval", "--model", "majority"), ("protocol", "check", protocol)):
        data = (
            ("--root", bench.table)
            if command[0] == "protocol"
            else ("--protocol", protocol, "--root", bench.table)
        )
        merbench(*command, *data).refused("'t004'", "'odd'", "no class", "[labels]")


def test_a_class_of_a_label_that_the_dataset_does_not_have(bench, merbench):
    protocol = bench.protocol(low='["low", "dul"]', dropped='["odd", "dull"]')
    merbench("protocol", "check", protocol, "--root", bench.table).refused("no label 'dul'", "dull")


def test_a_speaker_in_no_fold_is_named_with_its_utterance(bench, merbench):
    protocol = bench.protocol(members='[["s0", "s1"], ["s2", "s3"], ["s4"]]')
    merbench("protocol", "check", protocol, "--root", bench.table).refused("'s5'", "'t025'", "members")


def test_the_parts_of_a_fold_for_training(bench):
    protocol = load_protocol(str(bench.protocol()))
    for fold, (test, validation) in enumerate(((1, 2), (2, 3), (3, 1)), start=1):
        utterances = protocol.open_for_training(bench.table, fold).utterances()
        parts = {
            part: {u.extra[FOLD] for u in utterances if u.split == part} for part in ("test", "validation")
        }
        assert parts == {"test": {test}, "validation": {validation}}
        assert {u.split for u in utterances} == {"train", "validation", "test"}


def test_two_datasets_with_the_same_ids_are_never_mistaken_for_each_other(bench, merbench, tmp_path):
    """The same ids, labels, speakers and even texts in another column: only the content tells them apart."""
    other = tmp_path / "other.csv"
    other.write_text(bench.table.read_text(encoding="utf-8").replace("sea", "tea"), encoding="utf-8")
    runs = []
    for name, table in (("one", bench.table), ("two", other)):
        bench.model(name)
        run = tmp_path / f"run-{name}"
        data = ("--protocol", bench.protocol(), "--root", table)
        assert merbench("eval", *data, "--model", bench.named(name), "--out", run).code == 0
        suite = tmp_path / f"suite-{name}"
        assert merbench("corrupt", *data, "--out", suite).code == 0
        runs.append(run)
    merbench("compare", *runs).refused("different media", "recipe_id")
    merbench("corrupt", *data, "--out", tmp_path / "suite-one").refused("suite-one")
    merbench("eval", *data, "--model", bench.named("one"), "--out", runs[0]).refused("another model or suite")


def test_a_merged_run_and_an_unmerged_one_are_not_compared(bench, merbench, tmp_path):
    bench.model("one")
    bench.model("two", labels=["calm", "glad", "low"])
    unmerged = tmp_path / "unmerged"
    data = ("--dataset", "table", "--root", bench.table, "--corruption", "text/typo", "--severity", "1,3")
    subset = ("--labels", "subset", "--out", unmerged)
    assert merbench("eval", *data, *subset, "--model", bench.named("two")).code == 0
    merged = tmp_path / "merged"
    protocol = ("--protocol", bench.protocol(), "--root", bench.table, "--out", merged)
    assert merbench("eval", *protocol, "--model", bench.named("one")).code == 0
    merbench("compare", merged, unmerged).refused("different data")
