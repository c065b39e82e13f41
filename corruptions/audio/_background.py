"""Noise behind a voice: what every background corruption shares, whatever bank its clips come from."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from corruptions.audio._additive import AdditiveNoise
from corruptions.audio._banks import CACHE_BYTES, ByteBoundedCache
from merbench.options import located, option

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt
    import torch

    from corruptions.audio._banks import Clip, NoiseBank
    from corruptions.audio._device import Recordings
    from corruptions.audio._recorded import RecordedBank
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

    def noise_on_device(
        self, recordings: Recordings, params: Sequence[Params], pool: Pool
    ) -> tuple[torch.Tensor, list[str | None]]:
        """Return the drawn parts of the drawn clips; clips once sent to the device are kept there."""
        from corruptions.audio._device_mixing import looped

        clips: dict[tuple[str, int, int], tuple[int, torch.Tensor]] = {}
        loops, held = [], 0
        for length, rate, row in zip(recordings.lengths, recordings.rates, params, strict=True):
            fits = len(self.bank.audio(row["clip"], rate)) >= length
            key = row["clip"], rate, 0 if fits else rate // FADES_PER_SECOND
            if key not in clips:
                clips[key] = held, _on_device(self.bank, *key, recordings.values.device)
                held += len(clips[key][1])
            base, clip = clips[key]
            first = int(row["start"] * (len(clip) - length + 1 if fits else len(clip)))
            loops.append((base + first, 0, length) if fits else (base, first, len(clip)))
        return looped(recordings, [clip for _, clip in clips.values()], loops), [None] * len(loops)

    def origin(self, params: Params) -> Achieved:
        """Say which clip it is."""
        return {"clip": params["clip"]}


@dataclass(frozen=True)
class RecordedNoise(BackgroundNoise):
    """Background noise from a bank on disk, which is where the option `noise_root` says."""

    bank_type: ClassVar[type[RecordedBank]]

    @property
    def bank(self) -> RecordedBank:
        """The bank on this machine, shared by all instances over the same folder."""
        return _open(self.bank_type, located(self, "noise_root"))

    def content_hash(self) -> str:
        """Return the hash of the noise that these options may take."""
        return self.bank.content_hash(self.clips)


@cache
def _open(bank: type[RecordedBank], root: Path | None) -> RecordedBank:
    return bank(root)


def _on_device(bank: NoiseBank, clip: str, sample_rate: int, fade: int, device: torch.device) -> torch.Tensor:
    """Return a clip on a device, as a loop if it has a fade; it is kept there, in bounded memory."""
    import torch

    def send() -> torch.Tensor:
        audio = bank.audio(clip, sample_rate)
        return torch.from_numpy(seamless(audio, fade) if fade else audio.copy()).to(device)

    return _sent.get((bank, clip, sample_rate, fade, device), send)


_sent: ByteBoundedCache[torch.Tensor] = ByteBoundedCache(CACHE_BYTES)


def excerpt(noise: PCM16, start: float, length: int, fade: int) -> PCM16:
    """Return `length` samples of `noise` from `start`, a share in [0, 1) of the places there are.

    Noise shorter than that is played in a loop; see `seamless`.
    """
    if len(noise) >= length:
        first = int(start * (len(noise) - length + 1))
        return noise[first : first + length]
    loop = seamless(noise, fade)
    return np.resize(np.roll(loop, -int(start * len(loop))), length)


def seamless(noise: PCM16, fade: int) -> PCM16:
    """Return a loop: `noise` with its end faded into its beginning over `fade` samples, or half its length.

    Scaled afterwards, it has the wanted power and no gap. The fade is linear, so it never exceeds what it
    joins.
    """
    fade = min(fade, len(noise) // 2)
    rise = 2 * np.arange(fade) + 1
    seam = (noise[len(noise) - fade :] * (2 * fade - rise) + noise[:fade] * rise) // max(1, 2 * fade)
    return np.concatenate([seam.astype(np.int16), noise[fade : len(noise) - fade]])
