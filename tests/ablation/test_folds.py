"""A study over a protocol's folds: whatever is compared is a model per fold, pooled into a run per seed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.protocols.conftest import Bench

CLEAN = f"""
about = "a bag of letters"
[model]
name = "{Path(__file__).parents[1] / "training" / "dummy.py"}:Words"
[data]
dataset = "synthetic"
validation = 0.3
[stage.one]
epochs = 2
learning_rate = 0.03
[training]
batch_size = 16
metric = "last"
"""
STUDY = """
about = "Do letters survive typing?"
[train]
clean = "clean.toml"
control = "control.toml"
recipes = ["noise.toml"]
seeds = [0, 1]
protocol = "letters.toml"
[test.typing]
groups = { seen = ["text/typo"], unseen = ["text/char_delete"] }
severities = [5]
"""


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


@pytest.fixture
def ablate(merbench, bench):
    bench.protocol(folds="validation = 0.3")
    recipes = {
        "clean": CLEAN,
        "control": 'extends = "clean.toml"\n',
        "noise": 'extends = "control.toml"\n[noise]\ncorruptions = ["text/typo"]\n',
        "study": STUDY,
    }
    for name, text in recipes.items():
        (bench.folder / f"{name}.toml").write_text(text, encoding="utf-8")
    study, out = bench.folder / "study.toml", bench.folder / "out"
    return lambda *words: merbench(
        *("ablate", study, "--out", out, "--root", bench.table, "--device", "cpu", "--workers", 1, *words)
    )


def test_every_seed_is_a_model_per_fold_and_one_run(ablate, bench):
    told = ablate("--estimate")
    assert "noise: 6 to train" in told.err, told

    done = ablate("--json")
    assert done.code == 0, done.err
    (found,) = json.loads(done.out)
    assert found["lines"][-1]["gains"].keys() == {"seen", "unseen"}
    out = bench.folder / "out"
    assert sorted(path.name for path in (out / "models/noise/seed1").iterdir()) == ["fold1", "fold2", "fold3"]
    results = [json.loads(path.read_text()) for path in out.glob("runs/typing/*/seed*/result.json")]
    assert len(results) == 6
    assert {len(result["model"]["folds"]) for result in results} == {3}
    assert {result["data"]["protocol"]["name"] for result in results} == {"letters"}
    records = [json.loads(path.read_text()) for path in out.glob("models/*/seed*/fold1/record.json")]
    heard = {speaker for record in records for speaker in record["trained_on"][0]["speakers"]}
    assert not heard & {"s0", "s1"}


def test_answers_are_enough_to_tell_the_findings_again(ablate, bench):
    assert ablate().code == 0
    out = bench.folder / "out"
    told = (out / "ablation.md").read_bytes()
    shutil.rmtree(out / "models")
    for made in out.glob("ablation*"):
        made.unlink()
    again = ablate()
    assert again.code == 0, again.err
    assert (out / "ablation.md").read_bytes() == told
    assert not (out / "models").exists()


def test_what_is_missing_is_trained_again_with_what_it_begins_with_alone(ablate, bench):
    assert ablate().code == 0
    out = bench.folder / "out"
    shutil.rmtree(out / "models")
    shutil.rmtree(out / "runs/typing/noise/seed1")
    assert ablate().code == 0
    assert sorted(str(p.relative_to(out / "models")) for p in out.glob("models/*/*")) == [
        "clean/seed1",
        "noise/seed1",
    ]


def test_noise_of_the_test_in_the_training_bank_is_refused_before_anything_is_trained(ablate, bench):
    noise = 'extends = "control.toml"\n[noise]\ncorruptions = ["audio/environment:noise_folds=10"]\n'
    (bench.folder / "noise.toml").write_text(noise, encoding="utf-8")
    study = STUDY.replace("text/char_delete", "audio/environment")
    (bench.folder / "study.toml").write_text(study, encoding="utf-8")
    for words in ((), ("--estimate",)):
        ablate(*words).refused("test 'typing'", "'noise' learns from", "audio/environment fold 10")
    assert not (bench.folder / "out").exists()


def test_speakers_on_both_sides_of_a_fold_are_refused_before_anything_is_trained(ablate, bench):
    dialogues = '[["d0", "d1", "d2"], ["d3", "d4", "d5"], ["d6", "d7", "d8", "d9"]]'
    path = bench.protocol(folds="validation = 0.3", members=dialogues)
    path.write_text(path.read_text().replace('by = "speaker"', 'by = "dialogue"'), encoding="utf-8")
    ablate().refused("test 'typing'", "'clean' learns from", "of the speakers")
    assert not (bench.folder / "out").exists()


def test_clean_models_are_named_per_seed_and_fold_and_must_be_there(ablate, bench):
    models = bench.folder / "models"
    ablate("--clean", models / "clean").refused("one model for all seeds", "{seed}")
    ablate("--clean", models / "{seed}").refused("one model for all folds", "{fold}")
    ablate("--clean", models / "{seed}" / "{fold}").refused("there is no clean model", "models/0/1")


def test_a_damaged_run_is_answered_again(ablate, bench):
    assert ablate().code == 0
    out = bench.folder / "out"
    told = (out / "ablation.md").read_bytes()
    predictions = out / "runs/typing/noise/seed1/predictions.parquet"
    whole = predictions.read_bytes()
    predictions.write_bytes(whole[:-9])
    again = ablate()
    assert again.code == 0, again.err
    assert predictions.read_bytes() == whole
    assert (out / "ablation.md").read_bytes() == told
