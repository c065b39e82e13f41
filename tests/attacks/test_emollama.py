"""Emotion-LLaMA's way from sounds and pixels to its answer can be followed back, and attacked."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from merbench.attacks._canvas import conformed, tensors
from merbench.models import Differentiable, Wants
from merbench.models._load import load_model
from tests.models.media import batch, without


@pytest.fixture(scope="module")
def emollama():
    return load_model("emollama-base")


@pytest.mark.parametrize("gone", [(), ("audio", "text"), ("vision",)], ids="+".join)
def test_the_differentiable_path_answers_as_predict_does(emollama, gone):
    media = without(batch(3, frames=4, frame_size=64), *gone)
    assert isinstance(emollama, Differentiable)
    with torch.no_grad():
        found = emollama.differentiable(
            conformed(tensors(media, "audio"), tensors(media, "vision"), media, emollama.wants)
        ).numpy()
    expected = np.asarray(emollama.predict(media))
    assert np.allclose(found, expected, atol=1e-4)
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()


def test_a_gradient_reaches_every_sound_and_picture_and_a_missing_one_is_no_obstacle(emollama):
    media = batch(3, frames=4, frame_size=64)
    media = media.replace(
        audio=media.audio.hide(np.array([False, True, False])),
        frames=media.frames.hide(np.array([False, False, True])),
    )
    sounds, clips = (
        [None if row is None else row.requires_grad_() for row in tensors(media, m)]
        for m in ("audio", "vision")
    )
    logits = emollama.differentiable(conformed(sounds, clips, media, Wants()))
    leaves = [row for row in (*sounds, *clips) if row is not None]
    assert all(bool(g.any()) for g in torch.autograd.grad(logits[:, 0].sum(), leaves))


@pytest.mark.slow
def test_it_is_attacked_from_end_to_end(merbench, tmp_path):
    done = merbench(
        *("eval", "--model", "emollama-base", "--limit", 4, "--frames", 2, "--frame-size", 64),
        *("--attack", "pgd:steps=3", "--severity", "5"),
        *("--corruption", "none", "--out", tmp_path / "run", "--json"),
    )
    assert done.code == 0, done.err
    result = json.loads(done.out)
    clean = next(c for c in result["metrics"]["cells"] if c["corruption"] == "clean")["metrics"]["accuracy"]
    [pgd] = result["metrics"]["corruptions"]
    assert clean > 0
    assert pgd["robustness"]["accuracy"]["noisy"] < clean
    assert result["attack_reliability"][0]["rows"] > 0
