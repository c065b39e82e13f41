"""A microphone input that is set too high."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from corruptions.audio._twinned import TwinnedCorruption
from merbench.corruption import Measure

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import torch

    from corruptions.audio._device import Recordings
    from merbench.rng import Stream
    from merbench.types import Achieved, Params, Pool, Sample

    PCM16 = npt.NDArray[np.int16]


_FULL_SCALE = 32767


@dataclass(frozen=True)
class Clipping(TwinnedCorruption):
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
        "Licklider and Pollack: Effects of differentiation, integration, and infinite peak clipping "
        "upon the intelligibility of speech, Journal of the Acoustical Society of America 20(1), 1948: "
        "even infinitely clipped speech can be understood; for emotion we know of no figures"
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
        kept = _kept(share, len(audio))
        limit = min(int(np.partition(magnitudes, kept)[kept]), _FULL_SCALE)
        np.clip(audio, -limit, limit, out=out)
        return _report(limit, int(np.count_nonzero(magnitudes >= limit)), len(audio))

    def spoil_together(
        self, recordings: Recordings, params: Sequence[Params], pool: Pool, *, share: float
    ) -> tuple[torch.Tensor, list[Achieved | str]]:
        """Cut the peaks of all recordings."""
        from corruptions.audio._device import limited, quantiles

        kept = [_kept(share, length) for length in recordings.lengths]
        found = quantiles(recordings, kept, most=_FULL_SCALE)
        limits = recordings.tensor([limit or _FULL_SCALE + 1 for limit, _ in found]).int()
        values = limited(recordings.values, recordings.ends, limits)
        return values, [_report(*row, length) for row, length in zip(found, recordings.lengths, strict=True)]


def _kept(share: float, length: int) -> int:
    """Return how many samples stay as they are, at most all but one."""
    return length - math.ceil(share * length)


def _report(limit: int, loud: int, length: int) -> Achieved | str:
    """Return what is said of a recording with so many samples at its limit or beyond."""
    if limit == 0:
        return "too much of the recording is silent"
    return {"share": round(loud / length, 6), "limit": limit}
