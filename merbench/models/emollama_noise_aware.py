"""The shipped Emotion-LLaMA hardened by the recipe noise-aware: `emollama-base`, trained further."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from merbench.models.emollama import Emollama
from merbench.options import resource


@dataclass(eq=False)
class EmollamaNoiseAware(Emollama):
    """`emollama-base`, hardened with noise and attacks that its encoders confuse; see its MODEL_CARD.md."""

    folder: Path | None = resource(
        "a checkpoint folder instead of the shipped one", env="emollama-noise-aware"
    )

    shipped: ClassVar[Path | None] = Path(__file__).parent / "_emotion_llama" / "noise_aware"
