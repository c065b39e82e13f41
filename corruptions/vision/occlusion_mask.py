"""Something opaque between the camera and the face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from merbench.corruption import Corruption, Measure
from merbench.options import option

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from merbench.rng import Stream
    from merbench.types import Achieved, Batch, Params, Pool, Sample

_RECTANGLES = 20
_SIDE = (160, 460)  # of a rectangle, in 1/1024 of the frame's: 16 % to 45 %, as large as hands and phones are
_DRIFT = 512  # at most half a frame over the clip
_COLOUR = {"grey": 128, "black": 0}


@dataclass(frozen=True)
class OcclusionMask(Corruption):
    """Opaque rectangles over an exact share of every frame, held still or drifting through the clip.

    The rectangles have an order that is drawn once. A severity hides them one after the other until its
    share of the area is reached and cuts the last one short: a higher severity hides a superset, pixel
    for pixel. An area of a fraction of a pixel is rounded up or down by a draw of its own.
    """

    version = 1
    changes = ("vision",)
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

    def apply(
        self, batch: Batch, params: Sequence[Params], pool: Pool, *, area: float
    ) -> tuple[Batch, list[Achieved]]:
        """Cover every clip's frames."""
        frames = batch.frames
        covered = frames.with_values(np.empty_like(frames.values))  # `cover` writes every present row
        achieved: list[Achieved] = []
        for clip, row, out in zip(frames, params, covered, strict=True):
            if clip is None or out is None or clip.size == 0:
                achieved.append({"applied": False, "area": None, "reason": "there are no frames"})
            else:
                hidden = self._cover(clip, row, area, out)
                achieved.append({"applied": True, "area": round(hidden / (clip.shape[1] * clip.shape[2]), 6)})
        return batch.replace(frames=covered), achieved

    def _cover(
        self, clip: npt.NDArray[np.uint8], params: Params, area: float, out: npt.NDArray[np.uint8]
    ) -> int:
        from corruptions.vision._masks import cover, hide

        count, height, width, _ = clip.shape
        pixels = int(area * height * width + params["rounding"])
        mask = hide(np.array(params["rectangles"]), height, width, pixels)
        masks = _drifting(mask, params["drift"], count) if self.motion == "drift" else mask[np.newaxis]
        flat = (count, height * width * 3)
        cover(clip.reshape(flat), masks.reshape(-1, flat[1]), _COLOUR[self.fill], out.reshape(flat))
        return pixels


def _drifting(mask: npt.NDArray[np.bool_], drift: Sequence[int], count: int) -> npt.NDArray[np.bool_]:
    """Return a mask per frame: the same shape, by the last frame moved by nearly `drift` / 1024 of a side."""
    height, width = mask.shape[0], mask.shape[1] // 3
    down = [drift[0] * height * f // (1024 * count) for f in range(count)]
    right = [drift[1] * width * f // (1024 * count) for f in range(count)]
    return np.stack([np.roll(mask, (y, 3 * x), axis=(0, 1)) for y, x in zip(down, right, strict=True)])
