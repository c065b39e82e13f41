"""A video call on a slow line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from corruptions.vision._clip import ClipCorruption
from merbench.corruption import Measure

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from merbench.rng import Stream
    from merbench.types import Achieved, Params, Pool, Sample

    Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class VideoCodec(ClipCorruption):
    """The clip through H.264 at a constant quantiser and back: blocks that move with what they predict."""

    version = 1
    exactness = "pinned"
    libraries = ("av",)
    is_random = False
    severity: ClassVar = {"quantiser": (28.0, 34.0, 39.0, 44.0, 49.0)}
    measure = Measure("quantiser", "quantiser", worse="higher", kind="per-sample", tolerance=0.0)
    label_validity = ("preserved", "preserved", "preserved", "preserved", "uncertain")
    validity_source = (
        "Du and Martinez: The resolution of facial expressions of emotion, Journal of Vision 11(13), "
        "2011: recognition suffers only below 30 x 20 pixels, far less detail than H.264 leaves below "
        "its highest quantisers"
    )
    source = (
        "ITU-T H.264: quantisers go from 0 to 51 and the step doubles every 6; 28 is a common default, 51 is "
        "the worst there is"
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Draw nothing."""
        return {}

    def spoil(self, clip: Frames, params: Params, out: Frames, *, quantiser: float) -> Achieved | str:
        """Code a clip and decode it again."""
        from corruptions.vision._h264 import coded

        out[:], size = coded(clip, round(quantiser))
        return {"quantiser": quantiser, "bits_per_pixel": round(8 * size / (clip.size / 3), 5)}
