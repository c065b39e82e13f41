"""A sensor that counts few photons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from corruptions.vision._sensor_noise import SensorNoise
from merbench.corruption import Measure

if TYPE_CHECKING:
    from corruptions.vision._sensor import CountPhotons
    from merbench.types import Achieved, Params


@dataclass(frozen=True)
class ShotNoise(SensorNoise):
    """Poisson noise, new in every frame: the fewer photons make a white pixel, the coarser the picture."""

    version = 1
    severity: ClassVar = {"photons": (60.0, 25.0, 12.0, 5.0, 3.0)}
    measure = Measure("photons", "photons", worse="lower", kind="per-sample", tolerance=0.0)
    source = (
        "photons per white pixel of Hendrycks and Dietterich: Benchmarking neural network robustness to "
        "common corruptions and perturbations (ImageNet-C), ICLR 2019"
    )

    def plan(
        self, shape: tuple[int, ...], params: Params, *, photons: float
    ) -> tuple[CountPhotons, Achieved]:
        """Choose every frame's chances."""
        from corruptions.vision._sensor import CountPhotons, places

        return CountPhotons(places(params["stream"], shape[0]), photons), {"photons": photons}
