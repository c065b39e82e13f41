"""Noise that falls by 3 dB per octave, as rooms, crowds and electronics do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from corruptions.audio._additive import AdditiveNoise
from merbench.rng import Stream

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from merbench.types import Params, Pool, Sample


@dataclass(frozen=True)
class Pink(AdditiveNoise):
    """Gaussian noise with the same power in every octave."""

    version = 1
    severity: ClassVar = {"snr_db": (30.0, 25.0, 20.0, 15.0, 10.0)}
    source = (
        "SNR steps of 5 dB from 30 to 10 dB, as for white noise; the filter is Kellet's sum of first-order "
        "low-passes (within 0.05 dB of -3 dB per octave above 1/4800 of the sample rate)"
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Name the stream that makes the noise."""
        return {"stream": rng.key}

    def noise(self, params: Params, length: int, sample_rate: int, pool: Pool) -> npt.NDArray[np.int16]:
        """Return pink samples [length]."""
        from corruptions.audio._pink import SETTLING, pink

        return pink(Stream(params["stream"]).normal(SETTLING + length))
