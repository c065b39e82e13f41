"""A speaker who stands too far from the microphone."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from corruptions.audio._recording import RecordingCorruption
from merbench.corruption import Measure

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from merbench.rng import Stream
    from merbench.types import Achieved, Params, Pool, Sample

    PCM16 = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Gain(RecordingCorruption):
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
        from corruptions.audio._mixing import amplitude_ratio, on_grid, scale

        if not audio.any():
            return "the recording is silent"
        gain = on_grid(amplitude_ratio(attenuation_db))
        scale(audio, gain, out)
        return {"attenuation_db": round(-20 * float(Decimal(gain).log10()), 4)}
