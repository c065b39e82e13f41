"""A microphone input that is set too high."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from corruptions.audio._recording import RecordingCorruption
from merbench.corruption import Measure

if TYPE_CHECKING:
    import numpy.typing as npt

    from merbench.rng import Stream
    from merbench.types import Achieved, Params, Pool, Sample

    PCM16 = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Clipping(RecordingCorruption):
    """The loudest samples cut off at a common limit; the level of the others stays.

    The limit is the lowest that leaves no more than the wanted share below it: samples of one value are
    cut together, so a recording of few values may lose more than it should.
    """

    version = 1
    exactness = "exact"
    is_random = False
    severity: ClassVar = {"share": (0.05, 0.10, 0.20, 0.40, 0.60)}
    measure = Measure("share", "share", worse="higher", kind="per-sample", tolerance=0.02)
    label_validity = ("preserved", "preserved", "preserved", "preserved", "uncertain")
    validity_source = (
        "Licklider and Pollack: Effects of differentiation, integration, and infinite peak clipping upon the "
        "intelligibility of speech, Journal of the Acoustical Society of America 20(1), 1948: clipped speech "
        "stays intelligible, its loudness does not"
    )
    source = (
        "shares as percentiles of the samples' distribution, the parameter of the usual augmentation "
        "(audiomentations ClippingDistortion, 0 to 40 %)"
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Draw nothing."""
        return {}

    def spoil(
        self, audio: PCM16, sample_rate: int, params: Params, pool: Pool, out: PCM16, *, share: float
    ) -> Achieved | str:
        """Cut a recording's peaks."""
        magnitudes = np.abs(audio.astype(np.int32))
        kept = len(audio) - int(np.ceil(share * len(audio)))
        limit = int(np.partition(magnitudes, kept)[kept]) if kept < len(audio) else 0
        if limit == 0:
            return "too much of the recording is silent"
        limit = min(limit, 32767)
        np.clip(audio, -limit, limit, out=out)
        return {"share": round(float(np.count_nonzero(magnitudes >= limit)) / len(audio), 6), "limit": limit}
