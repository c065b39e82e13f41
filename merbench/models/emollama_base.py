"""The shipped Emotion-LLaMA: size tiny, trained on the synthetic set by a committed recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from merbench.models.emollama import Emollama
from merbench.options import resource


@dataclass(eq=False)
class EmollamaBase(Emollama):
    """A tiny Emotion-LLaMA trained on the synthetic set; see its MODEL_CARD.md."""

    folder: Path | None = resource("a checkpoint folder instead of the shipped one", env="emollama-base")

    shipped: ClassVar[Path | None] = Path(__file__).parent / "_emotion_llama" / "base"
