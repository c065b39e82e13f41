"""A few small utterances for models: every modality, and every way of lacking some."""

from __future__ import annotations

import numpy as np

from merbench.rng import Stream
from merbench.types import Batch, Sample, Utterance

TEXTS = (
    "I am so happy today!",
    "this is terrible",
    "we walk home",
    "no",
    "",
    "naïve café 🙂",
    "why?",
    "fine then",
)


def samples(
    n: int = 8, *, sample_rate: int = 16_000, frame_size: int = 224, frames: int = 16
) -> list[Sample]:
    """Return utterances of different lengths with noise for sound and pictures."""
    made = []
    for i in range(n):
        rng = Stream.of("tests/models", str(i))
        length = sample_rate // 2 + 1000 * i
        pixels = rng.integers(frames * 3, 0, 256).astype(np.uint8).reshape(frames, 1, 1, 3)
        made.append(
            Sample(
                utterance=Utterance(id=f"u{i}", label="happy", split="test"),
                audio=np.rint(rng.normal(length) * 3000).astype(np.int16),
                sample_rate=sample_rate,
                frames=np.broadcast_to(pixels, (frames, frame_size, frame_size, 3)).copy(),
                timestamps=np.arange(frames) / 8,
                text=TEXTS[i % len(TEXTS)],
            )
        )
    return made


def batch(n: int = 8, **media: int) -> Batch:
    return Batch.of(samples(n, **media))


def without(full: Batch, *gone: str) -> Batch:
    """Return the batch with some modalities absent in every row."""
    return full.only(*(m for m in ("audio", "vision", "text") if m not in gone))
