"""Small models with a known weakness, as a user would hand them in: ``tests/attacks/adapters.py:Linear``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from merbench.hashing import hash_text
from merbench.models import Adapter, Differentiable, TensorMedia, Wants

RATE = 8000
LABELS = ("calm", "glad")
PATTERN = np.where(np.arange(RATE) // 4 % 2, 1.0, -1.0)
"""A square wave of 1 kHz: who adds it to a sound makes it ``glad``."""


def tensors(batch) -> TensorMedia:
    def rows(packed):
        return tuple(None if row is None else torch.from_numpy(row.astype(np.float32)) for row in packed)

    return TensorMedia(
        audio=rows(batch.audio),
        sample_rates=batch.sample_rates,
        frames=rows(batch.frames),
        timestamps=batch.timestamps,
        text=batch.text,
    )


@dataclass
class Linear(Adapter, Differentiable):
    """Adds up how much a sound is like `PATTERN`, how bright a picture is, and how many vowels a text has.

    The evidence is linear in every value, so that the best attack within a ball is known in closed form.
    """

    labels: tuple[str, ...] = LABELS
    wants = Wants(sample_rate=RATE)

    def differentiable(self, media):
        return torch.stack([torch.stack([-s, s]) for s in map(self.evidence, *self.rows(media))])

    def rows(self, media):
        return media.audio, media.frames, media.text

    def evidence(self, wave, clip, text):
        total = torch.zeros((), dtype=torch.float32)
        if wave is not None:
            total = total + (wave * torch.from_numpy(PATTERN[: len(wave)]).float()).mean() / 100
        if clip is not None:
            total = total + (clip.mean() - 128) / 4
        if text is not None:
            total = total + (sum(c in "aeiou" for c in text) - 6) / 4
        return total

    def predict(self, batch):
        with torch.no_grad():
            return self.differentiable(tensors(batch)).numpy()

    def fingerprint(self):
        return hash_text(type(self).__name__)


class Ears(Linear):
    """Reads sounds alone."""

    uses = ("audio",)


class Eyes(Linear):
    """Reads pictures alone."""

    uses = ("vision",)


class Steps(Linear):
    """Rounds what it hears and sees to coarse steps: the gradient is zero wherever there is one at all."""

    def evidence(self, wave, clip, text):
        heard = None if wave is None else (wave / 100).round() * 100
        seen = None if clip is None else (clip / 16).round() * 16
        return super().evidence(heard, seen, text)


class Moody(Linear):
    """Listens through noise of its own, another one every time: no single look shows where it gives way."""

    uses = ("audio",)

    def __init__(self):
        self.generator = torch.Generator().manual_seed(1)

    def evidence(self, wave, clip, text):
        heard = wave * (1 + 3 * torch.randn(len(wave), generator=self.generator))
        return super().evidence(heard, clip, text)


class TwoFaced(Linear):
    """Answers one thing to whoever asks, and another to whoever wants a gradient."""

    def predict(self, batch):
        return -super().predict(batch)


class Closed(Adapter):
    """The linear model without a way in."""

    labels = LABELS
    wants = Wants(sample_rate=RATE)

    def predict(self, batch):
        return Linear().predict(batch)

    def fingerprint(self):
        return hash_text("closed")
