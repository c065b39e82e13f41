"""A microphone that is off for a moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from corruptions.audio._spliced import SILENCE, Splice, SplicedCorruption
from merbench.corruption import Measure

if TYPE_CHECKING:
    from merbench.rng import Stream
    from merbench.types import Achieved, Params, Pool, Sample


@dataclass(frozen=True)
class TimeMask(SplicedCorruption):
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

    def splice(
        self, length: int, sample_rate: int, params: Params, *, share: float
    ) -> tuple[Splice, Achieved] | str:
        """Mute a stretch of a recording."""
        gap = round(share * length)
        if gap == 0:
            return "the recording is too short for a gap"
        # However long the gap, the same share of the remaining time lies before it: so gaps are nested.
        first = int(params["place"] * (length - gap))
        pieces = Splice.of((0, 0), (first, SILENCE), (first + gap, first + gap))
        return pieces, {"share": round(gap / length, 6), "from_s": round(first / sample_rate, 4)}
