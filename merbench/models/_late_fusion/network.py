"""The network: one encoder per modality, whose evidence is added up.

Given the emotion, modalities err independently, so that log-odds add (a naive Bayes of experts).
Each encoder ends in evidence per class, a missing modality adds nothing, and with none left the answer
is the prior.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from merbench.models._late_fusion.features import BUCKETS, MELS, SIDE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from merbench.types import Modality


class AudioEncoder(nn.Module):
    """Convolutions over log-mel frames; mean, spread and maximum over time."""

    def __init__(self, classes: int, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                nn.Conv1d(MELS + 1, width, 5, stride=2, padding=2),
                nn.Conv1d(width, width, 5, stride=2, padding=2),
                nn.Conv1d(width, width, 5, stride=2, padding=2),
            ]
        )
        self.dropout = nn.Dropout(0.3)
        self.hidden = nn.Linear(3 * width, width)
        self.head = nn.Linear(width, classes)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Return evidence [N, C] from padded frames [N, T, MELS] and their lengths [N]."""
        steps = torch.arange(frames.shape[1])
        place = steps[None, :] / lengths[:, None]  # where in the utterance: a final rise is not an accent
        x = torch.cat([frames, place[:, :, None].to(frames.dtype)], dim=2).transpose(1, 2)
        inside = (steps[None, :] < lengths[:, None])[:, None, :]
        x = x * inside
        for layer in self.layers:
            lengths = (lengths + 1) // 2
            x = F.relu(layer(x))
            inside = (torch.arange(x.shape[2])[None, :] < lengths[:, None])[:, None, :]
            x = x * inside  # padding stays zero, as it is beyond the edge of an unpadded row
        count = lengths[:, None].to(x.dtype)
        mean = x.sum(dim=2) / count
        spread = ((x - mean[:, :, None]).square() * inside).sum(dim=2) / count
        pooled = torch.cat([mean, (spread + 1e-6).sqrt(), x.amax(dim=2)], dim=1)
        evidence: Tensor = self.head(F.relu(self.hidden(self.dropout(pooled))))
        return evidence


class VisionEncoder(nn.Module):
    """Convolutions over each picture; mean and maximum over pictures."""

    def __init__(self, classes: int, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, stride=2, padding=1),
            nn.ReLU(),
        )
        self.dropout = nn.Dropout(0.3)
        self.hidden = nn.Linear(32 * (SIDE // 8) ** 2, width)
        self.head = nn.Linear(2 * width, classes)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return evidence [N, C] from pictures [N, K, SIDE, SIDE]."""
        n, k = pictures.shape[:2]
        x = self.layers(pictures.reshape(n * k, 1, SIDE, SIDE)).flatten(1)
        x = F.relu(self.hidden(self.dropout(x))).reshape(n, k, -1)
        evidence: Tensor = self.head(torch.cat([x.mean(dim=1), x.amax(dim=1)], dim=1))
        return evidence


class TextEncoder(nn.Module):
    """Words spelled by hashed n-grams, convolutions over words; maximum over the sentence."""

    def __init__(self, classes: int, width: int = 48) -> None:
        super().__init__()
        self.spelling = nn.EmbeddingBag(BUCKETS, width, mode="mean")
        nn.init.normal_(self.spelling.weight, std=0.1)
        self.layers = nn.ModuleList(
            [nn.Conv1d(width, width, 5, padding=2), nn.Conv1d(width, width, 5, padding=2)]
        )
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(width, classes)

    def forward(self, grams: Tensor, offsets: Tensor, lengths: Tensor) -> Tensor:
        """Return evidence [N, C].

        Args:
            grams: buckets of all words' n-grams, end to end.
            offsets: where each word begins in `grams` [W].
            lengths: how many words each of the N texts has, in order [N].
        """
        inside = torch.arange(int(lengths.max()))[None, :] < lengths[:, None]
        x = torch.zeros(*inside.shape, self.spelling.embedding_dim)
        x[inside] = self.spelling(grams, offsets)
        x = self.dropout(x).transpose(1, 2)
        for layer in self.layers:
            x = (x + F.relu(layer(x))) * inside[:, None, :]
        pooled = x.masked_fill(~inside[:, None, :], -torch.inf).amax(dim=2)
        evidence: Tensor = self.head(self.dropout(pooled))
        return evidence


class LateFusionNetwork(nn.Module):
    """Three encoders and the log of how often each class is seen."""

    prior: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.audio = AudioEncoder(classes)
        self.vision = VisionEncoder(classes)
        self.text = TextEncoder(classes)
        self.register_buffer("prior", torch.zeros(classes))

    def encode(self, modality: Modality, rows: Sequence[Any]) -> Tensor:
        """Return the evidence [N, C] of one modality from what `features.READERS` made of each row."""
        if modality == "audio":
            evidence: Tensor = self.audio(*_pack_audio(rows))
        elif modality == "vision":
            evidence = self.vision(torch.from_numpy(np.stack(rows)))
        else:
            evidence = self.text(*_pack_text(rows))
        return evidence


def _pack_audio(rows: Sequence[npt.NDArray[np.float32]]) -> tuple[Tensor, Tensor]:
    """Pad log-mel rows to the longest; return frames [N, T, MELS] and lengths [N]."""
    lengths = torch.tensor([len(row) for row in rows])
    padded = torch.zeros(len(rows), int(lengths.max()), MELS)
    for i, row in enumerate(rows):
        padded[i, : len(row)] = torch.from_numpy(row)
    return padded, lengths


def _pack_text(rows: Sequence[list[tuple[int, ...]]]) -> tuple[Tensor, Tensor, Tensor]:
    """Lay words end to end; return n-grams, offsets and lengths as `TextEncoder` wants them."""
    sizes = [len(word) for row in rows for word in row]
    grams = torch.tensor([gram for row in rows for word in row for gram in word])
    offsets = torch.tensor([0, *sizes[:-1]]).cumsum(0)
    return grams, offsets, torch.tensor([len(row) for row in rows])
