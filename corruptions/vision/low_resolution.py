"""A face far from the camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from corruptions.vision._clip import ClipCorruption
from merbench.corruption import Measure

if TYPE_CHECKING:
    import numpy.typing as npt

    from merbench.rng import Stream
    from merbench.types import Achieved, Params, Pool, Sample

    Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class LowResolution(ClipCorruption):
    """Reduced by area averaging to a share of its sides, and enlarged again bilinearly.

    Pillow does both in fixed-point integers, so the bytes are the same on every processor.
    """

    version = 1
    exactness = "pinned"
    libraries = ("pillow",)
    is_random = False
    severity: ClassVar = {"scale": (0.5, 0.35, 0.25, 0.15, 0.1)}
    measure = Measure("scale", "scale", worse="lower", kind="per-sample", tolerance=0.02)
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = (
        "Du and Martinez: The resolution of facial expressions of emotion, Journal of Vision 11(13), "
        "2011: recognition suffers only below 30 x 20 pixels"
    )
    source = (
        "sides of 112 to 22 pixels of 224, around the resolutions of Du and Martinez (faces of 240 x 160 "
        "down to 15 x 10 pixels)"
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Draw nothing."""
        return {}

    def spoil(self, clip: Frames, params: Params, out: Frames, *, scale: float) -> Achieved | str:
        """Reduce a clip and enlarge it again."""
        from PIL import Image

        height, width = clip.shape[1:3]
        small = max(1, round(width * scale)), max(1, round(height * scale))
        if small == (width, height) or min(height, width) * scale < 1:
            return "the picture is too small to be reduced"
        for frame, spoilt in zip(clip, out, strict=True):
            reduced = Image.fromarray(frame).resize(small, Image.Resampling.BOX)
            spoilt[:] = np.asarray(reduced.resize((width, height), Image.Resampling.BILINEAR))
        return {"scale": round(small[0] / width, 6), "pixels": list(small)}
