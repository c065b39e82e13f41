"""The recovery recipe, followed on a little data for a network of random weights."""

from __future__ import annotations

import json
import tomllib

import numpy as np
import pytest

from merbench.hashing import hash_file
from merbench.models._emotion_llama import recovery_files
from merbench.models._emotion_llama.config import load_config
from merbench.models._load import load_model
from merbench.training.checkpointing import Checkpoints
from merbench.training.recipe import RECIPES, load_recipe
from merbench.training.run import plan_training, train
from merbench.types import MODALITIES
from tests.models.random_checkpoint import LABELS, encode, save_network

RECIPE = """
about = "a little recovery"
extends = "emollama-recovery"

[model]
name = "emollama-recovery"
base = "{base}"
components = 4
width = 16

[data]
dataset = "synthetic:train=16,validation=6,test=0"

[stage.diffusion]
epochs = 2
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    save_network(folder)
    return folder


@pytest.fixture
def recipe(base, tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.format(base=base))
    return path


def test_it_leaves_a_checkpoint_that_recovers(merbench, base, recipe, tmp_path):
    before = {path.name: hash_file(path) for path in base.iterdir()}
    done = merbench("train", "--recipe", recipe, "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    assert {path.name: hash_file(path) for path in base.iterdir()} == before
    result = json.loads(done.out)
    assert len(result["epochs"]) == 2
    assert {"loss", "uar"} <= result["scores"]["validation"].keys()

    record = json.loads((tmp_path / "out" / "recovery.json").read_text())
    assert record["base"] == hash_file(base / "model.safetensors")
    assert len(record["trained_on"][0]["samples"]) == 16 + 6
    assert record["recipe"]["name"] == "recipe"

    adapter = load_model(f"{tmp_path / 'out'}:absent=recover")
    answer = adapter.fuse(encode(base), {m: np.full(8, m == "text") for m in MODALITIES})
    assert np.isfinite(answer).all()
    recovery = recovery_files.load(tmp_path / "out", load_config("tiny"))
    assert float(recovery.mean("vision").abs().sum()) > 0


def test_it_ends_with_the_same_weights_though_it_dies_in_between(recipe, tmp_path, monkeypatch):
    job, writes = plan_training(load_recipe(str(recipe))), iter(range(1000))

    def dying(self, state, save=Checkpoints.save):
        if next(writes) == 1:
            raise KeyboardInterrupt
        save(self, state)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Checkpoints, "save", dying)
        train(job, tmp_path / "killed", device="cpu")
    for name in ("killed", "whole"):
        train(job, tmp_path / name, device="cpu")
    killed, whole = (hash_file(tmp_path / name / "recovery.safetensors") for name in ("killed", "whole"))
    assert killed == whole


def test_a_dataset_without_sound_is_refused(merbench, recipe, tmp_path):
    rows = [
        f"{part}{i},we walk home,{label},{part}-{i}"
        for part in ("train", "dev")
        for i, label in enumerate(LABELS)
    ]
    table = tmp_path / "texts.csv"
    lines = [
        "id,text,label,speaker,split",
        *(f"{row},{row.partition(',')[0].rstrip('012345')}" for row in rows),
    ]
    table.write_text("\n".join(lines) + "\n")
    recipe.write_text(recipe.read_text().replace("synthetic:train=16,validation=6,test=0", "table"))
    trained = merbench("train", "--recipe", recipe, "--root", table, "--out", tmp_path / "out")
    trained.refused("complete utterances", "has no audio")


def test_labels_that_the_base_does_not_know_are_refused(merbench, recipe, tmp_path):
    table = tmp_path / "texts.csv"
    table.write_text(
        "id,text,label,speaker,split\na,no,bored,x,train\nb,yes,happy,y,train\nc,no,bored,z,dev\n"
    )
    recipe.write_text(recipe.read_text().replace("synthetic:train=16,validation=6,test=0", "table"))
    merbench("train", "--recipe", recipe, "--root", table, "--out", tmp_path / "out").refused("label 'bored'")


@pytest.mark.parametrize("base", ["majority", "nobody"])
def test_another_kind_of_base_is_refused(merbench, recipe, tmp_path, base):
    merbench("train", "--recipe", recipe, "--out", tmp_path / "out").refused(base)


def test_the_committed_recipe_is_for_the_shipped_network():
    assert load_recipe("emollama-recovery").model.options["base"] == "emollama-base"
    assert tomllib.loads(RECIPES.path("emollama-recovery").read_text())["stage"].keys() == {"diffusion"}
