"""A sensor that counts few photons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from corruptions.vision._clip import ClipCorruption
from merbench.corruption import Measure
from merbench.rng import Stream

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from merbench.types import Achieved, Params, Pool, Sample

    Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ShotNoise(ClipCorruption):
    """Poisson noise, new in every frame: the fewer photons make a white pixel, the coarser the picture."""

    version = 1
    exactness = "exact"
    severity: ClassVar = {"photons": (60.0, 25.0, 12.0, 5.0, 3.0)}
    measure = Measure("photons", "photons", worse="lower", kind="per-sample", tolerance=0.0)
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = (
        "Bombari et al.: Emotion recognition: the role of featural and configural face information, "
        "Quarterly Journal of Experimental Psychology 66(12), 2013: configural information survives the loss "
        "of detail; noise as strong as severities 4 and 5 was not tested"
    )
    source = (
        "photons per white pixel of Hendrycks and Dietterich: Benchmarking neural network robustness to "
        "common corruptions and perturbations (ImageNet-C), ICLR 2019"
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Name the stream that places every frame's noise."""
        return {"stream": rng.key}

    def spoil(self, clip: Frames, params: Params, out: Frames, *, photons: float) -> Achieved | str:
        """Count a clip's photons."""
        from corruptions.vision._sensor import FIELD, count_photons

        count_photons(clip, Stream(params["stream"]).integers(len(clip), 0, FIELD), photons, out)
        return {"photons": photons}
