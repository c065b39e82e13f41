"""``merbench ablate`` from the command to the tables, on a model that learns nothing in one epoch."""

from __future__ import annotations

import json

import pytest

CLEAN = """
extends = "emollama-base"
[data]
dataset = "synthetic:train=12,validation=6,test=12"
[stage.coarse]
epochs = 1
[stage.fine]
epochs = 1
"""
CONTROL = CLEAN.replace("emollama-base", "control")
NOISE = (
    CONTROL + '[noise]\ncorruptions = ["audio/environment", "text/typo"]\ndraws = 1\n'
    '[adversarial]\nattack = "fgsm"\n[noise_aware]\n'
)
STUDY = """
about = "Does anything happen?"
[train]
clean = "small-clean.toml"
control = "small-control.toml"
recipes = ["hard.toml"]
seeds = [0, 1]
[test.natural]
groups = { seen = ["audio/white"], unseen = ["vision/gaussian_noise"] }
severities = [5]
frame_size = 56
[test.attack]
limit = 4
attacks = ["fgsm"]
severities = [4]
frame_size = 56
"""


@pytest.mark.slow
def test_a_study_is_estimated_done_in_parts_gone_on_with_and_told(merbench, tmp_path):
    for name, text in {"small-clean": CLEAN, "small-control": CONTROL, "hard": NOISE}.items():
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    study, out = tmp_path / "tiny.toml", tmp_path / "out"
    study.write_text(STUDY, encoding="utf-8")
    command = ("ablate", study, "--out", out, "--device", "cpu", "--workers", "1")

    told = merbench(*command, "--estimate")
    assert "hard: 2 to train" in told.err
    assert not out.exists()

    half = merbench(*command, "--seeds", "0")
    assert "seeds 1 are still to be done" in half.err
    weights = out / "models" / "hard" / "seed0" / "model.safetensors"
    before = weights.stat().st_mtime_ns

    done = merbench(*command, "--json")
    assert done.code == 0, done.err
    found = {one["name"]: one for one in json.loads(done.out)}
    assert weights.stat().st_mtime_ns == before  # what is done is not done again
    assert [line["arm"] for line in found["natural"]["lines"]] == ["small-control", "clean", "hard"]
    hard = found["natural"]["lines"][-1]
    assert hard["gains"].keys() == {"seen", "unseen"}
    assert hard["gains"]["seen"]["seeds"] == [2, 2]
    assert hard["verdict"]["name"] == "H2"
    assert found["attack"]["lines"][-1]["gains"].keys() == {"adversarial/fgsm"}
    assert len(found["natural"]["runs"]) == 6

    record = json.loads((out / "models" / "hard" / "seed1" / "checkpoint.json").read_text())
    assert len(record["trained_on"]) == 2  # the clean model it began with has seen something, too
    assert {"ablation.json", "ablation.md", "ablation-natural.png", "ablation-natural.svg"} <= {
        path.name for path in out.iterdir()
    }
    assert "small-control" in (out / "ablation-natural.svg").read_text(encoding="utf-8")

    study.write_text(STUDY.replace("[5]", "[4]"), encoding="utf-8")
    merbench(*command).refused("another study")
