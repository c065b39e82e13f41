"""The committed experiments: every finding follows from answers that are there, and points where it must."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from merbench.hashing import hash_file

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results" / "hardening"
STUDIES = {"synthetic": "synthetic", "ravdess": "examples/ravdess_hardening/study.toml"}


@pytest.fixture(scope="module", params=STUDIES)
def study(request):
    return request.param


@pytest.fixture(scope="module")
def told(study):
    return json.loads((RESULTS / study / "ablation.json").read_text(encoding="utf-8"))


def test_every_arm_answered_every_test_with_every_seed(told, study):
    arms, seeds = [arm["name"] for arm in told["study"]["arms"]], told["seeds"]
    assert len(seeds) >= (5 if study == "synthetic" else 3)
    for test in told["tests"]:
        assert {line["arm"] for line in test["lines"]} == set(arms)
        assert len(test["runs"]) == len(arms) * len(seeds)
        for run, expected in test["runs"].items():
            assert hash_file(RESULTS / study / run / "predictions.parquet") == expected


def test_the_findings_are_found_again_from_the_answers_alone(study, merbench, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    kept = Path(shutil.copytree(RESULTS / study, tmp_path / "study"))
    for made in kept.glob("ablation*"):
        made.unlink()
    again = merbench("ablate", STUDIES[study], "--out", kept)
    assert again.code == 0, again.err
    for name in ("ablation.md", *(path.name for path in (RESULTS / study).glob("*.csv"))):
        assert (kept / name).read_text("utf-8") == (RESULTS / study / name).read_text("utf-8"), name
    assert not (kept / "models").exists()


def test_adversarial_training_is_shown_to_help_under_the_attack_it_was_made_for():
    told = json.loads((RESULTS / "synthetic" / "ablation.json").read_text(encoding="utf-8"))
    attack = next(test for test in told["tests"] if test["name"] == "attack")
    lines = {line["arm"]: line for line in attack["lines"]}
    for arm in ("pgd", "noise+pgd", "noise-aware"):
        gain = lines[arm]["gains"]["adversarial/pgd"]
        assert gain["estimate"] > 0.1 and gain["low"] > 0 and gain["p_adjusted"] <= 0.05
    assert lines["noise"]["gains"]["adversarial/pgd"]["low"] < 0  # natural noise alone is not shown to


def test_every_attacked_answer_of_the_study_is_believed():
    results = sorted(RESULTS.glob("synthetic/runs/attack/*/seed*/result.json"))
    assert results
    unreliable = [
        (path.parent.parent.name, path.parent.name, one["attack"])
        for path in results
        for one in json.loads(path.read_text(encoding="utf-8"))["attack_reliability"]
        if not one["reliable"]
    ]
    assert not unreliable
