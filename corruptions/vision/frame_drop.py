"""A stream that stutters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from corruptions.vision._clip import ClipCorruption
from merbench.corruption import Measure
from merbench.rng import Stream

if TYPE_CHECKING:
    import numpy.typing as npt

    from merbench.types import Achieved, Params, Pool, Sample

    Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class FrameDrop(ClipCorruption):
    """Frames that never arrive: the one before stands still in their place.

    The first frame always arrives. A share of the others is lost, in an order drawn once, so a higher
    severity loses a superset; a fraction of a frame is rounded by a draw of its own.
    """

    version = 1
    exactness = "exact"
    severity: ClassVar = {"rate": (0.10, 0.20, 0.35, 0.50, 0.70)}
    measure = Measure("rate", "rate", worse="higher", kind="on-average", tolerance=0.06)
    label_validity = ("preserved", "preserved", "preserved", "preserved", "uncertain")
    validity_source = (
        "Ambadar, Schooler and Cohn: Deciphering the enigmatic face, Psychological Science 16(5), 2005: "
        "motion helps to read subtle expressions, while the first and the last frame alone carry most of it"
    )
    source = (
        "frame rates down to a third of the original, the range of studies of video quality and frame loss "
        "(ITU-T P.910)"
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Name the stream that orders the frames."""
        return {"stream": rng.key}

    def spoil(self, clip: Frames, params: Params, out: Frames, *, rate: float) -> Achieved | str:
        """Lose a clip's frames."""
        others = len(clip) - 1
        if others == 0:
            return "a single frame cannot be lost"
        chance = Stream(params["stream"])
        lost = int(rate * others + chance.one_uniform())
        source = np.arange(len(clip))
        source[1 + chance.permutation(others)[:lost]] = 0
        np.take(clip, np.maximum.accumulate(source), axis=0, out=out)
        return {"rate": round(lost / others, 6), "lost": lost}
