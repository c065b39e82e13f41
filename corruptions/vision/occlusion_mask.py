"""Something opaque between the camera and the face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from corruptions.vision._planned import PlannedCorruption
from merbench.corruption import Measure
from merbench.options import option

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from corruptions.vision._masks import Cover
    from merbench.rng import Stream
    from merbench.types import Achieved, Params, Pool, Sample

_RECTANGLES = 20
_SIDE = (160, 460)  # of a rectangle, in 1/1024 of the frame's: 16 % to 45 %, as large as hands and phones are
_DRIFT = 512  # at most half a frame over the clip
_COLOUR = {"grey": 128, "black": 0}


@dataclass(frozen=True)
class OcclusionMask(PlannedCorruption):
    """Opaque rectangles over an exact share of every frame, held still or drifting through the clip.

    The rectangles have an order that is drawn once. A severity hides them one after the other until its
    share of the area is reached and cuts the last one short: a higher severity hides a superset, pixel
    for pixel. An area of a fraction of a pixel is rounded up or down by a draw of its own.
    """

    version = 1
    exactness = "exact"
    severity: ClassVar = {"area": (0.10, 0.20, 0.30, 0.45, 0.60)}
    measure = Measure("area", "area", worse="higher", kind="per-sample", tolerance=0.01)
    label_validity = ("preserved", "preserved", "uncertain", "uncertain", "uncertain")
    validity_source = (
        "Carbon: Wearing face masks strongly confuses counterparts in reading emotions, Frontiers in "
        "Psychology 11:566886, 2020: with the lower half of the face covered, people misread several emotions"
    )
    source = (
        "rectangles as in Zhong et al.: Random erasing data augmentation, AAAI 2020 (2 to 40 % of the area); "
        "grey as in Zeiler and Fergus: Visualizing and understanding convolutional networks, ECCV 2014"
    )

    motion: Literal["constant", "drift"] = option(
        "constant", "the mask stays where it is, or drifts over the clip and comes back in on the other side"
    )
    fill: Literal["grey", "black"] = option("grey", "the colour of what hides the face")

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Draw the rectangles in their order, where they drift to, and the rounding of the area."""
        sides = rng.integers(2 * _RECTANGLES, *_SIDE)
        corners = (rng.uniform(2 * _RECTANGLES) * (1024 - sides)).astype(np.int64)
        return {
            "rectangles": np.hstack([corners.reshape(-1, 2), sides.reshape(-1, 2)]).tolist(),
            "drift": rng.integers(2, -_DRIFT, _DRIFT + 1).tolist(),
            "rounding": rng.one_uniform(),
        }

    def plan(self, shape: tuple[int, ...], params: Params, *, area: float) -> tuple[Cover, Achieved]:
        """Count the pixels to cover, and lay out the way of the mask."""
        from corruptions.vision._masks import Cover

        count, height, width, _ = shape
        pixels = int(area * height * width + params["rounding"])
        shifts = _drift(params["drift"], count, height, width) if self.motion == "drift" else None
        cover = Cover(np.array(params["rectangles"]), pixels, _COLOUR[self.fill], shifts)
        return cover, {"area": round(pixels / (height * width), 6)}


def _drift(drift: Sequence[int], count: int, height: int, width: int) -> npt.NDArray[np.int64]:
    """Return how far the mask is moved in every frame, by the last one nearly `drift` / 1024 of a side."""
    along = np.arange(count)[:, None]
    return np.asarray(np.array(drift) * (height, width) * along // (1024 * count), dtype=np.int64)
