"""Emotion-LLaMA in the loop: from a command to a checkpoint that can be evaluated."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

from merbench.datasets import load_dataset
from merbench.datasets._synthetic.cues import LABELS
from merbench.errors import MerbenchError
from merbench.media.conform import conform
from merbench.models._emotion_llama.config import load_config
from merbench.models._emotion_llama.network import EmotionLlama
from merbench.rng import Stream
from merbench.training import Row
from merbench.training.checkpointing import Checkpoints
from merbench.training.emotion_llama import TrainableEmotionLlama
from merbench.training.recipe import Stage, load_recipe
from merbench.training.run import plan_training, train
from merbench.types import Batch
from tests.datasets.miniature import merr

DATA = "synthetic:train=12,validation=6,test=6"
MICRO = """
extends = "noise"
[stage.coarse]
epochs = 1
[stage.fine]
epochs = 1
parameters = ["projections", "lora"]
[noise]
draws = 1
"""


@pytest.fixture(scope="module")
def samples():
    dataset = load_dataset(DATA)
    return [dataset.load(u) for u in dataset.utterances()[:3]]


def trainable(**options):
    torch.manual_seed(0)
    model = TrainableEmotionLlama(labels=LABELS, **options)
    model.network.eval()
    return model


def rows_of(model, samples, key="row"):
    inputs = model.prepare(Batch.of(samples), [s.utterance for s in samples])
    return [Row(i, LABELS.index(i.label), Stream.of(key, str(n))) for n, i in enumerate(inputs)]


def test_from_the_command_to_an_evaluated_checkpoint(merbench, tmp_path):
    recipe = tmp_path / "micro.toml"
    recipe.write_text(MICRO, encoding="utf-8")
    out = tmp_path / "model"
    trained = merbench(
        "train", "--recipe", recipe, "--dataset", DATA, "--out", out, "--device", "cpu", "--json"
    )
    assert trained.code == 0, trained.err
    result = json.loads(trained.out)
    assert [(e["stage"], e["epoch"]) for e in result["epochs"]] == [("coarse", 1), ("fine", 1)]
    assert result["scores"].keys() == {"validation", "test"}
    assert "coarse epoch 1 of 1" in trained.err

    media = ["--limit", 4, "--corruption", "text/typo", "--severity", 3, "--dataset", DATA]
    scored = merbench("eval", "--model", out, *media, "--out", tmp_path / "run", "--json")
    assert scored.code == 0, scored.err
    assert json.loads(scored.out)["marks"] == []
    seen = merbench("eval", "--model", out, *media, "--out", tmp_path / "seen", "--split", "validation")
    seen.refused("trained on", "samples")
    heard = ["--limit", 4, "--corruption", "audio/environment", "--noise-folds", "3", "--dataset", DATA]
    merbench("eval", "--model", out, *heard, "--out", tmp_path / "heard").refused("noise", "fold 3")


def test_the_groups_hold_every_parameter_once():
    model = trainable()
    names = Counter(name for group in model.groups().values() for name in group)
    assert names == Counter(name for name, _ in model.network.named_parameters())
    assert set(model.groups()) == {"encoders", "projections", "lora", "language_model"}


def test_frozen_encoders_encode_once_and_stay_as_they_are(samples):
    model = trainable(encoders=False, language_model=False, modality_dropout=0.0)
    rows = rows_of(model, samples)
    assert all(row.inputs.media["audio"].ndim == 1 for row in rows)
    model.network.train()
    model.loss(rows).backward()
    learning = {n for n, p in model.network.named_parameters() if p.requires_grad}
    assert learning == {*model.groups()["projections"], *model.groups()["lora"]}
    moved = {n for n, p in model.network.named_parameters() if p.grad is not None}
    assert {"feats_llama_proj3.weight", "llama_proj.weight"} <= moved <= learning


def test_frozen_and_learning_encoders_see_the_same(samples):
    learning, frozen = trainable(), trainable(encoders=False)
    with torch.inference_mode():
        scores = [m.logits([row.inputs for row in rows_of(m, samples)]) for m in (learning, frozen)]
    assert scores[0] == pytest.approx(scores[1], abs=0.1)  # 16 bits, and pictures rounded to whole levels


def test_what_is_prepared_is_small(samples):
    (row, *_) = rows_of(trainable(), samples)
    assert row.inputs.media["vision"].numel() * 16 <= samples[0].frames.size


def test_a_row_keeps_at_least_one_modality_and_some_lose_some(samples):
    model = trainable(modality_dropout=0.6)
    (row, *_) = rows_of(model, samples)
    kept = [set(model.varied(row.inputs, Stream.of("dropout", str(i))).media) for i in range(300)]
    assert all(kept)
    assert 0.45 < sum(len(media) < 3 for media in kept) / 300 < 0.75
    assert {frozenset(media) for media in kept} >= {frozenset({m}) for m in ("audio", "vision", "text")}


def test_what_happens_to_a_row_does_not_depend_on_its_batch(samples):
    model = trainable()
    rows = rows_of(model, samples)
    again = rows_of(model, samples)
    (alone, together) = (model.varied(r.inputs, r.chance).media for r in (rows[1], again[1]))
    assert alone.keys() == together.keys()
    assert all(a is b or torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in [
        (alone[m], together[m]) for m in alone if m != "text"
    ])  # fmt: skip


def test_a_stage_teaches_labels_or_explanations(tmp_path):
    dataset = load_dataset("merr", merr(tmp_path)[0])
    model = TrainableEmotionLlama(labels=dataset.labels)
    (utterance,) = [u for u in dataset.utterances() if u.id == "sample_00000023-fine"]
    media = conform(Batch.of([dataset.load(utterance)]), sample_rate=16_000, frame_size=None)
    (inputs,) = model.prepare(media, [utterance])
    assert model._target(inputs) == "angry"
    model.begin(Stage(epochs=1, learning_rate=1.0, answer="explanation"))
    assert model._target(inputs) == "The brows are drawn. Therefore the emotion is angry"


def test_explanations_that_nobody_wrote(samples):
    model = trainable()
    model.begin(Stage(epochs=1, learning_rate=1.0, answer="explanation"))
    with pytest.raises(MerbenchError, match='answer = "label"'):
        model.loss(rows_of(model, samples))


def test_pretrained_parts_are_not_trained():
    with pytest.raises(MerbenchError, match="encoders = false"):
        trainable(hubert="somewhere")


def test_a_part_that_the_size_does_not_have():
    with pytest.raises(MerbenchError, match="size 'small' has no face_encoder"):
        _ = TrainableEmotionLlama(labels=LABELS, size="small", facemae="somewhere").config


@pytest.mark.slow
def test_coarse_to_fine_on_merr(tmp_path):
    recipe = load_recipe("merr")
    recipe = dataclasses.replace(
        recipe,
        model=dataclasses.replace(recipe.model, options={"size": "tiny"}),
        data=dataclasses.replace(recipe.data, validation=(0.2,), keep=True),
        stages=tuple(dataclasses.replace(s, epochs=2, learning_rate=1e-3) for s in recipe.stages),
        training=dataclasses.replace(recipe.training, accumulation=1),
    )
    result = train(plan_training(recipe, root=merr(tmp_path)[0]), tmp_path / "out", device="cpu")
    losses = {e["stage"]: [] for e in result["epochs"]}
    for epoch in result["epochs"]:
        losses[epoch["stage"]].append(epoch["loss"])
    assert all(later < first for first, later in losses.values())


@pytest.mark.slow
def test_it_goes_on_to_the_same_bytes(tmp_path, monkeypatch):
    """With all that is random in it: dropout, LoRA's too, missing modalities, moved pictures and noise."""
    recipe = tmp_path / "micro.toml"
    recipe.write_text(MICRO + "[training]\nbatch_size = 6\nsave_steps = 1\n", encoding="utf-8")
    job = plan_training(load_recipe(str(recipe)).with_(dataset=DATA))
    whole = train(job, tmp_path / "whole", device="cpu")
    writes, save = iter(range(100)), Checkpoints.save

    def dying(self, state):
        save(self, state)
        if next(writes) == 0:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Checkpoints, "save", dying)
        train(job, tmp_path / "killed", device="cpu")
    resumed = train(job, tmp_path / "killed", device="cpu")
    assert resumed["losses"] == whole["losses"]
    for name in ("model.safetensors", "checkpoint.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.fixture
def pretrained(tmp_path):
    """A configuration file whose parts are 'pretrained': tiny, but saved and named as those of `small`."""
    config = load_config("tiny")
    network = EmotionLlama(config)
    language = LlamaForCausalLM(LlamaConfig(**config.llama_model.settings))
    parts = {"audio_encoder": network.audio_encoder, "visual_encoder": network.face_encoder}
    for name, part in {**parts, "llama_model": language}.items():
        part.save_pretrained(tmp_path / name)
    settings = {"audio_encoder": config.audio_encoder, "llama_model": config.llama_model}
    scene = 'kind = "vit-mae"\nframes = 1\nmean = [0.5, 0.5, 0.5]\nstd = [0.25, 0.25, 0.25]\n'
    text = 'prompt = "short"\nlayout = "split"\ntext_characters = 320\nanswer_tokens = 4\n'
    text += '[lora]\nr = 8\nalpha = 16\ndropout = 0.05\ntargets = ["q_proj", "v_proj"]\n'
    for name, part in {**settings, "visual_encoder": config.face_encoder}.items():
        extra = scene if name == "visual_encoder" else ""
        extra += 'tokenizer = "tiny_tokenizer.json"\n' if name == "llama_model" else ""
        body = "\n".join(f"{key} = {json.dumps(value)}" for key, value in part.settings.items())
        text += f"[{name}]\nsource = {json.dumps(str(tmp_path / name))}\n{extra}[{name}.settings]\n{body}\n"
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.slow
def test_lora_on_frozen_parts_in_bfloat16(pretrained, tmp_path, merbench):
    """What the recipe `small` does, in small: and the checkpoint holds only what learned."""
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f'extends = "small"\n[model]\nsize = "{pretrained}"\n', encoding="utf-8")
    micro = load_recipe(str(recipe)).with_(dataset=DATA)
    micro = dataclasses.replace(micro, stages=tuple(dataclasses.replace(s, epochs=2) for s in micro.stages))
    result = train(plan_training(micro), tmp_path / "out", device="cpu")
    held = load_file(tmp_path / "out" / "model.safetensors")
    assert not {name for name in held if "encoder" in name or (".layers." in name and "lora_" not in name)}
    lora = [name for name in held if "lora_B" in name]
    assert lora and any(bool(held[name].any()) for name in lora)  # they begin as zeros
    scored = merbench(
        "eval", "--model", tmp_path / "out", "--dataset", DATA, "--split", "test", "--severity", 1,
        "--corruption", "text/typo", "--out", tmp_path / "run", "--precision", "bfloat16", "--json",
    )  # fmt: skip
    assert scored.code == 0, scored.err
    clean, *_ = json.loads(scored.out)["metrics"]["cells"]
    accuracy = clean["metrics"]["accuracy"]
    assert accuracy == pytest.approx(result["scores"]["test"]["accuracy"], abs=0.17)  # one of six may turn
