"""Noise behind a voice: what every background corruption shares, whatever bank its clips come from."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from corruptions.audio._additive import AdditiveNoise
from merbench.options import option

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from corruptions.audio._banks import Clip, NoiseBank
    from merbench.rng import Stream
    from merbench.types import Achieved, Params, Pool, Sample

    PCM16 = npt.NDArray[np.int16]

FADES_PER_SECOND = 20  # fades of 50 ms


@dataclass(frozen=True)
class BackgroundNoise(AdditiveNoise):
    """One noise clip under the whole recording, from a place drawn once and at the severity's SNR."""

    noise_class: str | None = option(None, "one class of the bank; none given: all", changes_draw=True)
    noise_folds: tuple[int, ...] = option(
        (10,), "folds to take noise from: 10 is kept for tests, 1 to 9 are for hardening", changes_draw=True
    )

    @property
    @abstractmethod
    def bank(self) -> NoiseBank:
        """Where the noise comes from."""

    @classmethod
    def material(cls, options: Mapping[str, Any]) -> frozenset[str]:
        """Return the folds that the noise comes from."""
        return frozenset(f"{cls.name} fold {fold}" for fold in options["noise_folds"])

    @cached_property
    def clips(self) -> tuple[Clip, ...]:
        """The clips that a draw may take."""
        return self.bank.select(self.noise_class, self.noise_folds)

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Choose a clip, and where in it to start as a share of the places there are."""
        return {"clip": rng.choice(self.clips).id, "start": rng.one_uniform()}

    def noise(self, params: Params, length: int, sample_rate: int, pool: Pool) -> PCM16:
        """Return the drawn part of the drawn clip."""
        clip = self.bank.audio(params["clip"], sample_rate)
        return excerpt(clip, params["start"], length, sample_rate // FADES_PER_SECOND)

    def spoil(
        self, audio: PCM16, sample_rate: int, params: Params, pool: Pool, out: PCM16, *, snr_db: float
    ) -> Achieved | str:
        """Mix a recording with its noise, and say with which."""
        report = super().spoil(audio, sample_rate, params, pool, out, snr_db=snr_db)
        return report if isinstance(report, str) else {**report, "clip": params["clip"]}


def excerpt(noise: PCM16, start: float, length: int, fade: int) -> PCM16:
    """Return `length` samples of `noise` from `start`, a share in [0, 1) of the places there are.

    Noise shorter than that becomes a loop first, its end faded into its beginning over `fade` samples (or
    half its own length): scaled afterwards, it has the wanted power and no gap. The fade is linear, so it
    never exceeds what it joins.
    """
    if len(noise) >= length:
        first = int(start * (len(noise) - length + 1))
        return noise[first : first + length]
    fade = min(fade, len(noise) // 2)
    rise = 2 * np.arange(fade) + 1
    seam = (noise[len(noise) - fade :] * (2 * fade - rise) + noise[:fade] * rise) // max(1, 2 * fade)
    loop = np.concatenate([seam.astype(np.int16), noise[fade : len(noise) - fade]])
    return np.resize(np.roll(loop, -int(start * len(loop))), length)
