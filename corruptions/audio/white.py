"""Hiss."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from corruptions.audio._additive import AdditiveNoise
from merbench.rng import Stream, gaussian_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import torch

    from corruptions.audio._device import Recordings
    from merbench.types import Params, Pool, Sample

_RMS = 4096  # 18 dB below full scale: the greatest of 65 536 quantiles, 4.3 times that, still fits


@dataclass(frozen=True)
class White(AdditiveNoise):
    """Gaussian noise with the same power at every frequency, as from a cheap preamplifier."""

    version = 1
    severity: ClassVar = {"snr_db": (30.0, 25.0, 20.0, 15.0, 10.0)}
    source = (
        "SNR steps of 5 dB from 30 to 10 dB, those of Robuser's white noise: it reaches up to where "
        "background sounds have little energy"
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Name the stream that makes the noise."""
        return {"stream": rng.key}

    def noise(self, params: Params, length: int, sample_rate: int, pool: Pool) -> npt.NDArray[np.int16]:
        """Return Gaussian samples [length]."""
        return np.take(_quantiles(), Stream(params["stream"]).quantiles(length))

    def noise_on_device(
        self, recordings: Recordings, params: Sequence[Params], pool: Pool
    ) -> tuple[torch.Tensor, list[str | None]]:
        """Return Gaussian samples, made on the device."""
        from corruptions.audio._device_mixing import gaussian

        keys = [row["stream"] for row in params]
        return gaussian(recordings, keys, _quantiles()), [None] * len(keys)


@cache
def _quantiles() -> npt.NDArray[np.int16]:
    """Return the equiprobable Gaussian levels, [65536]."""
    return np.rint(gaussian_table() * _RMS).astype(np.int16)
