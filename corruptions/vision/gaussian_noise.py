"""A sensor at high gain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from corruptions.vision._sensor_noise import SensorNoise
from merbench.corruption import Measure

if TYPE_CHECKING:
    from corruptions.vision._sensor import AddGaussian
    from merbench.types import Achieved, Params


@dataclass(frozen=True)
class GaussianNoise(SensorNoise):
    """Gaussian noise of one strength on every pixel and colour, new in every frame."""

    version = 1
    severity: ClassVar = {"sigma": (0.08, 0.12, 0.18, 0.26, 0.38)}
    measure = Measure("sigma", "sigma", worse="higher", kind="per-sample", tolerance=0.001)
    source = (
        "standard deviations, in shares of the range, of Hendrycks and Dietterich: Benchmarking neural "
        "network robustness to common corruptions and perturbations (ImageNet-C), ICLR 2019"
    )

    def plan(self, shape: tuple[int, ...], params: Params, *, sigma: float) -> tuple[AddGaussian, Achieved]:
        """Choose the noise of every frame."""
        from corruptions.vision._sensor import AddGaussian, places, same_noise

        deviation = round(sigma * 255 * 256)
        change = AddGaussian(places(params["stream"], shape[0]), same_noise(deviation))
        return change, {"sigma": round(deviation / 255 / 256, 6)}
