"""A picture that has lost its finest levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from corruptions.vision._clip import ClipCorruption
from merbench.corruption import Measure
from merbench.options import option

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from merbench.rng import Stream
    from merbench.types import Achieved, Params, Pool, Sample

    Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class PyramidBlur(ClipCorruption):
    """A clip taken down a Gaussian pyramid, which halves it, by some levels, and up again to its size.

    Half a level is met on average: at severity 1 every other clip loses one. With
    ``blur=drawn`` a clip loses any number of levels up to the severity's, none included, all equally likely:
    at severity 3 that is the reduction by 1, 2 or 4 of MER-NOISE (Lian et al.: MER 2023: multi-label
    learning, modality robustness, and semi-supervised learning, ACM Multimedia 2023).
    """

    version = 1
    exactness = "pinned"
    libraries = ("opencv-python-headless",)
    severity: ClassVar = {"levels": (0.5, 1.0, 2.0, 3.0, 4.0)}
    measure = Measure("levels", "levels", worse="higher", kind="on-average", tolerance=0.05)
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "changed")
    validity_source = (
        "Du and Martinez: The resolution of facial expressions of emotion, Journal of Vision 11(13), "
        "2011: recognition suffers only below 30 x 20 pixels; of 224 pixels these levels leave 112 to "
        "14"
    )
    source = (
        "Burt and Adelson: The Laplacian pyramid as a compact image code, IEEE Transactions on "
        "Communications 31(4), 1983, with the five-tap binomial filter of OpenCV; the first two levels are "
        "those of MER-NOISE"
    )

    blur: Literal["table", "drawn"] = option(
        "table", "as many levels as the severity says, or any number up to that (MER-NOISE)"
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Draw the one number that decides how many levels are lost."""
        return {"lot": rng.one_uniform()}

    def spoil(self, clip: Frames, params: Params, out: Frames, *, levels: float) -> Achieved | str:
        """Blur a clip."""
        import cv2

        if min(clip.shape[1:3]) < 2:
            return "the picture is too small to be halved"
        lost = int(levels + params["lot"]) if self.blur == "table" else int(params["lot"] * (levels + 1))
        for frame, spoilt in zip(clip, out, strict=True):
            pyramid = [frame]
            for _ in range(lost):
                pyramid.append(cv2.pyrDown(pyramid[-1]))
            reduced = pyramid.pop()
            for larger in reversed(pyramid):
                reduced = cv2.pyrUp(reduced, dstsize=larger.shape[1::-1])
            spoilt[:] = reduced
        return {"levels": lost, "factor": 2**lost}
