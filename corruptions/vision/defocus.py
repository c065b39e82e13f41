"""A lens that is focused on something else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from corruptions.vision._planned import PlannedCorruption
from merbench.corruption import Measure

if TYPE_CHECKING:
    import numpy.typing as npt

    from corruptions.vision._blur import MeanOverSpans
    from merbench.rng import Stream
    from merbench.types import Achieved, Params, Pool, Sample


@dataclass(frozen=True)
class Defocus(PlannedCorruption):
    """The mean over a disc, which is what an open aperture makes of a point."""

    version = 1
    exactness = "exact"
    is_random = False
    severity: ClassVar = {"radius": (0.013, 0.018, 0.027, 0.036, 0.045)}
    measure = Measure("radius", "radius", worse="higher", kind="per-sample", tolerance=0.02)
    label_validity = ("preserved", "preserved", "preserved", "preserved", "uncertain")
    validity_source = (
        "Bombari et al.: Emotion recognition: the role of featural and configural face information, "
        "Quarterly Journal of Experimental Psychology 66(12), 2013: people recognise emotions in "
        "blurred faces, how well depends on the emotion"
    )
    source = (
        "radii of 3 to 10 pixels of 224 (ImageNet-C, Hendrycks and Dietterich, ICLR 2019), as shares of the "
        "shorter side"
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Draw nothing."""
        return {}

    def plan(
        self, shape: tuple[int, ...], params: Params, *, radius: float
    ) -> tuple[MeanOverSpans, Achieved] | str:
        """Lay out the disc."""
        from corruptions.vision._blur import MeanOverSpans

        side = min(shape[1:3])
        # Half pixels: the disc holds every pixel whose middle is no farther away.
        halves = round(2 * radius * side)
        if halves < 2:
            return "the picture is too small for a disc of more than a pixel"
        return MeanOverSpans(_disc(halves)), {
            "radius": round(halves / 2 / side, 6),
            "pixels": halves / 2,
        }


def _disc(halves: int) -> npt.NDArray[np.int64]:
    """Return the rows of a disc of `halves` half pixels radius as spans (down, from, to)."""
    down = np.arange(-(halves // 2), halves // 2 + 1)
    reach = np.sqrt(halves**2 - (2 * down) ** 2).astype(np.int64) // 2
    return np.stack([down, -reach, reach], axis=1)
