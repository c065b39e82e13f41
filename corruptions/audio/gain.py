"""A speaker who stands too far from the microphone."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from corruptions.audio._twinned import TwinnedCorruption
from merbench.corruption import Measure

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    import torch

    from corruptions.audio._device import Recordings
    from merbench.rng import Stream
    from merbench.types import Achieved, Params, Pool, Sample

    PCM16 = npt.NDArray[np.int16]


_SILENT = "the recording is silent"


@dataclass(frozen=True)
class Gain(TwinnedCorruption):
    """The recording turned down, and rounded to 16 bits again at its new level."""

    version = 1
    exactness = "exact"
    is_random = False
    severity: ClassVar = {"attenuation_db": (6.0, 12.0, 18.0, 24.0, 30.0)}
    measure = Measure("attenuation_db", "attenuation_db", worse="higher", kind="per-sample", tolerance=0.01)
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = (
        "Juslin and Laukka: Communication of emotions in vocal expression and music performance, "
        "Psychological Bulletin 129(5), 2003: loudness itself is a cue, high in anger and low in sadness"
    )
    source = "6 dB per step: a doubled distance in a free field (ISO 9613-2)"

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Draw nothing."""
        return {}

    def spoil(
        self, audio: PCM16, sample_rate: int, params: Params, pool: Pool, out: PCM16, *, attenuation_db: float
    ) -> Achieved | str:
        """Turn a recording down."""
        from corruptions.audio._mixing import scale

        if not audio.any():
            return _SILENT
        gain, report = _turned_down(attenuation_db)
        scale(audio, gain, out)
        return report

    def spoil_together(
        self, recordings: Recordings, params: Sequence[Params], pool: Pool, *, attenuation_db: float
    ) -> tuple[torch.Tensor, list[Achieved | str]]:
        """Turn all recordings down."""
        from corruptions.audio._device import scaled

        gain, report = _turned_down(attenuation_db)
        gains = recordings.tensor([gain] * len(params))
        energies = recordings.pieces.total(recordings.pieces.energies(recordings.values)).tolist()
        # Silence stays silence at any gain.
        values = scaled(recordings.values, recordings.ends, gains)
        return values, [report if energy else _SILENT for energy in energies]


@cache
def _turned_down(attenuation_db: float) -> tuple[float, Achieved]:
    from corruptions.audio._mixing import amplitude_ratio, on_grid

    gain = on_grid(amplitude_ratio(attenuation_db))
    return gain, {"attenuation_db": round(-20 * float(Decimal(gain).log10()), 4)}
