"""The protocols on trees as the datasets are released: what a user types, end to end."""

from __future__ import annotations

import json

import pytest

from merbench.evaluation.result import read_result
from tests.corruptions.banks import write_esc50, write_musan, write_urban
from tests.datasets import miniature


@pytest.fixture
def iemocap(tmp_path):
    return miniature.iemocap(tmp_path / "data")[0]


def test_the_miniature_of_iemocap_is_a_part_of_the_release(merbench, iemocap):
    found = merbench("protocol", "check", "iemocap-4way-loso", "--root", iemocap)
    assert found.code == 0, found.out
    assert "utterances: 25 of 5531 present" in found.out
    assert "class happy: 10 of 1636 present" in found.out


def test_a_suite_and_a_run_by_protocol(merbench, iemocap, tmp_path):
    data = ("--protocol", "iemocap-4way-loso", "--root", iemocap, "--severity", "3", "--limit", "3")
    built = merbench("corrupt", *data, "--out", tmp_path / "suite")
    assert built.code == 0, built.err
    manifest = json.loads((tmp_path / "suite" / "manifest.json").read_text())
    assert manifest["facts"]["protocol"]["name"] == "iemocap-4way-loso"
    assert manifest["recipe"]["dataset"]["view"]["labels"]["classes"]["happy"] == ["happy", "excited"]
    run = merbench("eval", "--suite", tmp_path / "suite", "--model", "majority", "--out", tmp_path / "run")
    assert run.code == 0, run.err
    told = " ".join(run.out.split())
    assert "happy = happy + excited" in told
    assert "5 folds by session, one model" in told
    assert "3 of 25 samples and severity 3 alone" in told
    assert "UAR" in told


def test_a_run_without_the_protocol_is_another_suite(merbench, iemocap, tmp_path):
    made = []
    for name, data in (("by", ("--protocol", "iemocap-4way-loso")), ("without", ("--dataset", "iemocap"))):
        out = tmp_path / name
        words = ("corrupt", *data, "--root", iemocap, "--severity", "3", "--recipe-only", "--out", out)
        assert merbench(*words).code == 0
        made.append(json.loads((out / "recipe.json").read_text())["recipe_id"])
    assert made[0] != made[1]


def test_six_classes_of_the_same_tree(merbench, iemocap):
    found = merbench("protocol", "check", "iemocap-6way", "--root", iemocap, "--json")
    assert json.loads(found.out)["counts"]["class"] == dict.fromkeys(
        ("angry", "excited", "frustrated", "happy", "neutral", "sad"), 5
    )


def test_what_the_dataset_needs_is_said_of_the_protocol_too(merbench, tmp_path):
    merbench("eval", "--protocol", "meld", "--model", "majority").refused("dataset 'meld' needs its files")
    merbench("protocol", "check", "ravdess-actor-5fold", "--root", tmp_path).refused("does not hold RAVDESS")


def test_noise_that_a_protocol_needs(merbench, iemocap):
    data = ("--protocol", "robuser", "--root", iemocap, "--model", "majority")
    merbench("eval", *data).refused("urban_noise")


@pytest.fixture
def banks(tmp_path, monkeypatch):
    """The three noise banks where the protocols look for them."""
    home = tmp_path / "banks"
    write_urban(home / "urbansound8k")
    write_esc50(home / "esc50")
    write_musan(home / "musan")
    monkeypatch.setenv("MERBENCH_DATA", str(home))


def test_robuser_from_three_banks_at_three_levels(merbench, iemocap, banks, tmp_path):
    data = ("--protocol", "robuser", "--root", iemocap, "--limit", "4")
    run = merbench("eval", *data, "--model", "majority", "--out", tmp_path / "run")
    assert run.code == 0, run.err
    result = read_result(tmp_path / "run")
    noise = {(c["corruption"], c["severity"]) for c in result["cells"]} - {("clean", 0)}
    names = ("urban_noise", "musan", "esc50", "white")
    assert noise == {(f"audio/{name}", severity) for name in names for severity in (1, 3, 5)}
    assert {c["options"]["snr_reference"] for c in result["cells"] if c["severity"]} == {"whole"}


def test_mer_noise_on_clean_clips(merbench, banks, tmp_path):
    root, _ = miniature.mer2023(tmp_path / "data")
    data = ("--protocol", "mer-noise", "--root", root)
    run = merbench("eval", *data, "--model", "majority", "--out", tmp_path / "run")
    assert run.code == 0, run.err
    result = read_result(tmp_path / "run")
    assert result["data"]["split"] == "test1"
    assert [(c["corruption"], c["severity"]) for c in result["cells"][1:]] == [("compound/mer_noise", 3)]
    assert "wF1" in run.out, "the challenge's metric"
