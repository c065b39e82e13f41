"""The shipped Emotion-LLaMA hardened by the recipe fgsm: `emollama-base`, trained further."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from merbench.models.emollama import Emollama
from merbench.options import resource


@dataclass(eq=False)
class EmollamaFgsm(Emollama):
    """`emollama-base`, hardened with attacks of one step; see its MODEL_CARD.md."""

    folder: Path | None = resource("a checkpoint folder instead of the shipped one", env="emollama-fgsm")

    shipped: ClassVar[Path | None] = Path(__file__).parent / "_emotion_llama" / "fgsm"
