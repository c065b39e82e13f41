"""The part of the face that carries the cue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from corruptions.vision._face import UNITS, face_box
from corruptions.vision._planned import PlannedCorruption
from merbench.corruption import Measure
from merbench.options import option

if TYPE_CHECKING:
    import numpy.typing as npt

    from corruptions.vision._masks import Cover
    from merbench.rng import Stream
    from merbench.types import Achieved, Params, Pool, Sample

# Top, left, bottom, right as shares of the face box.
_REGIONS = {
    "eyes": (0.20, 0.05, 0.50, 0.95),
    "mouth": (0.60, 0.15, 0.95, 0.85),
    "left": (0.0, 0.0, 1.0, 0.5),
    "right": (0.0, 0.5, 1.0, 1.0),
}
_STEPS = 16
_COLOUR = {"grey": 128, "black": 0}


@dataclass(frozen=True)
class FaceRegion(PlannedCorruption):
    """The eyes, the mouth or half of the face covered, from the region's middle outwards.

    Asks which cue a model lives on: people read fear and anger from the eyes, happiness and disgust from
    the mouth.
    """

    version = 1
    exactness = "exact"
    severity: ClassVar = {"coverage": (0.2, 0.4, 0.6, 0.8, 1.0)}
    measure = Measure("coverage", "coverage", worse="higher", kind="per-sample", tolerance=0.02)
    label_validity = ("preserved", "preserved", "uncertain", "uncertain", "uncertain")
    validity_source = (
        "Wegrzyn et al.: Mapping the emotional face: how individual face parts contribute to successful "
        "emotion recognition, PLoS ONE 12(5), 2017: people rely on eyes and mouth most, for sadness and "
        "fear on the eyes, for disgust and happiness on the mouth"
    )
    source = (
        "regions as shares of the face box: eyes and brows at 20 to 50 % of its height, the mouth at 60 to "
        "95 % (Farkas: Anthropometry of the Head and Face, 1994: the face in thirds)"
    )

    region: Literal["drawn", "eyes", "mouth", "left", "right"] = option(
        "drawn",
        "which part: drawn per clip, or always the eyes, the mouth, or one half of the picture's face",
    )
    fill: Literal["grey", "black"] = option("grey", "the colour of what covers it")

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Draw a region, and the rounding of its area; look up where the face is."""
        region = rng.choice(tuple(_REGIONS))
        return {"region": region, "rounding": rng.one_uniform(), **face_box(sample)}

    def plan(
        self, shape: tuple[int, ...], params: Params, *, coverage: float
    ) -> tuple[Cover, Achieved] | str:
        """Choose the part of the face to cover."""
        from corruptions.vision._masks import Cover

        region = params["region"] if self.region == "drawn" else self.region
        bands = _bands(params["box"], _REGIONS[region])
        _, height, width, _ = shape
        pixels = _pixels(bands[-1], height, width)
        if pixels == 0:
            return "the face is smaller than a pixel"
        hidden = min(int(coverage * pixels + params["rounding"]), pixels)
        return Cover(bands, hidden, _COLOUR[self.fill]), {
            "coverage": round(hidden / pixels, 6),
            "region": region,
            "box_from": params["box_from"],
        }


def _bands(box: list[int], region: tuple[float, float, float, float]) -> npt.NDArray[np.int64]:
    """Return nested bands [N, 4] (top, left, height, width) in 1/1024 of the frame, the whole region last."""
    left, top, right, bottom = box
    high, wide = bottom - top, right - left
    y0, y1 = top + round(region[0] * high), top + round(region[2] * high)
    x0, x1 = left + round(region[1] * wide), left + round(region[3] * wide)
    bands = []
    for step in range(1, _STEPS + 1):
        half = (y1 - y0) * step // (2 * _STEPS)
        middle = (y0 + y1) // 2
        bands.append((middle - half, x0, 2 * half, x1 - x0))
    return np.array([*bands, (y0, x0, y1 - y0, x1 - x0)])


def _pixels(band: npt.NDArray[np.int64], height: int, width: int) -> int:
    """Return how many pixels a rectangle touches, as `hide` counts them."""
    y, x, h, w = (int(v) for v in band)
    rows = -(-(y + h) * height // UNITS) - y * height // UNITS
    columns = -(-(x + w) * width // UNITS) - x * width // UNITS
    return rows * columns
