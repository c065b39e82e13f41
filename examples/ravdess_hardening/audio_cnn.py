"""A small network that hears emotion in a voice, and how merbench trains, hardens and attacks it.

`AudioCnn` is what `merbench eval` scores and `TrainableAudioCnn` what `merbench train` follows a recipe with.
Both stand for any network of one's own: nothing here is known to merbench beforehand.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from merbench.errors import MerbenchError
from merbench.hashing import combine, hash_file
from merbench.models import Adapter, Differentiable, TrainingRecord, Wants
from merbench.options import option, resource
from merbench.training import Attackable, Outputs
from merbench.types import Batch, Packed

RATE = 16_000
WINDOW, HOP, MELS = 400, 160, 40  # 25 ms every 10 ms, the usual resolution for speech
WIDTH = 64  # one layer of them: two and three did no better on 97 clips
LONGEST_CUT = 4  # a step hears at least three quarters of a clip


def mel_filters() -> torch.Tensor:
    """Triangles [MELS, WINDOW // 2 + 1] that are evenly spaced on the mel scale (O'Shaughnessy 1987)."""
    edges = torch.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), MELS + 2)
    edges = 700 * (10 ** (edges / 2595) - 1)
    bins = torch.linspace(0, RATE / 2, WINDOW // 2 + 1)
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(rise, fall).clamp(min=0)


class Network(nn.Module):
    """Log-mel energies through a convolution; mean and deviation over time; a linear layer."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.register_buffer("filters", mel_filters(), persistent=False)
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)
        self.patterns = nn.Conv1d(MELS, WIDTH, 5, stride=2, padding=2)
        self.norm = nn.GroupNorm(1, WIDTH)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(2 * WIDTH, classes)

    def representation(self, sound: torch.Tensor) -> torch.Tensor:
        """Return what is heard [2 * WIDTH] in a sound [T] in PCM16 levels."""
        sound = F.pad(sound.to(self.window.device) / 32768, (0, max(0, WINDOW - len(sound))))
        spectrum = torch.stft(sound, WINDOW, HOP, window=self.window, return_complex=True)
        energy = torch.log(self.filters @ spectrum.abs().square() + 1e-4)
        energy = energy - energy.mean(dim=1, keepdim=True)  # a microphone's colour is not an emotion
        found = F.relu(self.norm(self.patterns(energy[None] / 2)))
        deviation = found.var(dim=2, unbiased=False).add(1e-5).sqrt()
        return torch.cat([found.mean(dim=2), deviation], dim=1)[0]

    def forward(self, sounds: list[torch.Tensor | None]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits [N, C] and representations [N, 2 * WIDTH], each row by itself; silence is zeros."""
        heard = [
            self.head.weight.new_zeros(2 * WIDTH) if sound is None else self.representation(sound)
            for sound in sounds
        ]
        found = torch.stack(heard)
        return self.head(self.dropout(found)), found


def load_record(folder: Path) -> dict:
    """Return what a checkpoint folder says about its network."""
    return json.loads((folder / "checkpoint.json").read_text(encoding="utf-8"))


def load(folder: Path, classes: int) -> Network:
    """Return the network of a checkpoint folder."""
    network = Network(classes)
    network.load_state_dict(load_file(folder / "model.safetensors"))
    return network.eval()


@dataclass(eq=False)
class AudioCnn(Adapter, Differentiable):
    """The network as merbench scores it."""

    folder: Path | None = resource("a checkpoint folder that merbench train wrote", env="audio-cnn")

    uses = ("audio",)
    wants = Wants(sample_rate=RATE)

    def __post_init__(self) -> None:
        if self.folder is None:
            raise MerbenchError("AudioCnn has no checkpoint", fix="train one, see this folder's README")
        record = load_record(self.folder)
        self.labels = tuple(record["labels"])
        self.trained_on = tuple(map(TrainingRecord.from_json, record["trained_on"]))

    @cached_property
    def network(self) -> Network:
        return load(self.folder, len(self.labels)).to(self.device)

    def predict(self, batch: Batch) -> np.ndarray:
        network = self.network  # made out here: what is made in inference mode never has a gradient
        sounds = [None if row is None else torch.tensor(row, dtype=torch.float32) for row in batch.audio]
        with torch.inference_mode():
            return network(sounds)[0].cpu().numpy()

    def differentiable(self, media) -> torch.Tensor:
        return self.network(list(media.audio))[0]

    def fingerprint(self) -> str:
        return combine(hash_file(self.folder / name) for name in ("model.safetensors", "checkpoint.json"))


@dataclass(eq=False)
class TrainableAudioCnn(Attackable):
    """The network as merbench trains it. A row's inputs are its sound, int16 [T]."""

    start: str | None = option(None, "the checkpoint folder to begin with")

    wants = Wants(sample_rate=RATE)
    representation_size = 2 * WIDTH

    @cached_property
    def network(self) -> Network:
        return Network(len(self.labels)) if self.start is None else load(Path(self.start), len(self.labels))

    def prepare(self, batch, utterances):
        return [torch.from_numpy(np.array(row)) for row in batch.audio]

    def varied(self, inputs, chance):
        """Hear a part of the clip, louder or softer: with 97 clips everything else is learned by heart."""
        longest = len(inputs) // LONGEST_CUT
        first, cut = sorted((chance.one_integer(0, 1 + longest), chance.one_integer(0, 1 + longest)))
        gain = 2 ** (2 * chance.one_uniform() - 1)
        heard = inputs[first : len(inputs) - (cut - first)].float() * gain
        return heard.round().clamp(-32768, 32767).to(torch.int16)

    def logits(self, inputs):
        return self.network([sound.float() for sound in inputs])[0]

    def outputs(self, rows):
        logits, found = self.network([row.inputs.float() for row in rows])
        truth = torch.tensor([row.label for row in rows], device=logits.device)
        return Outputs(F.cross_entropy(logits, truth, label_smoothing=0.1), logits, found)

    def loss(self, rows):
        return self.outputs(rows).loss

    def media(self, inputs):
        n = len(inputs)
        return Batch(
            audio=Packed.of([sound.numpy() for sound in inputs], np.int16),
            sample_rates=(RATE,) * n,
            frames=Packed.of([None] * n, np.uint8),
            timestamps=(None,) * n,
            text=(None,) * n,
        )

    def with_media(self, inputs, media):
        return list(media.audio)

    def save(self, folder, record):
        save_file(self.network.state_dict(), folder / "model.safetensors")
        here = os.path.relpath(__file__, folder.resolve())  # both may be moved together
        before = [] if self.start is None else load_record(Path(self.start))["trained_on"]
        record = {**record, "model": f"{here}:AudioCnn", "trained_on": [*before, *record["trained_on"]]}
        (folder / "checkpoint.json").write_text(json.dumps(record, indent=2), encoding="utf-8")
