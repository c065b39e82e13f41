"""The way from canonical media to what an adapter wants, in torch, is the one of `conform`."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from merbench.media import conform, resample, tensors
from merbench.rng import Stream


@pytest.mark.parametrize(("source", "target"), [(16_000, 8_000), (8_000, 16_000), (44_100, 16_000)])
@pytest.mark.parametrize("length", [50, 4_001])
def test_a_sound_is_resampled_by_the_same_filter(source, target, length):
    wave = np.rint(Stream.of("wave").normal(length) * 3000)
    leaf = torch.from_numpy(wave).requires_grad_()
    found = tensors.resample(leaf, source, target)
    assert np.allclose(found.detach().numpy(), resample.resample(wave, source, target), atol=1e-6)
    assert torch.autograd.grad(found.square().sum(), leaf)[0].any()


def test_pictures_are_resized_as_pillow_does_but_for_its_rounding():
    clip = Stream.of("clip").integers(2 * 40 * 40 * 3, 0, 256).astype(np.uint8).reshape(2, 40, 40, 3)
    for size in (16, 64):
        found = tensors.resize_clip(torch.from_numpy(clip).float(), size).numpy()
        assert np.abs(found - conform.resize_clip(clip, size)).max() <= 1.0
