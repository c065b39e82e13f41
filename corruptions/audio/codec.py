"""A voice message, a call, a stream on a slow line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from corruptions.audio._recording import RecordingCorruption
from merbench.corruption import Measure
from merbench.media.resample import resample, to_pcm16
from merbench.options import option

if TYPE_CHECKING:
    import numpy.typing as npt

    from merbench.rng import Stream
    from merbench.types import Achieved, Params, Pool, Sample

    PCM16 = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Codec(RecordingCorruption):
    """Through Opus or MP3 at a low bit rate and back, at 16 kHz, sample for sample where it was.

    What a decoder makes of a loud recording can go beyond 16 bits and is cut off there, as in any player; the
    report counts these samples as ``clipped``.
    """

    version = 1
    exactness = "pinned"
    libraries = ("av",)
    is_random = False
    severity: ClassVar = {"kbps": (64.0, 32.0, 24.0, 16.0, 8.0)}
    measure = Measure("kbps", "kbps", worse="lower", kind="per-sample", tolerance=0.0)
    label_validity = ("preserved", "preserved", "preserved", "preserved", "uncertain")
    validity_source = (
        "Niebuhr and Siegert: A digital 'flat affect'? Popular speech compression codecs and their "
        "effects on emotional prosody, Frontiers in Communication, 2023: strong compression distorts "
        "measures of prosody by up to 20 %, hence uncertain at the lowest rate"
    )
    source = "RFC 6716 (Opus: 6 to 510 kbit/s; 8 to 12 for narrowband, 16 to 20 for wideband speech)"

    codec: Literal["opus", "mp3"] = option("opus", "which codec")

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Draw nothing."""
        return {}

    def spoil(
        self, audio: PCM16, sample_rate: int, params: Params, pool: Pool, out: PCM16, *, kbps: float
    ) -> Achieved | str:
        """Code a recording and decode it again."""
        from corruptions.audio._codecs import SAMPLE_RATE, coded

        narrow, _ = to_pcm16(resample(audio, sample_rate, SAMPLE_RATE))
        decoded, spent = coded(narrow, self.codec, kbps)
        back, _ = to_pcm16(resample(decoded, SAMPLE_RATE, sample_rate))
        out[:] = back[: len(out)]
        clipped = int(np.count_nonzero(_is_full(out) & ~_is_full(audio)))
        return {"kbps": kbps, "spent_kbps": round(spent, 2), **({"clipped": clipped} if clipped else {})}


def _is_full(audio: PCM16) -> npt.NDArray[np.bool_]:
    return np.asarray((audio == 32767) | (audio == -32768))
