"""The recovery of missing modalities as something to train; Emotion-LLaMA itself stays as it is."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import torch

from merbench.errors import MerbenchError
from merbench.files import atomic
from merbench.models import Wants
from merbench.models._emotion_llama import checkpoint, recovery_files
from merbench.models._emotion_llama.absent import RecoveredAbsent
from merbench.models._emotion_llama.config import SAMPLE_RATE
from merbench.models._emotion_llama.recovery import TASKS, Design, Recovery
from merbench.options import option
from merbench.rng import Stream
from merbench.training._trainable import Trainable
from merbench.training.emotion_llama import trained_network
from merbench.types import MODALITIES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt
    from torch import Tensor

    from merbench.models.emollama import Emollama
    from merbench.training._trainable import Row
    from merbench.types import Batch, Modality, Utterance

_GIVEN = tuple(dict.fromkeys(task.given for task in TASKS))  # every way of lacking something


class Inputs(NamedTuple):
    """What is kept of one utterance.

    `encodings` are what the frozen encoders say, `tokens` the same in the language model's space, flat, and
    `given` the modalities that are left to the row when it is validated on.
    """

    encodings: dict[Modality, npt.NDArray[np.float32]]
    tokens: dict[Modality, Tensor]
    given: tuple[Modality, ...]


@dataclass(eq=False)
class TrainableRecovery(Trainable):
    """A recovery model for one trained Emotion-LLaMA."""

    base: str = option("emollama-base", "the network: what --model takes, with a checkpoint folder behind it")
    components: int = option(24, "principal components of each modality that are recovered")
    width: int = option(128, "of the denoiser")
    blocks: int = option(2, "residual blocks of the denoiser")

    wants: ClassVar[Wants] = Wants(sample_rate=SAMPLE_RATE)

    def __post_init__(self) -> None:
        self._encoding = threading.Lock()

    @cached_property
    def network(self) -> Recovery:
        """The recovery model."""
        design = Design(components=self.components, width=self.width, blocks=self.blocks)
        return Recovery(recovery_files.sizes(self._base.config), design)

    def prepare(self, batch: Batch, utterances: Sequence[Utterance]) -> list[Inputs]:
        """Return what the frozen network makes of each row.

        Raises:
            MerbenchError: a row lacks a modality.
        """
        for modality in MODALITIES:
            if not batch.present(modality).all():
                row = utterances[int(np.flatnonzero(~batch.present(modality))[0])]
                raise MerbenchError(
                    f"recovery is learned from complete utterances, and '{row.id}' has no {modality}",
                    fix="train on a dataset with sound, pictures and text",
                )
        with self._encoding, torch.no_grad():
            encodings = {m: self._base.encode(m, batch.only(m)) for m in MODALITIES}
            everywhere = {m: torch.ones(len(batch), dtype=torch.bool) for m in MODALITIES}
            tensors = {m: torch.from_numpy(encoded) for m, encoded in encodings.items()}
            tokens = self._base.network.tokens(tensors, everywhere)
        return [
            Inputs(
                {m: encoded[i] for m, encoded in encodings.items()},
                {m: token[i].flatten().float().cpu() for m, token in tokens.items()},
                Stream.of("recovery", "validation", utterance.id).choice(_GIVEN),
            )
            for i, utterance in enumerate(utterances)
        ]

    def survey(self, inputs: Callable[[], Sequence[Inputs]]) -> None:
        """Take the latent spaces from the training utterances."""
        self.network.survey(self._tokens(inputs()))

    def loss(self, rows: Sequence[Row]) -> Tensor:
        """Return the denoiser's loss; every row counts with everything that can be asked of it."""
        latents = self.network.encode(self._tokens([row.inputs for row in rows]))
        angles = torch.from_numpy(np.stack([row.chance.uniform(len(TASKS)) for row in rows])) * (math.pi / 2)
        noise = np.stack([row.chance.normal(len(TASKS) * self.components) for row in rows])
        return self.network.loss(
            latents.repeat_interleave(len(TASKS), dim=0),
            TASKS * len(rows),
            angles.flatten().to(latents),
            torch.from_numpy(noise).view(-1, self.components).to(latents),
        )

    def logits(self, inputs: Sequence[Inputs]) -> Tensor:
        """Return the frozen network's logits [N, C] of rows, each of which lacks one or two modalities."""
        self._base.stand_in = RecoveredAbsent(self.network, self._base.network.absent)
        answers: Any = self._base.fuse(
            {m: np.stack([row.encodings[m] for row in inputs]) for m in MODALITIES},
            {m: np.array([m in row.given for row in inputs]) for m in MODALITIES},
        )
        places = [self._base.labels.index(label) for label in self.labels]
        return torch.from_numpy(answers[:, places])

    def save(self, folder: Path, record: Mapping[str, Any]) -> None:
        """Write the network's checkpoint folder again, with the recovery model in it."""
        for path in checkpoint.files(self._base.checkpoint_folder):
            with atomic(folder / path.name) as handle:
                handle.write(path.read_bytes())
        recovery_files.save(folder, self.network, record)

    @cached_property
    def _base(self) -> Emollama:
        base = trained_network(self.base, "base")
        unknown = sorted(set(self.labels) - set(base.labels))
        if unknown:
            raise MerbenchError(
                f"'{self.base}' does not know the label '{unknown[0]}' of the dataset",
                fix="train on a dataset with its labels",
            )
        return base

    def _tokens(self, inputs: Sequence[Inputs]) -> dict[Modality, Tensor]:
        device = next(self.network.parameters()).device
        return {m: torch.stack([row.tokens[m] for row in inputs]).to(device) for m in MODALITIES}
