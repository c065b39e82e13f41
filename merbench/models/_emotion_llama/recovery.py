"""Recovers the encoding of a missing modality from those that are there, by conditional diffusion.

The idea is the unimodal recovery of RoHyDR (Jin et al.: Robust Hybrid Diffusion Recovery for Incomplete
Multimodal Emotion Recognition, arXiv 2505.17501, 2025): a diffusion model turns noise into what the missing
encoder would have said, on condition of what the others say. Its second half, adversarial recovery of the
fused representation, is left out: here a frozen language model fuses.

Encodings are first reduced to their principal components of unit variance (`Latent`), so that one small
denoiser serves every modality and every size of encoder. It predicts the velocity of the variance-preserving
path z = cos(a) x + sin(a) noise with the angle a in [0, pi/2] (Ho et al. 2020 in the parametrisation of
Salimans & Ho 2022, which stays well-conditioned where nearly all is noise). Sampling is deterministic (DDIM,
Song et al. 2021) and starts from noise that depends on the seed and the modality alone: a row's answer is a
function of the row.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from merbench.errors import MerbenchError
from merbench.rng import Stream
from merbench.types import MODALITIES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from merbench.types import Modality

STEPS = 20
"""Denoising steps to one thing that a missing encoder may have said."""
EXPECTED = 1
"""A single step from pure noise leads to the mean of everything that it may have said."""

_OCTAVES = 4  # the denoiser sees the angle as sine and cosine at 1, 2, 4 and 8 times


class Task(NamedTuple):
    """What to recover, and from what."""

    target: Modality
    given: tuple[Modality, ...]


TASKS = tuple(
    Task(target, given)
    for target in MODALITIES
    for others in [tuple(m for m in MODALITIES if m != target)]
    for given in ((others[0],), (others[1],), others)
)
"""Everything that can be asked: each modality, from either of the other two or from both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A recovery network.

    `components` principal components of each modality are recovered, by a denoiser of `blocks` residual
    blocks of width `width`, from a starting point that `seed` chooses.
    """

    components: int = 24
    width: int = 128
    blocks: int = 2
    seed: int = 0


class Latent(nn.Module):
    """Principal components of unit variance, and back."""

    mean: Tensor
    basis: Tensor
    spread: Tensor

    def __init__(self, size: int, components: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("basis", torch.zeros(size, components))
        self.register_buffer("spread", torch.ones(components))

    def survey(self, encodings: Tensor) -> None:
        """Take mean, basis and spread from encodings [N, S].

        Raises:
            MerbenchError: they do not vary in as many directions as there are components.
        """
        count, components = len(encodings), self.basis.shape[1]
        centred = encodings.double() - encodings.double().mean(dim=0)
        _, spread, directions = torch.linalg.svd(centred, full_matrices=False)
        rank = int((spread > 1e-6 * spread[:1]).sum()) if len(spread) else 0
        if rank < components:
            raise MerbenchError(
                f"{count} utterances vary in {rank} directions, too few for {components} components",
                fix="train on more utterances, or lower 'components' in the recipe",
            )
        basis = directions[:components].T
        # Singular vectors have no sign of their own: the largest entry becomes positive.
        largest = basis.gather(0, basis.abs().argmax(dim=0, keepdim=True))
        self.mean.copy_(encodings.double().mean(dim=0))
        self.basis.copy_(basis * largest.sign())
        self.spread.copy_(spread[:components] / math.sqrt(count))

    def encode(self, encodings: Tensor) -> Tensor:
        """Return latents [N, K] of encodings [N, S]."""
        return (encodings - self.mean) @ self.basis / self.spread

    def decode(self, latents: Tensor) -> Tensor:
        """Return encodings [N, S] of latents [N, K]; what no component explains is as in the mean."""
        return self.mean + (latents * self.spread) @ self.basis.T


class Recovery(nn.Module):
    """A conditional diffusion over the latents of all modalities.

    Args:
        sizes: the length of each modality's encoding.
        design: how it is made.
    """

    def __init__(self, sizes: Mapping[Modality, int], design: Design) -> None:
        super().__init__()
        self.design = design
        self.latents = nn.ModuleDict({m: Latent(sizes[m], design.components) for m in MODALITIES})
        said = (design.components + 1) * len(MODALITIES)  # the latents that are there, and which they are
        inputs = design.components + said + len(MODALITIES) + 2 * _OCTAVES
        self.inlet = nn.Linear(inputs, design.width)
        self.blocks = nn.ModuleList(_Block(design.width) for _ in range(design.blocks))
        self.outlet = nn.Linear(design.width, design.components)

    def survey(self, encodings: Mapping[Modality, Tensor]) -> None:
        """Take the latent spaces from training encodings [N, S] of every modality."""
        for modality in MODALITIES:
            self._latent(modality).survey(encodings[modality])

    def mean(self, modality: Modality) -> Tensor:
        """Return the mean of the training encodings [S]."""
        return self._latent(modality).mean

    def encode(self, encodings: Mapping[Modality, Tensor]) -> Tensor:
        """Return latents [N, M, K] of encodings [N, S] of every modality."""
        return torch.stack([self._latent(m).encode(encodings[m]) for m in MODALITIES], dim=1)

    def loss(self, latents: Tensor, tasks: Sequence[Task], angles: Tensor, noise: Tensor) -> Tensor:
        """Return the mean squared error of the predicted velocities.

        Args:
            latents: of complete rows [N, M, K].
            tasks: what is asked of each row.
            angles: how noisy the target is, [N] in 0..pi/2.
            noise: standard normal [N, K].
        """
        places = torch.tensor([MODALITIES.index(task.target) for task in tasks], device=latents.device)
        target = latents[torch.arange(len(latents), device=latents.device), places]
        present = latents.new_tensor([[float(m in task.given) for m in MODALITIES] for task in tasks])
        cos, sin = angles.cos()[:, None], angles.sin()[:, None]
        predicted = self._velocity(cos * target + sin * noise, angles, places, latents, present)
        return F.mse_loss(predicted, cos * noise - sin * target)

    def recover(
        self, target: Modality, encodings: Mapping[Modality, Tensor], present: Tensor, *, steps: int = STEPS
    ) -> Tensor:
        """Return what `target`'s encoder would have said [N, S].

        Args:
            target: the modality to recover.
            encodings: [N, S] of every modality; rows that lack one are not read there.
            present: bool [N, M]; `target` counts as absent whatever it says.
            steps: of denoising: `STEPS`, or `EXPECTED`.
        """
        place = MODALITIES.index(target)
        given = present.clone()
        given[:, place] = False
        known = torch.where(given[:, :, None], self.encode(encodings), 0.0)
        flags, places = given.to(known.dtype), torch.full((len(known),), place, device=known.device)
        stream = Stream.of("recovery", str(self.design.seed), target)
        start = known.new_tensor(stream.normal(self.design.components))
        return self._latent(target).decode(self._sample(start, places, known, flags, steps))

    def _sample(self, start: Tensor, places: Tensor, known: Tensor, present: Tensor, steps: int) -> Tensor:
        """Walk from noise [K] to latents [N, K] in even steps of the angle."""
        z = start.expand(len(known), -1)
        angles = torch.linspace(math.pi / 2, 0, steps + 1).tolist()
        for angle, following in itertools.pairwise(angles):
            velocity = self._velocity(z, z.new_full((len(z),), angle), places, known, present)
            clean = math.cos(angle) * z - math.sin(angle) * velocity
            noise = math.sin(angle) * z + math.cos(angle) * velocity
            z = math.cos(following) * clean + math.sin(following) * noise
        return z

    def _velocity(
        self, noisy: Tensor, angles: Tensor, places: Tensor, latents: Tensor, present: Tensor
    ) -> Tensor:
        """Return velocities [N, K] of noisy latents [N, K] on condition of those that are present."""
        octaves = angles[:, None] * 2.0 ** torch.arange(_OCTAVES, device=angles.device)
        known = (latents * present[:, :, None]).flatten(1)
        asked = F.one_hot(places, len(MODALITIES)).to(noisy.dtype)
        x = self.inlet(torch.cat([noisy, known, present, asked, octaves.sin(), octaves.cos()], dim=1))
        for block in self.blocks:
            x = block(x)
        velocity: Tensor = self.outlet(x)
        return velocity

    def _latent(self, modality: Modality) -> Latent:
        latent = self.latents[modality]
        assert isinstance(latent, Latent)
        return latent


class _Block(nn.Module):
    """A residual block: normalise, widen, rectify smoothly, return."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Dropout(0.1), nn.Linear(width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = x + self.layers(x)
        return changed
