"""What stands in the place of a modality that a row does not have.

All strategies work in the language model's space, behind the projections. These are affine, so that the mean
of projected encodings is the projection of the mean encoding. Of a missing text all that is put in its place
is one embedding, where the learned one stands as well: words cannot be told from a voice or a face, but what
they amount to may be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from merbench.models._emotion_llama import recovery_files
from merbench.models._emotion_llama.recovery import EXPECTED, STEPS
from merbench.types import MODALITIES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from merbench.models._emotion_llama.config import Config, StandIn
    from merbench.models._emotion_llama.network import EmotionLlama
    from merbench.models._emotion_llama.recovery import Recovery
    from merbench.types import Modality


class Absent(Protocol):
    """A strategy for missing modalities."""

    def __call__(
        self, modality: Modality, tokens: Mapping[Modality, Tensor], present: Mapping[Modality, Tensor]
    ) -> Tensor:
        """Return what the language model reads instead of `modality`, [N, T, D] or [1, T, D].

        Args:
            modality: the one to stand in for; only rows that lack it take the answer.
            tokens: every modality's tokens in the language model's space [N, T, D]: audio 1, vision
                `Config.vision_tokens` (patches, face, video, class), text 1 (the mean of its words).
                Rows that lack a modality hold zeros and must not be read.
            present: which rows have each modality, bool [N].
        """
        ...


class LearnedAbsent(nn.Module):
    """One learned embedding per kind of token: what a network trained with modality dropout expects."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.hidden_size
        patches = 0 if config.visual_encoder is None else config.visual_encoder.tokens
        kinds = config.vision_tokens - patches + bool(patches)
        self._repeats = [patches] * bool(patches) + [1] * (config.vision_tokens - patches)
        self.audio = nn.Parameter(torch.randn(1, width) * 0.02)
        self.vision = nn.Parameter(torch.randn(kinds, width) * 0.02)
        self.text = nn.Parameter(torch.randn(1, width) * 0.02)

    def forward(
        self, modality: Modality, tokens: Mapping[Modality, Tensor], present: Mapping[Modality, Tensor]
    ) -> Tensor:
        """Return the learned tokens [1, T, D]; all patches share one."""
        if modality == "audio":
            return self.audio[None]
        if modality == "text":
            return self.text[None]
        repeats = torch.tensor(self._repeats, device=self.vision.device)
        return self.vision.repeat_interleave(repeats, dim=0)[None]


class ZeroAbsent:
    """Encodings of zeros, of which projections make their biases, and an embedding of zeros for text."""

    def __init__(self, network: EmotionLlama) -> None:
        config, scene = network.config, network.config.visual_encoder
        names = ["llama_proj"] * (scene.tokens if scene else 0)
        names += ["feats_llama_proj1"] * bool(config.face_encoder)
        names += ["feats_llama_proj2"] * bool(config.video_encoder)
        names += ["cls_tk_llama_proj"] * bool(scene)
        self._tokens: dict[Modality, Tensor] = {
            "audio": network.feats_llama_proj3.bias[None],
            "vision": torch.stack([getattr(network, name).bias for name in names]),
            "text": torch.zeros_like(network.absent.text),
        }

    def __call__(
        self, modality: Modality, tokens: Mapping[Modality, Tensor], present: Mapping[Modality, Tensor]
    ) -> Tensor:
        """Return the same tokens [1, T, D] for every row."""
        return self._tokens[modality][None]


class MeanAbsent:
    """The mean over the utterances that a recovery model was trained on."""

    def __init__(self, recovery: Recovery) -> None:
        self._recovery = recovery

    def __call__(
        self, modality: Modality, tokens: Mapping[Modality, Tensor], present: Mapping[Modality, Tensor]
    ) -> Tensor:
        """Return the same tokens [1, T, D] for every row."""
        return self._recovery.mean(modality).view(1, *tokens[modality].shape[1:])


class RecoveredAbsent:
    """What a recovery model makes of the row's other modalities, in so many denoising steps.

    A row that has none is left to `otherwise`: there is nothing to recover it from.
    """

    def __init__(self, recovery: Recovery, otherwise: Absent, *, steps: int = STEPS) -> None:
        self._recovery = recovery
        self._otherwise = otherwise
        self._steps = steps

    def __call__(
        self, modality: Modality, tokens: Mapping[Modality, Tensor], present: Mapping[Modality, Tensor]
    ) -> Tensor:
        """Return tokens [N, T, D]; rows that have the modality get what `otherwise` says."""
        like = tokens[modality]
        answer = self._otherwise(modality, tokens, present).to(like.dtype).expand_as(like).clone()
        there = torch.stack([present[m] for m in MODALITIES], dim=1)
        rows = ~present[modality] & there.any(dim=1)
        if bool(rows.any()):
            known = {m: tokens[m][rows].flatten(1).float() for m in MODALITIES}
            found = self._recovery.recover(modality, known, there[rows], steps=self._steps)
            answer[rows] = found.view(-1, *like.shape[1:]).to(like.dtype)
        return answer


def make_absent(strategy: StandIn, network: EmotionLlama, folder: Path) -> Absent:
    """Return a strategy for `network`, whose checkpoint lies in `folder`.

    Raises:
        MerbenchError: the strategy needs a recovery model, and the folder has none for these weights.
    """
    if strategy == "learned":
        return network.absent
    if strategy == "zero":
        return ZeroAbsent(network)
    recovery = recovery_files.load(folder, network.config).to(network.device).eval()
    if strategy == "mean":
        return MeanAbsent(recovery)
    steps = EXPECTED if strategy == "expected" else STEPS
    return RecoveredAbsent(recovery, network.absent, steps=steps)
