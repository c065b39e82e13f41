"""The shipped hardened models: made by their recipes; the committed figures are of these weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from merbench.evaluation.result import read_result
from merbench.models._emotion_llama import checkpoint
from merbench.models._load import load_model
from merbench.training.recipe import load_recipe

ROOT = Path(__file__).parents[2]
RUNS = ROOT / "docs" / "results" / "hardening" / "shipped"
RECIPES = {"emollama-fgsm": "fgsm", "emollama-pgd": "pgd", "emollama-noise-aware": "noise-aware"}


@pytest.fixture(params=RECIPES)
def name(request):
    return request.param


def test_the_recipe_on_record_is_the_committed_one(name):
    record = checkpoint.load_record(load_model(name).checkpoint_folder)
    assert record["recipe"] == json.loads(json.dumps(load_recipe(RECIPES[name]).to_json()))
    assert record["recipe"]["model"]["options"]["start"] == "emollama-base"


def test_it_remembers_what_it_began_with(name):
    base, hardened = load_model("emollama-base"), load_model(name)
    assert hardened.config == base.config
    assert all(seen in hardened.trained_on for seen in base.trained_on)
    noise = frozenset[str]().union(*(seen.noise for seen in hardened.trained_on))
    assert bool(noise) == (load_recipe(RECIPES[name]).noise is not None)
    assert not any(source.endswith(" fold 10") for source in noise)


@pytest.mark.parametrize("test", ["natural", "attack"])
def test_the_committed_answers_are_of_these_weights(name, test):
    for model in (name, "emollama-base"):
        assert read_result(RUNS / test / model)["model"]["fingerprint"] == load_model(model).fingerprint()


def test_pgd_training_helps_under_pgd_and_every_attack_is_believed():
    scores = {}
    for name in ("emollama-base", *RECIPES):
        result = read_result(RUNS / "attack" / name)
        unreliable = [one["attack"] for one in result["attack_reliability"] if not one["reliable"]]
        assert not unreliable, (name, unreliable)
        scores[name] = result["metrics"]["families"][0]["robustness"]["accuracy"]["noisy"]
    assert scores["emollama-pgd"] > scores["emollama-base"] + 0.1
    assert scores["emollama-noise-aware"] > scores["emollama-base"] + 0.1


def test_it_is_small_and_has_a_card(name):
    folder = load_model(name).checkpoint_folder
    assert sum(path.stat().st_size for path in folder.iterdir()) < 4_000_000
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert f"merbench train --recipe {RECIPES[name]}" in card
    assert card.startswith(f"# {name}\n")
