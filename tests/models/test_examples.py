"""The examples run on the real recordings, faces and texts, and say what was measured without merbench."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from merbench.corruption import corruptions
from merbench.datasets import datasets
from merbench.evaluation.run import evaluate
from merbench.media.conform import conform
from merbench.models._load import load_model
from merbench.suites.plan import make_plan
from merbench.types import Batch, MediaSpec, Sample, Utterance

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def with_network(example: str, network: Path, folder: Path) -> Path:
    """Return a copy of an example with its network beside the TOML."""
    copy = Path(shutil.copytree(EXAMPLES / example, folder / example))
    (copy / network.name).symlink_to(network)
    return copy


def test_the_speech_network_scores_what_it_scored_elsewhere(real_data, tmp_path):
    pytest.importorskip("librosa")
    folder = with_network("ser_cnn", real_data / "models/onnx/ser_cnn_ravdess_savee.onnx", tmp_path)
    model = load_model(str(folder / "ser_cnn_10way.toml"))
    ravdess = datasets["ravdess"](root=real_data / "audio/ravdess", media=MediaSpec(sample_rate=None))
    utterances, pool = ravdess.select()
    truth = {u.id: f"{u.extra['gender']}_{u.label}" for u in utterances}
    samples = [ravdess.load(u) for u in utterances if truth[u.id] in model.labels]
    clean = Batch.of(samples)
    drill = corruptions["audio/urban_noise"](
        noise_root=real_data / "noise/UrbanSound8K",
        noise_class="drilling",
        noise_folds=(3,),
        snr_reference="whole",
    )
    begun = [{**params, "start": 0.0} for params in drill.draw_all(samples, pool, "ravdess")]
    noisy = drill.apply(clean, begun, pool, snr_db=10.0)[0]

    def accuracy(batch: Batch) -> float:
        answers = model.predict(conform(batch, sample_rate=44_100, frame_size=None)).argmax(axis=1)
        return float(np.mean([model.labels[a] == truth[s.id] for a, s in zip(answers, samples, strict=True)]))

    assert len(samples) == 82
    assert accuracy(clean) == pytest.approx(0.878, abs=0.005)
    assert accuracy(noisy) == pytest.approx(0.512, abs=0.03)


def test_the_speech_network_answers_five_emotions_and_says_what_it_was_trained_on(real_data, tmp_path):
    folder = with_network("ser_cnn", real_data / "models/onnx/ser_cnn_ravdess_savee.onnx", tmp_path)
    model = load_model(str(folder / "ser_cnn.toml"))
    assert model.labels == ("angry", "calm", "fearful", "happy", "sad")
    assert {record.dataset for record in model.trained_on} == {"ravdess", "savee"}


def test_the_face_network_answers_flash_video(real_data, tmp_path):
    network = real_data / "models/onnx/fer2013_mini_xception.onnx"
    folder = with_network("face_onnx", network, tmp_path)
    labels = {"ANG": "anger", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness"}
    clips = sorted((real_data / "av/cremad").glob("*.flv"))
    rows = [f"{clip.stem},{clip},{labels[clip.stem[9:12]]}" for clip in clips]
    table = tmp_path / "clips.csv"
    table.write_text("\n".join(["id,video,label", *rows]) + "\n", encoding="utf-8")
    dataset = datasets["table"](root=table, media=MediaSpec(frames=4), text_informative=False)
    plan = make_plan(dataset, [corruptions["vision/occlusion_mask"]()], (5,))
    _, result = evaluate(plan, str(folder / "mini_xception.toml"), tmp_path / "run", label_mode="subset")
    assert [mark["kind"] for mark in result["marks"]] == ["out of domain"]
    assert result["metrics"]["n"] == 4
    assert result["metrics"]["cells"][0]["metrics"]["per_class"]["happiness"]["recall"] == 1.0


def test_the_text_model_learns_from_a_table_in_seconds(real_data):
    folder = real_data / "text/goemotions/ekman"
    model = load_model(
        f"{EXAMPLES / 'text_tfidf/tfidf.py'}:TfIdf:train={folder / 'dev.tsv'},"
        "header=text+label+id,label_names=labels.txt,corpus=goemotions"
    )
    assert model.labels == ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
    assert [record.dataset for record in model.trained_on] == ["goemotions"]
    who = Utterance(id="u", label="joy", split="test")
    texts = ("I love this, thank you so much!", "this is disgusting", None)
    logits = model.predict(Batch.of([Sample(utterance=who, text=text) for text in texts]))
    answers = [model.labels[i] for i in logits.argmax(axis=1)]
    assert answers == ["joy", "disgust", "joy"]  # without a text: the most frequent label


ROOT = EXAMPLES.parent
FEW = f"""
extends = "{EXAMPLES}/ravdess_hardening/clean.toml"
[data]
dataset = "synthetic:train=24,validation=6,test=6"
validation = "validation"
[noise]
corruptions = ["audio/white"]
[adversarial]
attack = "fgsm"
modalities = ["audio"]
[noise_aware]
[stage.learn]
epochs = 1
"""


def test_a_network_of_ones_own_is_trained_hardened_scored_and_attacked(merbench, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)  # where its recipes look for it
    recipe, first, second = tmp_path / "few.toml", tmp_path / "first", tmp_path / "second"
    recipe.write_text(FEW, encoding="utf-8")
    train = ("train", "--recipe", recipe, "--device", "cpu", "--workers", 1)
    assert merbench(*train, "--out", first).code == 0
    assert merbench(*train, "--out", second, "--start", first, "--seed", 1).code == 0
    model = load_model(str(second))
    assert model.name == "audio_cnn.py:AudioCnn"
    assert len(model.trained_on) == 2  # it remembers what it began with
    told = merbench(
        *(
            "eval",
            "--model",
            second,
            "--dataset",
            "synthetic:test=6",
            "--frame-size",
            16,
            "--out",
            tmp_path / "run",
        ),
        *("--corruption", "audio/white", "--attack", "fgsm", "--severity", 5, "--workers", 1),
    )
    assert told.code == 0, told.err
    assert "adversarial/fgsm" in told.out
    silent = model.predict(Batch.of([Sample(utterance=Utterance(id="a", label="sad", split="test"))]))
    assert np.isfinite(silent).all()
