"""A camera, or a head, that moves while the shutter is open."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from corruptions.vision._planned import PlannedCorruption
from merbench.corruption import Measure

if TYPE_CHECKING:
    import numpy.typing as npt

    from corruptions.vision._blur import MeanOver
    from merbench.rng import Stream
    from merbench.types import Achieved, Params, Pool, Sample

_DIRECTIONS = 128  # over half a turn: blur has no sign


@dataclass(frozen=True)
class MotionBlur(PlannedCorruption):
    """The mean along a straight path, in a direction that is drawn once per clip."""

    version = 1
    exactness = "exact"
    severity: ClassVar = {"length": (0.03, 0.05, 0.08, 0.12, 0.16)}
    measure = Measure("length", "length", worse="higher", kind="per-sample", tolerance=0.02)
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = (
        "Bombari et al.: Emotion recognition: the role of featural and configural face information, "
        "Quarterly Journal of Experimental Psychology 66(12), 2013: people recognise emotions in "
        "blurred faces, how well depends on the emotion"
    )
    source = (
        "path lengths as shares of the shorter side; ImageNet-C's kernels (Hendrycks and Dietterich, ICLR "
        "2019) have standard deviations of 3 to 15 pixels of 224"
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Draw the direction of the path."""
        return {"direction": rng.one_integer(0, _DIRECTIONS)}

    def plan(
        self, shape: tuple[int, ...], params: Params, *, length: float
    ) -> tuple[MeanOver, Achieved] | str:
        """Lay out the path."""
        from corruptions.vision._blur import MeanOver

        side = min(shape[1:3])
        steps = 2 * round((length * side - 1) / 2) + 1
        if steps < 3:
            return "the picture is too small for a path"
        return MeanOver(_path(params["direction"], steps)), {
            "length": round(steps / side, 6),
            "pixels": steps,
        }


def _path(direction: int, steps: int) -> npt.NDArray[np.int64]:
    """Return the offsets (down, right) [steps, 2] of a straight path through the origin.

    The direction's sine and cosine are put on a grid of 1/1024, on which no rounding is in doubt.
    """
    angle = math.pi * direction / _DIRECTIONS
    towards = np.array([round(1024 * math.sin(angle)), round(1024 * math.cos(angle))])
    along = np.arange(steps) - steps // 2
    return np.asarray((along[:, None] * towards + 512) >> 10, dtype=np.int64)
