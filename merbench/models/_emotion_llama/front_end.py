"""From raw sound and pixels to what encoders read; all in torch, so that a gradient reaches the raw input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Sequence

    from merbench.models._emotion_llama.config import PictureEncoder


def waves(rows: Sequence[Tensor], shortest: int) -> tuple[Tensor, Tensor]:
    """Return sounds [N, T] at zero mean and unit variance, and which samples are real [N, T].

    Each row is standardised by itself, as the feature extractors of HuBERT do; rows shorter than
    `shortest`, the encoder's field of view, count the silence that fills them up as real.
    """
    standard = []
    for row in rows:
        filled = F.pad(row, (0, max(0, shortest - row.shape[0])))
        standard.append((filled - filled.mean()) / (filled.var(unbiased=False) + 1e-7).sqrt())
    lengths = torch.tensor([len(row) for row in standard], device=standard[0].device)
    padded = torch.nn.utils.rnn.pad_sequence(standard, batch_first=True)
    return padded, torch.arange(padded.shape[1], device=padded.device)[None, :] < lengths[:, None]


def pictures(clip: Tensor, encoder: PictureEncoder) -> Tensor:
    """Return what `encoder` reads of a clip [F, H, W, 3] in 0..255: pictures [K, 3, S, S].

    One picture is the first frame, as in the paper; several are spread evenly over the clip. Bicubic with
    anti-aliasing and without keeping the aspect, which is what Pillow's resize does in the paper's code,
    short of rounding to whole levels.
    """
    chosen = clip[_spread(len(clip), encoder.frames)].permute(0, 3, 1, 2).float()
    if chosen.shape[-2:] != (encoder.size, encoder.size):
        side = (encoder.size, encoder.size)
        chosen = F.interpolate(chosen, size=side, mode="bicubic", antialias=True).clamp(0, 255)
    mean, std = (chosen.new_tensor(x)[:, None, None] for x in (encoder.mean, encoder.std))
    return (chosen / 255 - mean) / std


def _spread(there: int, wanted: int) -> list[int]:
    """Return `wanted` of `there` frames, the first always among them, repeated when there are too few."""
    return [k * there // wanted for k in range(wanted)]
