"""The command line as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version

import pytest

from merbench.attacks import attacks
from merbench.corruption import corruptions
from merbench.datasets import datasets
from merbench.models import models
from merbench.suites.store import Suite

HEAVY = (
    "torch",
    "transformers",
    "numba",
    "cv2",
    "av",
    "scipy",
    "pandas",
    "sklearn",
    "onnxruntime",
    "datasets",
)


@pytest.mark.parametrize(
    "words", [["--help"], ["list", "corruptions"], ["list", "models"], ["corrupt", "--help"]]
)
def test_nothing_heavy_is_imported_before_it_is_needed(words):
    code = (
        "import sys\nfrom merbench.cli import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit:\n    pass\n"
        f"print('LOADED', [m for m in {HEAVY!r} if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip().splitlines()[-1] == "LOADED []"


@pytest.mark.parametrize(
    ("kind", "registry"), [("corruptions", corruptions), ("datasets", datasets), ("models", models)]
)
def test_list_shows_everything_registered(merbench, kind, registry):
    listed = json.loads(merbench("list", kind, "--json").out)
    assert [row["name"] for row in listed] == registry.names()
    shown = merbench("list", kind)
    assert shown.code == 0
    assert all(name in shown.out for name in registry.names())


def test_list_of_presets_names_their_members(merbench):
    from merbench.suites.presets import PRESETS

    listed = {row["name"]: row for row in json.loads(merbench("list", "presets", "--json").out)}
    assert {name: tuple(row["corruptions"]) for name, row in listed.items()} == PRESETS
    assert listed["robuser"]["severities"] == [1, 3, 5]
    assert all(name in merbench("list", "presets").out for name in PRESETS)


def test_a_row_of_corruptions_is_short_on_a_narrow_terminal(merbench, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = merbench("list", "corruptions")
    row = next(line.split() for line in shown.out.splitlines() if "audio/babble" in line)
    assert row == ["audio/babble", "snr_db", "20,", "15,", "10,", "5,", "0", "exact", *"ppppu"]
    assert "provider" not in shown.out  # all are ours
    assert "p preserved, u uncertain, c changed" in shown.err


def test_list_of_anything_else_says_what_there_is(merbench):
    merbench("list", "unicorns").refused("corruptions, datasets, models")


def test_the_list_of_datasets_tells_which_are_here(merbench, tmp_path, monkeypatch):
    for folder in ("ravdess/Actor_01", "meld"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setenv("MERBENCH_DATA", str(tmp_path))
    found = {row["name"]: row["found"] for row in json.loads(merbench("list", "datasets", "--json").out)}
    assert found["ravdess"] == str(tmp_path / "ravdess")
    assert found["meld"] == f"{tmp_path / 'meld'} (empty)"
    assert (found["iemocap"], found["synthetic"], found["table"]) == ("no", "always", "whatever you name")
    assert str(tmp_path / "NAME") in merbench("list", "datasets").err
    monkeypatch.delenv("MERBENCH_DATA")
    assert "MERBENCH_DATA is not set" in merbench("list", "datasets").err


@pytest.mark.parametrize("name", corruptions.names())
def test_show_corruption_prints_the_card(merbench, name):
    card = json.loads(merbench("show", "corruption", name, "--json").out)
    assert card["name"] == name
    assert all(len(values) == 5 for values in card["severity"].values())
    assert merbench("show", "corruption", name).code == 0


@pytest.mark.parametrize("name", attacks.names())
def test_show_attack_prints_the_card(merbench, name):
    card = json.loads(merbench("show", "attack", name, "--json").out)
    assert card["name"] == name
    assert card["knows"] in ("gradients", "answers", "another model")
    assert card["source"]
    shown = merbench("show", "attack", name)
    assert shown.code == 0
    assert all(f":{option}" in shown.out for option in card["options"])


def test_show_study_prints_what_is_trained_and_tested(merbench):
    study = json.loads(merbench("show", "study", "synthetic", "--json").out)
    assert study["tests"]["attack"]["attacks"] == ["pgd:steps=10", "apgd:steps=10"]
    shown = " ".join(merbench("show", "study", "synthetic").out.split())
    assert "test.attack.attacks pgd:steps=10, apgd:steps=10" in shown
    assert "test.natural.groups.seen audio/environment" in shown


@pytest.mark.parametrize("name", datasets.names())
def test_show_dataset_prints_the_card(merbench, name):
    assert json.loads(merbench("show", "dataset", name, "--json").out)["name"] == name
    assert merbench("show", "dataset", name).code == 0


def test_preview_writes_five_severities_to_hear(merbench, tmp_path):
    import numpy as np
    import soundfile

    path = tmp_path / "voice.wav"
    tone = (8000 * np.sin(np.arange(16000) / 9)).astype(np.int16)
    soundfile.write(path, tone, 16000)
    outcome = merbench("show", "corruption", "audio/environment", "--preview", path, "--out", tmp_path)
    assert outcome.code == 0, outcome.err
    residuals = []
    for severity in range(1, 6):
        audio, rate = soundfile.read(tmp_path / f"voice-audio-environment-{severity}.wav", dtype="int16")
        assert (len(audio), rate) == (16000, 16000)
        residuals.append(
            np.std(audio - tone.astype(float) * (audio @ tone.astype(float)) / (tone.astype(float) @ tone))
        )
    assert residuals == sorted(residuals)


def test_preview_of_a_picture_and_of_a_text(merbench, tmp_path):
    from PIL import Image

    from merbench.media.decode import read_video
    from merbench.types import MediaSpec

    Image.new("RGB", (64, 48), (90, 140, 200)).save(tmp_path / "face.png")
    (tmp_path / "said.txt").write_text("We are all very glad about the long letter.\n", encoding="utf-8")
    show = ("show", "corruption")
    out = tmp_path / "out"
    assert merbench(*show, "vision/fog", "--preview", tmp_path / "face.png", "--out", out).code == 0
    assert merbench(*show, "text/word_delete", "--preview", tmp_path / "said.txt", "--out", out).code == 0
    level = [read_video(out / f"face-vision-fog-{s}.mp4", MediaSpec()).frames.mean() for s in range(1, 6)]
    words = [len((out / f"said-text-word_delete-{s}.txt").read_text().split()) for s in range(1, 6)]
    assert level == sorted(level)
    assert words == sorted(words, reverse=True)
    assert words[-1] < 9


def test_preview_of_what_a_corruption_does_not_change_is_refused(merbench, tmp_path):
    import soundfile

    soundfile.write(tmp_path / "voice.wav", [0.1] * 4000, 16000)
    preview = ("show", "corruption", "text/typo", "--preview")
    merbench(*preview, tmp_path / "voice.wav").refused("holds no text", "takes a sound, a picture")
    merbench(*preview, tmp_path / "away.wav").refused("cannot be read")
    merbench(*preview, tmp_path / "away.txt").refused("cannot be read")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["corrupt", "--dataset", "ravdes"], ["no dataset named 'ravdes'", "did you mean ravdess"]),
        (["corrupt", "--corruption", "typo"], ["did you mean text/typo"]),
        (["corrupt", "--corruption", "text/typo:rate=3"], ["no option 'rate'"]),
        (["corrupt", "--corruption", "audio/environment:snr_reference=loud"], ["speech | whole"]),
        (["corrupt", "--corruption", "audio/environment:snr_reference"], ["key=value"]),
        (["corrupt", "--corruption", "cores"], ["no corruption or preset named 'cores'", "mean core"]),
        (["corrupt", "--corruption", "core:seed=1"], ["'core' takes no options"]),
        (["corrupt", "--corruption", "codec"], ["did you mean audio/codec"]),  # not the preset core
        (["corrupt", "--corruption", "codex"], ["audio/codec"]),
        (["corrupt", "--severity", "7"], ["severities from 1 to 5"]),
        (["corrupt", "--sample-rate", "fast"], ["--sample-rate", "native"]),
        (["corrupt", "--sample-rate", "²"], ["--sample-rate", "native"]),
        (["corrupt", "--seed", str(2**64)], ["--seed"]),
        (["corrupt", "--corruption", "text/typo", "--noise-folds", "3"], ["--noise-folds", "text/typo"]),
        (["corrupt", "--split", "dev"], ["test, train, validation"]),
        (["eval", "--model", "late-fusoin"], ["late-fusion"]),
        (["eval", "--model", "majority", "--batch-size", "lots"], ["--batch-size"]),
        (["eval", "--model", "majority", "--labels", "maybe"], ["strict"]),
        (["eval", "--model", "nowhere.py:Model"], ["nowhere.py"]),
        (["eval", "--model", "nowhere.onnx"], ["nowhere.toml"]),
        (["eval", "--model", "majority", "--suite", "nowhere"], ["no suite at nowhere"]),
        (["show", "run", "nowhere"], ["no result in nowhere"]),
        (["dataset", "check", "ravdess"], ["--root", "Actor_"]),
    ],
)
def test_bad_words_are_answered_in_one_line(merbench, monkeypatch, tmp_path, words, expected):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MERBENCH_DATA", raising=False)
    merbench(*words).refused(*expected)
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_traceback(merbench):
    from merbench.errors import MerbenchError

    with pytest.raises(MerbenchError):
        merbench("--debug", "corrupt", "--dataset", "nothing")


@pytest.mark.slow
def test_demo_tells_the_whole_story(merbench, tmp_path):
    outcome = merbench("demo", "--out", tmp_path / "demo", "--samples", 40, "--json")
    assert outcome.code == 0, outcome.err
    told = json.loads(outcome.out)
    results = told["runs"]
    assert set(results) == {"majority", "late-fusion", "emollama-base", "emollama-pgd"}
    assert results["emollama-base"]["metrics"]["overall"]["uar"]["clean"] > 0.6
    assert any("late-fusion and emollama-base" in line for line in told["comparison"]["findings"])
    assert any("emollama-pgd and emollama-base" in line for line in told["comparison"]["findings"])
    attacked = told["attacked"]
    drops = {name: run["metrics"]["overall"]["uar"]["drop"] for name, run in attacked["runs"].items()}
    assert drops["emollama-pgd"] < drops["emollama-base"]
    assert any("adversarial/fgsm" in line for line in attacked["comparison"]["findings"])
    assert (tmp_path / "demo" / "report.html").stat().st_size > 100_000
    assert results["late-fusion"]["metrics"]["overall"]["uar"]["clean"] > 0.6
    assert results["majority"]["metrics"]["overall"]["uar"]["drop"] == 0
    for model in results:
        assert merbench("show", "run", tmp_path / "demo" / "runs" / model).code == 0
    assert merbench("suite", "verify", tmp_path / "demo" / "suite").code == 0


def test_a_cell_in_which_nothing_happened_is_named(merbench, texts, tmp_path):
    options = ("--dataset", "table", "--root", texts, "--severity", "1,2", "--out", tmp_path / "suite")
    outcome = merbench("corrupt", *options, "--corruption", "audio/reverb", "--corruption", "text/typo")
    assert outcome.code == 0, outcome.err
    assert "audio/reverb applies to no sample at severity 1, 2: there is no audio" in outcome.err
    assert "text/typo applies" not in outcome.err


def test_a_narrow_terminal_cuts_no_name_and_no_size_of_a_suite(merbench, texts, tmp_path, monkeypatch):
    suite = ("--dataset", "table", "--root", texts, "--severity", "1", "--out", tmp_path / "suite")
    assert merbench("corrupt", *suite, "--corruption", "text/word_delete").code == 0
    monkeypatch.setenv("COLUMNS", "50")
    lines = merbench("suite", "show", tmp_path / "suite").out.splitlines()
    table = lines[next(i for i, line in enumerate(lines) if line.split()[:1] == ["cell"]) :]
    names = "".join(line.split()[0] for line in table if line[1:2].strip())
    assert all(cell.cell_id in names for cell in Suite.open(tmp_path / "suite").cells)
    assert [line.split()[-1] in ("B", "kB") for line in table].count(True) == 2


def test_it_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "merbench", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == version("merbench")
