"""Sun in the lens."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
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
class Overexposure(ClipCorruption):
    """More light than the camera is set for: twice as much per stop, and what is too much is white."""

    version = 1
    exactness = "exact"
    is_random = False
    severity: ClassVar = {"stops": (0.5, 1.0, 1.5, 2.0, 3.0)}
    measure = Measure("stops", "stops", worse="higher", kind="per-sample", tolerance=0.0)
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = (
        "we know of no figures for people; at 2 stops every level above 137 is white, skin among them, "
        "hence uncertain from severity 4 on"
    )
    source = (
        "IEC 61966-2-1 (sRGB transfer function); exposure in stops, at most what a sensor's shoulder allows"
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Draw nothing."""
        return {}

    def spoil(self, clip: Frames, params: Params, out: Frames, *, stops: float) -> Achieved | str:
        """Overexpose a clip."""
        np.take(_levels(stops), clip, out=out, mode="clip")
        return {"stops": stops, "white": round(float(np.mean(out == 255)), 4)}


@cache
def _levels(stops: float) -> npt.NDArray[np.uint8]:
    """Return what every level becomes, [256]."""
    level = np.arange(256) / 255
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4) * 2.0**stops
    lighter = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(np.minimum(lighter, 1.0) * 255), dtype=np.uint8)
