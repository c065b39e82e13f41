"""`conform` in torch, so that a gradient passes: the same filters, without rounding to whole levels."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from merbench.media.resample import filter_bank, resampled_length

if TYPE_CHECKING:
    from torch import Tensor


def resample(wave: Tensor, source: int, target: int) -> Tensor:
    """Return a sound [T] at `target` Hz: `merbench.media.resample.resample` in torch."""
    if source == target:
        return wave
    common = gcd(source, target)
    up, down = target // common, source // common
    periods, matrices = filter_bank(up, down)
    length = resampled_length(len(wave), source, target)
    passes = max(1, -(-length // (periods * up)))
    hop = periods * down
    lead = -min(begin for begin, _ in matrices)
    end = max((passes - 1) * hop + begin + len(matrix) for begin, matrix in matrices)
    padded = F.pad(wave, (lead, max(0, end - len(wave))))
    columns = [
        padded[lead + begin :].unfold(0, len(matrix), hop)[:passes] @ torch.from_numpy(matrix).to(wave)
        for begin, matrix in matrices
    ]
    return torch.cat(columns, dim=1).reshape(-1)[:length]


def resize_clip(clip: Tensor, size: int) -> Tensor:
    """Return frames [F, size, size, 3] by the antialiased bilinear filter that Pillow has."""
    if clip.shape[1:3] == (size, size):
        return clip
    pictures = clip.permute(0, 3, 1, 2)
    resized = F.interpolate(pictures, size=(size, size), mode="bilinear", antialias=True)
    return resized.permute(0, 2, 3, 1)
