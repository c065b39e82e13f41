"""Pictures squeezed through a messenger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from corruptions.vision._clip import ClipCorruption
from merbench.corruption import Measure
from merbench.errors import MerbenchError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from merbench.rng import Stream
    from merbench.types import Achieved, Params, Pool, Sample

    Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Jpeg(ClipCorruption):
    """Every frame through JPEG at a low quality and back."""

    version = 1
    exactness = "pinned"
    libraries = ("opencv-python-headless",)
    is_random = False
    severity: ClassVar = {"quality": (25.0, 18.0, 15.0, 10.0, 7.0)}
    measure = Measure("quality", "quality", worse="lower", kind="per-sample", tolerance=0.0)
    label_validity = ("preserved", "preserved", "preserved", "preserved", "uncertain")
    validity_source = (
        "Du and Martinez: The resolution of facial expressions of emotion, Journal of Vision 11(13), "
        "2011: recognition suffers only below 30 x 20 pixels, about the number of blocks of 8 x 8 that "
        "224 pixels have"
    )
    source = (
        "qualities of Hendrycks and Dietterich: Benchmarking neural network robustness to common "
        "corruptions and perturbations (ImageNet-C), ICLR 2019, on the scale of the IJG library"
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Draw nothing."""
        return {}

    def spoil(self, clip: Frames, params: Params, out: Frames, *, quality: float) -> Achieved | str:
        """Compress a clip frame by frame."""
        import cv2

        size = 0
        for frame, spoilt in zip(clip, out, strict=True):
            written, data = cv2.imencode(
                ".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, int(quality)]
            )
            if not written:
                raise MerbenchError("OpenCV cannot write a JPEG", fix="reinstall opencv-python-headless")
            size += len(data)
            spoilt[:] = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
        return {"quality": quality, "bits_per_pixel": round(8 * size / (clip.size / 3), 4)}
