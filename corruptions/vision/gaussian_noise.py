"""A sensor at high gain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from corruptions.vision._clip import ClipCorruption
from merbench.corruption import Measure
from merbench.rng import Stream

if TYPE_CHECKING:
    import numpy.typing as npt

    from merbench.types import Achieved, Params, Pool, Sample

    Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class GaussianNoise(ClipCorruption):
    """Gaussian noise of one strength on every pixel and colour, new in every frame."""

    version = 1
    exactness = "exact"
    severity: ClassVar = {"sigma": (0.08, 0.12, 0.18, 0.26, 0.38)}
    measure = Measure("sigma", "sigma", worse="higher", kind="per-sample", tolerance=0.001)
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = (
        "Bombari et al.: Emotion recognition: the role of featural and configural face information, "
        "Quarterly Journal of Experimental Psychology 66(12), 2013: configural information survives the loss "
        "of detail; noise as strong as severities 4 and 5 was not tested"
    )
    source = (
        "standard deviations, in shares of the range, of Hendrycks and Dietterich: Benchmarking neural "
        "network robustness to common corruptions and perturbations (ImageNet-C), ICLR 2019"
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Name the stream that places every frame's noise."""
        return {"stream": rng.key}

    def spoil(self, clip: Frames, params: Params, out: Frames, *, sigma: float) -> Achieved | str:
        """Add noise to a clip."""
        from corruptions.vision._sensor import FIELD, add_gaussian

        levels = np.empty((256, 2), dtype=np.int32)
        levels[:, 0] = np.arange(256) * 256
        levels[:, 1] = deviation = round(sigma * 255 * 256)
        add_gaussian(clip, Stream(params["stream"]).integers(len(clip), 0, FIELD), levels, out)
        return {"sigma": round(deviation / 255 / 256, 6)}
