"""A dark room."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from corruptions.vision._sensor_noise import SensorNoise
from merbench.corruption import Measure

if TYPE_CHECKING:
    import numpy.typing as npt

    from corruptions.vision._sensor import AddGaussian
    from merbench.types import Achieved, Params

_FULL_WELL = 2000  # photons of a white pixel in full light
_READ_NOISE = 8  # electrons


@dataclass(frozen=True)
class LowLight(SensorNoise):
    """A share of the light, and the camera's photon and read noise that it no longer hides.

    The camera does not turn up its gain, so levels fall in proportion. Noise is that of a small sensor:
    2 000 photons for white in full light, 8 electrons when it is read out.
    """

    version = 1
    severity: ClassVar = {"light": (0.60, 0.40, 0.25, 0.15, 0.08)}
    measure = Measure("light", "light", worse="lower", kind="per-sample", tolerance=0.0)
    validity_source = (
        "we know of no figures for people; a picture at 15 % of its levels and below shows little of a face "
        "on an ordinary screen, hence uncertain from severity 4 on"
    )
    source = (
        "the shares of light are merbench's, a half to two thirds of the last at each step; noise after "
        "EMVA Standard 1288 (photon noise and read noise)"
    )

    def plan(self, shape: tuple[int, ...], params: Params, *, light: float) -> tuple[AddGaussian, Achieved]:
        """Choose the noise of every frame."""
        from corruptions.vision._sensor import AddGaussian, places

        return AddGaussian(places(params["stream"], shape[0]), _levels(light)), {"light": light}


@cache
def _levels(light: float) -> npt.NDArray[np.int32]:
    """Return the darkened level and its noise for every level, in 1/256, [256, 2]."""
    per_photon = 255 / _FULL_WELL
    noise = [math.sqrt(level / per_photon * light + _READ_NOISE**2) * per_photon for level in range(256)]
    return np.asarray(np.rint(np.array([np.arange(256) * light, noise]).T * 256), dtype=np.int32)
