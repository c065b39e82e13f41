"""Recipes are read strictly: what a typing error would change silently is refused."""

from __future__ import annotations

import pytest

from merbench.errors import MerbenchError
from merbench.training.recipe import RECIPES, load_recipe
from merbench.training.run import plan_training
from merbench.types import MediaSpec

MINIMAL = """
[model]
name = "emollama"
[data]
dataset = "synthetic"
[stage.one]
epochs = 2
learning_rate = 1e-3
"""


@pytest.fixture
def read(tmp_path):
    def load(text):
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return load_recipe(str(path))

    return load


@pytest.mark.parametrize("name", RECIPES.names())
def test_every_committed_recipe_is_valid_and_says_what_it_is_for(name):
    recipe = load_recipe(name)
    assert recipe.about
    assert recipe.name == name


HARDENING = ("noise", "fgsm", "pgd", "noise+fgsm", "noise+pgd", "noise-aware")


@pytest.mark.parametrize("name", HARDENING)
def test_hardening_recipes_are_the_control_with_noise_and_nothing_else(name):
    control, hard = load_recipe("control").to_json(), load_recipe(name).to_json()
    changed = {key for key in hard if control.get(key) != hard[key]}
    assert changed <= {"name", "about", "noise", "adversarial", "noise_aware"}
    assert changed & {"noise", "adversarial"}


def test_brief_is_clean_in_fewer_steps_and_smaller_frames():
    clean, brief = load_recipe("clean"), load_recipe("brief")
    assert (brief.model, brief.noise, brief.training) == (clean.model, clean.noise, clean.training)
    epochs = [sum(stage.epochs for stage in recipe.stages) for recipe in (clean, brief)]
    assert epochs[1] * 2 == epochs[0]
    assert brief.data.frame_size == 56


def test_a_recipe_that_says_nothing_of_frames_is_what_it_was_before_it_could(read):
    assert "frame_size" not in read(MINIMAL).to_json()["data"]
    smaller = read(MINIMAL).with_(frame_size=64)
    assert smaller.to_json()["data"]["frame_size"] == 64
    assert plan_training(smaller).dataset.media == MediaSpec(frame_size=64)


def test_what_is_attacked_and_what_is_noisy_leave_as_many_clean_rows():
    for name in ("noise+fgsm", "noise+pgd", "noise-aware"):
        recipe = load_recipe(name)
        attacked = (1 - recipe.noise.share) * recipe.adversarial.share
        assert attacked == pytest.approx(recipe.noise.share, abs=0.01)


def test_noise_aware_training_needs_both_kinds_of_noise(read):
    with pytest.raises(MerbenchError, match=r"\[noise\] and \[adversarial\]"):
        read(MINIMAL + "[noise_aware]\n")


def test_one_step_is_one_step(read):
    with pytest.raises(MerbenchError, match="fgsm has one step"):
        read(MINIMAL + '[adversarial]\nattack = "fgsm"\nsteps = 3\n')


def test_no_committed_recipe_trains_on_the_noise_of_the_tests():
    for name in RECIPES.names():
        noise = load_recipe(name).noise
        assert noise is None or 10 not in noise.noise_folds


def test_defaults_fill_up_what_a_recipe_does_not_say(read):
    recipe = read(MINIMAL)
    assert recipe.stages[0].name == "one"
    assert recipe.data.validation == ("validation", "dev", 0.15)
    assert recipe.noise is None
    assert recipe.model.options == {}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[training]\nbatchsize = 3", ["batchsize", "batch_size"]),
        ("[trainin]\nseed = 3", ["trainin", "training"]),
        ("[training]\nseed = 1.5", ["training.seed", "whole number"]),
        ("[training]\nseed = true", ["training.seed"]),
        ("[training]\nseed = -1", ["seed"]),
        ('[training]\nprecision = "float16"', ["float32 | bfloat16"]),
        ("[training]\naccumulation = 64", ["accumulation"]),
        ("[training]\nclip = inf", ["training.clip"]),
        ("[noise]\nshare = 0.5", ["[noise]", "corruptions"]),
        ('[noise]\ncorruptions = "text/typo"\nseverities = [6]', ["1 to 5"]),
        ('[noise]\ncorruptions = "text/typo"\nshare = 0', ["share"]),
        ("[stage.two]\nepochs = 0\nlearning_rate = 1", ["stage.two", "epochs"]),
        ("[stage.two]\nepochs = 1", ["stage.two", "learning_rate"]),
        ('extends = "nothing"', ["nothing"]),
    ],
)
def test_what_a_recipe_cannot_say(read, line, words):
    text = line + MINIMAL if line.startswith("extends") else MINIMAL + line
    with pytest.raises(MerbenchError) as refused:
        read(text)
    for word in words:
        assert word in str(refused.value)


def test_a_recipe_without_a_stage(read):
    with pytest.raises(MerbenchError, match="no stage"):
        read('[model]\nname = "emollama"\n[data]\ndataset = "synthetic"')


def test_a_recipe_without_a_model(read):
    with pytest.raises(MerbenchError, match="model"):
        read('[data]\ndataset = "synthetic"\n[stage.one]\nepochs = 1\nlearning_rate = 1')


def test_a_file_that_is_no_toml(read):
    with pytest.raises(MerbenchError, match="not a TOML"):
        read("epochs: 3")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(MerbenchError, match="did you mean noise"):
        load_recipe("nois")


def test_a_recipe_may_extend_a_file_beside_it(tmp_path):
    (tmp_path / "base.toml").write_text(MINIMAL, encoding="utf-8")
    (tmp_path / "mine.toml").write_text('extends = "base.toml"\n[stage.one]\nepochs = 7', encoding="utf-8")
    stage = load_recipe(str(tmp_path / "mine.toml")).stages[0]
    assert (stage.epochs, stage.learning_rate) == (7, 1e-3)


def test_a_recipe_cannot_extend_itself(tmp_path):
    for a, b in (("a", "b"), ("b", "a")):
        (tmp_path / f"{a}.toml").write_text(f'extends = "{b}.toml"', encoding="utf-8")
    with pytest.raises(MerbenchError, match="extends itself"):
        load_recipe(str(tmp_path / "a.toml"))
