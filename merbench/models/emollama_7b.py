"""The Emotion-LLaMA that its authors released, run from media; see docs/emotion_llama_7b.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path  # noqa: TC003 - options are read from resolved annotations
from typing import TYPE_CHECKING

from merbench.errors import MerbenchError
from merbench.models._adapter import TrainingRecord
from merbench.models._emotion_llama.config import SOURCES, load_config, with_sources
from merbench.models._emotion_llama.prompt import load_prompt
from merbench.models.emollama import Emollama
from merbench.options import located, option, resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from merbench.models._emotion_llama.network import EmotionLlama


@dataclass(eq=False)
class Emollama7b(Emollama):
    """The released checkpoint with LLaMA-2-7b-chat and the four encoders that its authors name.

    It learned from clips of MER2023 (MERR), and FaceMAE and VideoMAE from all of MER2023-SEMI, so that any
    result on either is marked as contaminated.
    """

    folder: Path | None = field(default=None, init=False)  # there is a file instead
    checkpoint: Path | None = resource("the file that the authors released", env="checkpoint_best.pth")
    size: str = option("7b", "what it is made of: 7b, or a configuration file")

    trained_on = (TrainingRecord(dataset="merr"), TrainingRecord(dataset="mer2023"))
    batch_size = 4

    def __post_init__(self) -> None:
        file = located(self, "checkpoint")
        if file is None:
            raise MerbenchError(
                f"'{self.name}' needs the file that its authors released",
                fix=f"write {self.name}:checkpoint=FILE,...; docs/emotion_llama_7b.md says where to get it",
            )
        if self.absent not in ("learned", "zero"):
            raise MerbenchError(
                f"'{self.name}' has no recovery model", fix="write absent=zero, which is what its authors do"
            )
        self._released, self.checkpoint_folder = file, file.parent
        self._recovers = False
        given = {part: located(self, name) for part, name in SOURCES.items()}
        self.config = with_sources(load_config(self.size), given)
        self._prompt = load_prompt(self.prompt or self.config.prompt)
        self.labels = self._prompt.labels or load_prompt(self.config.prompt).labels

    def _files(self) -> Iterator[Path]:
        from merbench.models._emotion_llama import pretrained

        yield self._released
        yield from pretrained.files(self.config)

    @cached_property
    def network(self) -> EmotionLlama:
        """The network, put together from the released file and the parts."""
        import torch

        from merbench.models._emotion_llama.assemble import assemble

        dtype = getattr(torch, self.precision)
        return assemble(self.config, self._released, dtype=dtype, device=self.device)
