"""A telephone, or a cheap microphone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from corruptions.audio._twinned import TwinnedCorruption
from merbench.corruption import Measure
from merbench.media.resample import low_pass, low_pass_taps, to_pcm16

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import torch

    from corruptions.audio._device import Recordings
    from merbench.rng import Stream
    from merbench.types import Achieved, Params, Pool, Sample

    PCM16 = npt.NDArray[np.int16]


@dataclass(frozen=True)
class BandLimit(TwinnedCorruption):
    """Nothing left above a cutoff frequency; the sample rate stays."""

    version = 1
    exactness = "exact"
    is_random = False
    severity: ClassVar = {"cutoff_hz": (7000.0, 5500.0, 4000.0, 3400.0, 2000.0)}
    measure = Measure("cutoff_hz", "cutoff_hz", worse="lower", kind="per-sample", tolerance=0.0)
    label_validity = ("preserved", "preserved", "preserved", "preserved", "uncertain")
    validity_source = (
        "Scherer, Koivumaki and Rosenthal: Minimal cues in the vocal communication of affect: judging "
        "emotions from content-masked speech, Journal of Psycholinguistic Research 1(3), 1972: "
        "listeners agree on emotions in speech filtered until its words are lost, and hear them as less "
        "active"
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
            return _nothing_above(cutoff_hz, sample_rate)
        filtered = low_pass(audio, sample_rate, cutoff_hz)
        headroom = _headroom(float(np.abs(filtered).max()))
        out[:], _ = to_pcm16(filtered * headroom)
        return {"cutoff_hz": cutoff_hz, "headroom_gain": round(headroom, 6)}

    def spoil_together(
        self, recordings: Recordings, params: Sequence[Params], pool: Pool, *, cutoff_hz: float
    ) -> tuple[torch.Tensor, list[Achieved | str]]:
        """Filter all recordings, those of one rate at once."""
        from corruptions.audio._device import scaled
        from corruptions.audio._device_filters import low_pass

        rates = [rate for rate in sorted(set(recordings.rates)) if 2 * cutoff_hz < rate]
        filtered = low_pass(recordings, {rate: low_pass_taps(rate, cutoff_hz) for rate in rates})
        pieces = recordings.pieces
        peaks = pieces.greatest(pieces.peaks(filtered)).tolist()
        gains = [
            _headroom(peak) if rate in rates else 1.0
            for peak, rate in zip(peaks, recordings.rates, strict=True)
        ]
        reports: list[Achieved | str] = [
            {"cutoff_hz": cutoff_hz, "headroom_gain": round(gain, 6)}
            if rate in rates
            else _nothing_above(cutoff_hz, rate)
            for gain, rate in zip(gains, recordings.rates, strict=True)
        ]
        return scaled(filtered, recordings.ends, recordings.tensor(gains)), reports


def _headroom(peak: float) -> float:
    return min(1.0, 32767 / max(peak, 1.0))


def _nothing_above(cutoff_hz: float, sample_rate: int) -> str:
    return f"at {sample_rate} Hz there is nothing above {cutoff_hz:g} Hz"
