"""``merbench eval --attack``: adversarial cells beside natural ones, and whether they can be believed."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from merbench.attacks.universal import Universal
from merbench.evaluation.attack_curves import curve_defects
from merbench.evaluation.result import recompute
from tests.attacks import adapters

HERE = Path(adapters.__file__)


def named(adapter: str) -> str:
    return f"{HERE}:{adapter}"


@pytest.fixture
def attack(merbench, linear_data, tmp_path):
    """Attack a model of `tests.attacks.adapters` on the small data set."""

    def run(model, *attacks, severity="2,5", out=None, corruption="none", limit=5):
        return merbench(
            *(
                "eval",
                "--model",
                named(model),
                "--dataset",
                "table",
                "--root",
                linear_data,
                "--split",
                "test",
            ),
            *("--sample-rate", adapters.RATE, "--frames", 1, "--frame-size", 8, "--limit", limit),
            *("--corruption", corruption, "--severity", severity, "--out", out or tmp_path / "run", "--json"),
            *(word for one in attacks for word in ("--attack", one)),
        )

    return run


def checks(result, attack):
    entry = next(e for e in result["attack_reliability"] if e["attack"] == f"adversarial/{attack}")
    return entry, {check["check"]: check["holds"] for check in entry["checks"]}


def test_natural_and_adversarial_cells_stand_in_one_table_and_one_file(attack, merbench, tmp_path):
    done = attack("Linear", "fgsm", "pgd:steps=8", corruption="audio/white")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    cells = {cell["corruption"] for cell in result["cells"]}
    assert cells == {"clean", "audio/white", "adversarial/fgsm", "adversarial/pgd"}
    rows = pq.read_table(tmp_path / "run" / "predictions.parquet", partitioning=None)
    assert set(rows["corruption"].to_pylist()) == cells
    options = [c["options"] for c in result["cells"] if c["corruption"] == "adversarial/pgd"]
    assert {o["model"] for o in options} == {result["model"]["fingerprint"]}
    assert [f["family"] for f in result["metrics"]["families"]] == ["audio", "adversarial"]
    for name in ("fgsm", "pgd"):
        entry, held = checks(result, name)
        assert entry["reliable"], entry
        assert entry["rows"] > 0
        assert all(held.values())
    assert {"at least as strong as fgsm", "at least as strong as square"} <= checks(result, "pgd")[1].keys()
    recompute(tmp_path / "run")
    shown = merbench("show", "run", tmp_path / "run")
    assert "adversarial/pgd" in shown.out
    assert "UNRELIABLE" not in shown.out


def test_a_run_goes_on_and_ends_with_the_same_bytes(attack, tmp_path):
    specs = ("fgsm:modalities=audio", "char_flips")
    first = attack("Linear", *specs, out=tmp_path / "a")
    other = attack("Linear", *specs, out=tmp_path / "b")
    again = attack("Linear", *specs, out=tmp_path / "a")
    assert first.code == other.code == again.code == 0, first.err
    a, b = ((tmp_path / name / "predictions.parquet").read_bytes() for name in "ab")
    assert a == b
    assert json.loads(first.out)["attack_reliability"] == json.loads(again.out)["attack_reliability"]


class Hears:
    """A recogniser that writes a word for every thousand levels of a sound's mean loudness."""

    def transcribe(self, audio, rate):
        return " ".join(["word"] * (1 + int(abs(audio.astype(float)).mean() * 3 // 1000)))


def test_what_a_pattern_costs_in_words_is_told_where_a_recogniser_is_given(attack, tmp_path, monkeypatch):
    silent = json.loads(attack("Ears", "universal:steps=2", severity="5").out)
    assert silent["attack_reliability"][0]["word_error_rate"] is None
    monkeypatch.setattr(Universal, "recogniser", Hears())
    told = json.loads(attack("Ears", "universal:steps=3", severity="5", out=tmp_path / "told").out)
    assert told["attack_reliability"][0]["word_error_rate"] is not None


def test_two_models_under_one_attack_can_be_compared_and_reported(attack, merbench, tmp_path):
    for model in ("Linear", "Steps"):
        done = attack(model, "fgsm", severity="2,5", out=tmp_path / model)
        assert done.code == 0, done.err
    compared = merbench("compare", tmp_path / "Linear", tmp_path / "Steps", "--unit", "sample", "--json")
    assert compared.code == 0, compared.err
    page = tmp_path / "report.html"
    reported = merbench("report", tmp_path / "Linear", tmp_path / "Steps", "--unit", "sample", "--out", page)
    assert reported.code == 0, reported.err
    assert "there are gradients (masked: 100%" in page.read_text(encoding="utf-8")


def test_masked_gradients_are_told_and_mark_the_attack_unreliable(attack, merbench, tmp_path):
    done = attack("Steps", "pgd:steps=3,modalities=audio", severity="5")
    entry, held = checks(json.loads(done.out), "pgd")
    assert not entry["reliable"]
    assert not held["there are gradients"]
    assert "masked" in next(c["said"] for c in entry["checks"] if c["check"] == "there are gradients")
    assert "UNRELIABLE" in merbench("show", "run", tmp_path / "run").out


def test_a_subset_is_held_against_noise_in_its_place(attack):
    _, held = checks(json.loads(attack("Linear", "pgd:steps=8,modalities=vision", severity="5").out), "pgd")
    assert held["what may be anything is worth no more than noise"]


def test_a_model_that_answers_at_random_is_attacked_and_not_taken_for_one_that_lies(attack):
    done = attack("Moody", "fgsm:eot=4", severity="5")
    assert done.code == 0, done.err
    _, held = checks(json.loads(done.out), "fgsm")
    assert held["nothing done, nothing lost"]


def test_budgets_under_one_step_have_no_score(attack):
    result = json.loads(attack("Eyes", "fgsm", severity="1,3").out)
    status = {c["severity"]: c["status"] for c in result["metrics"]["cells"] if c["severity"]}
    assert status == {1: "not applicable", 3: "scored"}


def test_what_cannot_be_attacked_is_refused(attack, merbench, tmp_path, linear_data):
    attack("Closed", "pgd").refused("Closed offers none", "--attack square", "char_flips")
    attack("Linear", "pdg").refused("no attack named 'pdg'", "did you mean pgd")
    attack("Linear", "pgd:step=3").refused("has no option 'step'", "steps")
    attack("Linear", "pgd:steps=0").refused("steps=0")
    attack("Linear", "pgd:norm=l1").refused("linf | l2")
    attack("Ears", "pgd:modalities=vision").refused("does not read vision", "it reads audio")
    attack("Ears", "char_flips").refused("alters text", "reads audio")
    attack("Linear", "pgd:modalities=text").refused("cannot alter text")
    attack("Eyes", "pgd", severity="1").refused("under one quantisation step", "severity 2 to 5")
    attack("Linear", "pgd:levels=0.2+1+2+4+8").refused("0.2 levels", "under one quantisation step")
    attack("Linear", "pgd:levels=1+2+4+8+300").refused("levels=1+2+4+8+300", "within 0 and 255")
    attack("Linear", "pgd:snr=10+20+30+40+50").refused("from the smallest to the largest")
    attack("Linear", "pgd", severity="6").refused("--severity")
    attack("Linear", "pgd", "pgd").refused("asked for twice")
    attack("TwoFaced", "pgd").refused("differentiable path", "of its predict()", "--attack square")
    attack("Linear", "transfer").refused("needs another model", "transfer:surrogate=MODEL")
    attack("Linear", f"transfer:surrogate={named('Closed')}").refused("it offers none")
    attack("Linear", f"transfer:surrogate={named('Linear')}").refused("to itself")
    merbench("corrupt", "--corruption", "adversarial/pgd").refused(
        "against one model", "merbench eval --model M --attack pgd"
    )


def test_black_box_attacks_need_no_gradient(attack):
    specs = ("square:queries=10", "char_flips", f"transfer:steps=3,surrogate={named('Linear')}")
    result = json.loads(attack("Closed", *specs, severity="5").out)
    clean = next(c for c in result["metrics"]["cells"] if c["corruption"] == "clean")["metrics"]["accuracy"]
    for entry in result["metrics"]["corruptions"]:
        assert entry["robustness"]["accuracy"]["noisy"] <= clean, entry["corruption"]


def test_an_attack_that_can_alter_no_row_is_not_called_reliable(merbench, tmp_path):
    words = [("we see a home", adapters.LABELS[1]), ("why try my sky", adapters.LABELS[0])]
    rows = [f"u{i},{text},{label}" for i, (text, label) in enumerate(words * 3)]
    (tmp_path / "texts.csv").write_text("\n".join(["id,text,label", *rows]) + "\n", encoding="utf-8")
    data = ("--dataset", "table", "--root", tmp_path / "texts.csv", "--corruption", "none", "--severity", "5")
    done = merbench("eval", *data, "--model", named("Linear"), "--attack", "pgd", "--json")
    assert done.code == 0, done.err
    (told,) = json.loads(done.out)["attack_reliability"]
    assert (told["reliable"], told["rows"]) == (False, 0)
    assert [check["check"] for check in told["checks"]] == ["scores fall as they must"]


def test_attacks_are_listed(merbench):
    listed = {row["name"]: row for row in json.loads(merbench("list", "attacks", "--json").out)}
    assert {"fgsm", "pgd", "apgd", "square", "char_flips", "universal", "transfer"} <= listed.keys()
    assert listed["square"]["knows"] == "answers"


def test_curves_that_no_attack_can_have_are_told():
    def of(name, *scores, **options):
        known = dict(enumerate(scores, start=1))
        return {"corruption": f"adversarial/{name}", "options": options, "scores": known}

    assert not list(curve_defects(of("pgd", 0.8, 0.5, 0.1), 0.9, [of("fgsm", 0.8, 0.6, 0.4)]))
    assert "helps the model" in next(curve_defects(of("pgd", 0.5, 0.6), 0.9, []))
    assert "helps the model" in next(curve_defects(of("fgsm", 0.95), 0.9, []))
    assert "weaker than adversarial/fgsm at severity 2" in next(
        curve_defects(of("pgd", 0.5, 0.4), 0.9, [of("fgsm", 0.5, 0.3)])
    )
    # One sample of ten proves nothing.
    assert not list(curve_defects(of("pgd", 0.5, 0.6), 0.9, [], n=10))
    # Another norm, other modalities: another threat, and nothing follows.
    assert not list(curve_defects(of("pgd", 0.5, norm="linf"), 0.9, [of("fgsm", 0.3, norm="l2")]))
    # One step need not find what a search finds.
    assert not list(curve_defects(of("fgsm", 0.5), 0.9, [of("square", 0.3)]))
