"""A dark room."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from corruptions.vision._clip import ClipCorruption
from merbench.corruption import Measure
from merbench.rng import Stream

if TYPE_CHECKING:
    import numpy.typing as npt

    from merbench.types import Achieved, Params, Pool, Sample

    Frames = npt.NDArray[np.uint8]

_FULL_WELL = 2000  # photons of a white pixel in full light
_READ_NOISE = 8  # electrons


@dataclass(frozen=True)
class LowLight(ClipCorruption):
    """A share of the light, and the camera's photon and read noise that it no longer hides.

    The camera does not turn up its gain, so levels fall in proportion. Noise is that of a small sensor:
    2 000 photons for white in full light, 8 electrons when it is read out.
    """

    version = 1
    exactness = "exact"
    severity: ClassVar = {"light": (0.60, 0.40, 0.25, 0.15, 0.08)}
    measure = Measure("light", "light", worse="lower", kind="per-sample", tolerance=0.0)
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = (
        "we know of no figures for people; a picture at 15 % of its levels and below shows little of a face "
        "on an ordinary screen, hence uncertain from severity 4 on"
    )
    source = (
        "levels as in Loh and Chan: Getting to know low-light images with the Exclusively Dark dataset, "
        "CVIU 178, 2019; noise after EMVA Standard 1288 (photon noise and read noise)"
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Name the stream that places every frame's noise."""
        return {"stream": rng.key}

    def spoil(self, clip: Frames, params: Params, out: Frames, *, light: float) -> Achieved | str:
        """Darken a clip."""
        from corruptions.vision._sensor import FIELD, add_gaussian

        places = Stream(params["stream"]).integers(len(clip), 0, FIELD)
        add_gaussian(clip, places, _levels(light), out)
        return {"light": light}


@cache
def _levels(light: float) -> npt.NDArray[np.int32]:
    """Return the darkened level and its noise for every level, in 1/256, [256, 2]."""
    per_photon = 255 / _FULL_WELL
    noise = [math.sqrt(level / per_photon * light + _READ_NOISE**2) * per_photon for level in range(256)]
    return np.asarray(np.rint(np.array([np.arange(256) * light, noise]).T * 256), dtype=np.int32)
