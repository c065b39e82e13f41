"""The two commands on real recordings, faces and texts (skipped where they are not at hand)."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from merbench.suites.store import Suite
from merbench.suites.verify import roots_of

EXAMPLES = Path(__file__).parents[2] / "examples"
EVERY = ("audio/environment", "audio/urban_noise", "vision/occlusion_mask", "text/typo", "modality/dropout")


def result(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


@pytest.fixture
def crema(real_data, tmp_path) -> Path:
    """The CREMA-D clips as a table of paths, labels and transcripts."""
    with (real_data / "manifest.csv").open(encoding="utf-8") as handle:
        rows = [row for row in csv.DictReader(handle) if row["path"].endswith(".flv")]
    table = tmp_path / "crema.csv"
    with table.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["id", "video", "text", "label", "speaker"])
        for row in rows:
            path = (real_data / row["path"]).resolve()
            writer.writerow([path.stem, path, row["transcript"], row["label"], row["speaker"]])
    return table


@pytest.fixture
def every(real_data):
    words = [word for name in EVERY for word in ("--corruption", name)]
    return [*words, "--noise-root", real_data / "noise" / "UrbanSound8K", "--noise-folds", "1,3,5,7"]


@pytest.mark.slow
def test_ravdess_under_urban_noise_is_contaminated_and_needs_leave(merbench, real_data, tmp_path):
    for name in ("ser_cnn.toml", "mfcc.py"):
        shutil.copy(EXAMPLES / "ser_cnn" / name, tmp_path)
    shutil.copy(real_data / "models" / "onnx" / "ser_cnn_ravdess_savee.onnx", tmp_path)
    command = [
        "eval", "--model", tmp_path / "ser_cnn.toml",
        "--dataset", "ravdess", "--root", real_data / "audio" / "ravdess",
        "--sample-rate", "native", "--labels", "subset", "--severity", "1,5", "--out", tmp_path / "run",
        "--corruption", "audio/urban_noise:noise_class=drilling", "--snr-reference", "whole",
        "--noise-root", real_data / "noise" / "UrbanSound8K", "--noise-folds", "1,3,5,7",
    ]  # fmt: skip
    merbench(*command).refused("was trained on this data", "--allow-contaminated")
    outcome = merbench(*command, "--allow-contaminated", "--metric", "accuracy")
    assert outcome.code == 0, outcome.err
    assert "CONTAMINATED" in outcome.out
    metrics = result(tmp_path / "run")["metrics"]
    assert metrics["n"] == 82
    clean, twenty, zero = (cell["metrics"]["accuracy"] for cell in metrics["cells"])
    assert clean == pytest.approx(0.878, abs=0.03)
    assert clean > twenty > zero


@pytest.mark.slow
def test_crema_d_through_every_corruption_built_and_streamed(merbench, crema, every, tmp_path):
    data = ["--dataset", "table", "--root", crema, *every]
    assert merbench("corrupt", *data, "--out", tmp_path / "suite").code == 0
    assert merbench("suite", "verify", tmp_path / "suite").code == 0
    model = ["--model", "late-fusion", "--labels", "subset"]
    built = merbench("eval", "--suite", tmp_path / "suite", *model, "--out", tmp_path / "built")
    streamed = merbench("eval", *data, *model, "--verify", "--out", tmp_path / "streamed")
    assert (built.code, streamed.code) == (0, 0), built.err + streamed.err
    assert "OUT OF DOMAIN" in " ".join(streamed.out.split())
    files = [(tmp_path / name / "predictions.parquet").read_bytes() for name in ("built", "streamed")]
    assert files[0] == files[1]
    assert result(tmp_path / "built")["content_root"] == result(tmp_path / "streamed")["content_root"]
    suite = Suite.open(tmp_path / "suite")
    assert len(suite.cells) == 26
    assert roots_of(suite) == suite.manifest["roots"]


def test_crema_d_faces_under_occlusion(merbench, real_data, crema, tmp_path):
    shutil.copy(EXAMPLES / "face_onnx" / "mini_xception.toml", tmp_path)
    shutil.copy(real_data / "models" / "onnx" / "fer2013_mini_xception.onnx", tmp_path)
    outcome = merbench(
        "eval", "--model", tmp_path / "mini_xception.toml", "--dataset", "table:text_informative=false",
        "--root", crema, "--corruption", "vision/occlusion_mask", "--severity", "1,5", "--labels", "subset",
        "--out", tmp_path / "run",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert [cell["n"] for cell in result(tmp_path / "run")["metrics"]["cells"]] == [4, 4, 4]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("root", "options", "n"),
    [
        ("text/meld/dev_sent_emo.csv", "text=Utterance,label=Emotion,speaker=Speaker", 1109),
        ("audio/nemo/data.tsv", "id=file_id,text=raw_text,label=emotion,speaker=speaker_id", 240),
    ],
)
def test_typos_in_real_texts(merbench, real_data, tmp_path, root, options, n):
    """English with curly quotes, Polish with diacritics and padded names; a model trained in seconds."""
    train = real_data / "text" / "goemotions" / "ekman" / "dev.tsv"
    given = f"train={train},header=text+label+id,label_names=labels.txt,corpus=goemotions"
    outcome = merbench(
        "eval", "--model", f"{EXAMPLES / 'text_tfidf' / 'tfidf.py'}:TfIdf:{given}",
        "--dataset", f"table:{options}", "--root", real_data / root,
        "--corruption", "text/typo", "--severity", "1,5", "--labels", "subset", "--out", tmp_path / "run",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    metrics = result(tmp_path / "run")["metrics"]
    assert metrics["n"] == n
    assert all(cell["n_applied"] > 0.9 * metrics["n"] for cell in metrics["cells"][1:])


def test_a_real_dataset_is_checked_and_its_defects_are_named(merbench, real_data):
    outcome = merbench("dataset", "check", "ravdess", "--root", real_data / "audio" / "ravdess", "--json")
    assert outcome.code == 0, outcome.err
    findings = " ".join(f"{f['where']} {f['what']}" for f in json.loads(outcome.out)["findings"])
    assert "identical" in findings
    assert "03-01-02-01-02-02-05 have several channels" in findings
