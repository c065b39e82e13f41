"""A fold's model is trained without its fold, on the protocol's classes; nobody writes a split by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from merbench.evaluation.result import read_result

TRAINED = f"{Path(__file__).with_name('trained.py')}:Trained"

RECIPE = f"""
about = "a bag of letters"

[model]
name = "{Path(__file__).parents[1] / "training" / "dummy.py"}:Words"

[data]
dataset = "synthetic"

[stage.one]
epochs = 4
learning_rate = 0.03

[training]
batch_size = 16
"""


@pytest.fixture
def train(merbench, bench):
    recipe = bench.folder / "recipe.toml"
    recipe.write_text(RECIPE, encoding="utf-8")

    def run(*words, protocol=None, out="model"):
        return merbench(
            *("train", "--recipe", recipe, "--protocol", protocol or bench.protocol(), "--root", bench.table),
            *("--out", bench.folder / out, "--device", "cpu", *words),
        )

    return run


def test_every_fold_is_trained_and_pooled(merbench, bench, train, evaluated):
    for fold in (1, 2, 3):
        outcome = train("--fold", fold, out=f"fold{fold}")
        assert outcome.code == 0, outcome.err
        assert f"--root {bench.table} --model '{bench.folder}/fold{{fold}}'" in outcome.err
        assert "next: once every fold of the protocol is trained: merbench eval" in outcome.err
        record = json.loads((bench.folder / f"fold{fold}" / "record.json").read_text())
        (seen,) = record["trained_on"]
        assert set(seen["speakers"]) == {f"s{i}" for i in range(6)} - {f"s{2 * fold - 2}", f"s{2 * fold - 1}"}
        assert len(seen["samples"]) == 64
        assert record["labels"] == ["calm", "low", "glad"], "where the dataset has their first labels"
        assert record["protocol"]["fold"] == fold
    pooled = evaluated(model=f"{TRAINED}:folder={bench.folder}/fold{{fold}}")
    assert pooled.code == 0, pooled.err
    result = read_result(bench.folder / "run")
    assert result["marks"] == []
    assert result["metrics"]["overall"]["accuracy"]["clean"] > 0.8
    wrong = evaluated(model=f"{TRAINED}:folder={bench.folder}/fold1", out="wrong")
    wrong.refused("trained on 64 of the 96 samples")


def test_a_share_of_speakers_may_choose_the_best_epoch(bench, train):
    assert train("--fold", 1, protocol=bench.protocol(folds="validation = 0.25")).code == 0
    training = json.loads((bench.folder / "model" / "training.json").read_text())
    assert training["recipe"]["data"]["validation"] == [0.25]
    assert training["scores"].keys() == {"validation", "test"}


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ((), ["has 3 folds", "--fold 1"]),
        (("--fold", "4"), ["no fold 4", "1 to 3"]),
        (("--fold", "1", "--dataset", "synthetic"), ["fixes the dataset"]),
    ],
)
def test_which_fold_must_be_said(train, words, refusal):
    train(*words).refused(*refusal)


def test_a_fold_without_a_protocol_or_of_one_without_folds(merbench, tmp_path):
    train = ("train", "--recipe", "clean", "--out", tmp_path / "model", "--fold", "1")
    merbench(*train).refused("--protocol")
    merbench(*train, "--protocol", "synthetic").refused("no fold 1", "leave --fold out")


def test_a_split_of_the_dataset_is_taken_as_it_is():
    from merbench.protocols import load_protocol
    from merbench.training.recipe import load_recipe
    from merbench.training.run import plan_training

    job = plan_training(load_recipe("clean"), protocol=load_protocol("synthetic"))
    assert [len(part) for part in job.splits.train.values()] == [1200] * len(job.splits.train)
    assert (len(job.splits.validation), len(job.splits.test)) == (240, 240)
    assert job.record["protocol"]["name"] == "synthetic"


def test_speakers_of_both_sides_are_the_authors_choice_and_are_marked(merbench, bench, tmp_path):
    """MELD's split: the same friends talk in all three parts."""
    rows = bench.table.read_text(encoding="utf-8").splitlines()
    table = tmp_path / "shared.csv"
    splits = (*("train",) * 3, "dev", "test")
    shared = [f"{row},{splits[i // 7 % 5]}" for i, row in enumerate(rows[1:])]
    table.write_text("\n".join([f"{rows[0]},split", *shared]) + "\n", encoding="utf-8")
    protocol = tmp_path / "shared.toml"
    head = 'title = "shared"\ndataset = "table"\nunit = "dialogue"\n'
    text = f'{head}[suite]\ncorruptions = "text/typo"\nseverities = 1\n'
    split = '[split]\ntrain = "train"\nvalidation = "dev"\ntest = "test"\n'
    protocol.write_text(f"{text}{split}share_speakers = true\n", encoding="utf-8")
    heard = [{"dataset": "table", "samples": ["t000"], "speakers": ["s0", "s1"]}]
    bench.model("m", trained_on=heard)
    run = (
        *("eval", "--protocol", protocol, "--root", table, "--model", bench.named("m")),
        *("--labels", "subset", "--out", tmp_path / "run"),
    )
    assert merbench(*run).code == 0
    (mark,) = read_result(tmp_path / "run")["marks"]
    assert mark["kind"] == "shared speakers"
    protocol.write_text(f"{text}{split}", encoding="utf-8")
    merbench(*run).refused("trained on 2 of the speakers")
