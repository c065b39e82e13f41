"""A microphone that is off for a moment."""

from __future__ import annotations

from dataclasses import dataclass
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
class TimeMask(RecordingCorruption):
    """One gap of silence around a place drawn once; a higher severity's gap contains a lower one's."""

    version = 1
    exactness = "exact"
    severity: ClassVar = {"share": (0.05, 0.10, 0.20, 0.30, 0.45)}
    measure = Measure("share", "share", worse="higher", kind="per-sample", tolerance=0.01)
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = (
        "Pell and Kotz: On the time course of vocal emotion recognition, PLoS ONE 6(11), 2011: listeners "
        "need 0.5 to 0.8 s of a sentence for most emotions, and more for disgust and happiness"
    )
    source = (
        "one masked stretch of time as in Park et al.: SpecAugment, Interspeech 2019, there at most 20 % of "
        "an utterance"
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Draw where the gap lies, as a share of the places there are."""
        return {"place": rng.one_uniform()}

    def spoil(
        self, audio: PCM16, sample_rate: int, params: Params, pool: Pool, out: PCM16, *, share: float
    ) -> Achieved | str:
        """Mute a stretch of a recording."""
        gap = round(share * len(audio))
        if gap == 0:
            return "the recording is too short for a gap"
        # However long the gap, the same share of the remaining time lies before it: so gaps are nested.
        first = int(params["place"] * (len(audio) - gap))
        out[:] = audio
        out[first : first + gap] = 0
        return {"share": round(gap / len(audio), 6), "from_s": round(first / sample_rate, 4)}
