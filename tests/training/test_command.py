"""``merbench train`` and the recipes, as a user meets them."""

from __future__ import annotations

import json

import pytest
import torch


@pytest.fixture
def train(merbench, workshop):
    def run(*words, recipe=None, root=None):
        path = recipe or workshop.path()
        source = ["--root", root or workshop.table]
        return merbench("train", "--recipe", path, *source, "--out", workshop.folder / "out", *words)

    return run


def test_it_says_what_it_did_and_what_comes_next(train, workshop):
    done = train("--device", "cpu")
    assert done.code == 0, done.err
    assert done.out == ""
    assert "fine epoch 2 of 2" in done.err
    assert f"merbench eval --model {workshop.folder / 'out'}" in done.err


def test_json_is_the_training_record(train, workshop):
    printed = json.loads(train("--device", "cpu", "--json").out)
    assert printed == json.loads((workshop.folder / "out" / "training.json").read_text())
    assert printed["finished"]


def test_a_seed_on_the_command_line_counts(train, workshop):
    assert train("--device", "cpu", "--seed", 7).code == 0
    assert json.loads((workshop.folder / "out" / "record.json").read_text())["seed"] == 7


def test_another_run_in_the_folder(train):
    assert train("--device", "cpu").code == 0
    train("--device", "cpu", "--seed", 7).refused("another training run", "--out")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_device_that_is_not_here(train):
    train("--device", "cuda").refused("--device cuda", "auto or cpu")


def test_a_device_that_nobody_has(train):
    train("--device", "abacus").refused("abacus")


def test_a_precision_that_is_not_trained_in(train):
    train("--precision", "float16").refused("float16", "bfloat16")


def test_a_recipe_that_is_not_there(merbench, tmp_path):
    merbench("train", "--recipe", "claen", "--out", tmp_path / "out").refused("claen", "did you mean clean?")
    merbench("train", "--recipe", tmp_path / "no.toml", "--out", tmp_path / "out").refused("no.toml")


def test_data_with_one_class_only(train, tmp_path):
    table = tmp_path / "one.csv"
    table.write_text("id,text,label,speaker\n" + "".join(f"u{i},hello,calm,s{i}\n" for i in range(9)))
    train(root=table).refused("only the class 'calm'")


def test_noise_that_is_not_on_this_machine(train, workshop, monkeypatch):
    monkeypatch.delenv("MERBENCH_DATA", raising=False)
    recipe = workshop.path(more='[noise]\ncorruptions = ["audio/urban_noise"]')
    train("--device", "cpu", recipe=recipe).refused("--noise-root")


def test_a_dataset_without_the_recipes_split(merbench, workshop):
    merbench(
        "train", "--recipe", "clean", "--dataset", "table", "--root", workshop.table,
        "--out", workshop.folder / "out",
    ).refused("no split 'train'", "test")  # fmt: skip


def test_what_recipes_there_are(merbench):
    rows = json.loads(merbench("list", "recipes", "--json").out)
    assert {"clean", "noise", "merr", "small"} <= {row["name"] for row in rows}
    assert all(row["about"] for row in rows)


def test_a_recipe_in_full(merbench):
    shown = json.loads(merbench("show", "recipe", "noise", "--json").out)
    assert shown["noise"]["draws"] == 4  # its own, ...
    assert shown["model"]["name"] == "emollama"  # ... what it extends, ...
    assert shown["data"]["speaker_disjoint"] is True  # ... and a default
    assert "stage.fine.learning_rate" in merbench("show", "recipe", "noise").out
