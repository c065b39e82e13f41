"""A telephone, or a cheap microphone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from corruptions.audio._recording import RecordingCorruption
from merbench.corruption import Measure
from merbench.media.resample import low_pass, to_pcm16

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from merbench.rng import Stream
    from merbench.types import Achieved, Params, Pool, Sample

    PCM16 = npt.NDArray[np.int16]


@dataclass(frozen=True)
class BandLimit(RecordingCorruption):
    """Nothing left above a cutoff frequency; the sample rate stays."""

    version = 1
    exactness = "exact"
    is_random = False
    severity: ClassVar = {"cutoff_hz": (7000.0, 5500.0, 4000.0, 3400.0, 2000.0)}
    measure = Measure("cutoff_hz", "cutoff_hz", worse="lower", kind="per-sample", tolerance=0.0)
    label_validity = ("preserved", "preserved", "preserved", "preserved", "uncertain")
    validity_source = (
        "Pollack, Rubenstein and Horowitz: Communication of verbal modes of expression, Language and Speech "
        "3(3), 1960: emotions are told apart even in speech filtered until its words are lost"
    )
    source = (
        "7 kHz: wideband telephony (ITU-T G.722); 3.4 kHz: the telephone band (ITU-T G.712); the others lie "
        "between and below"
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Draw nothing."""
        return {}

    def spoil(
        self, audio: PCM16, sample_rate: int, params: Params, pool: Pool, out: PCM16, *, cutoff_hz: float
    ) -> Achieved | str:
        """Filter a recording; one gain makes room for peaks that filtering raised."""
        if 2 * cutoff_hz >= sample_rate:
            return f"at {sample_rate} Hz there is nothing above {cutoff_hz:g} Hz"
        filtered = low_pass(audio, sample_rate, cutoff_hz)
        headroom = min(1.0, 32767 / max(abs(filtered.min()), abs(filtered.max()), 1))
        out[:], _ = to_pcm16(filtered * headroom)
        return {"cutoff_hz": cutoff_hz, "headroom_gain": round(float(headroom), 6)}
