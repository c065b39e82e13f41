"""Fog, smoke, a steamed-up lens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from corruptions.vision._planned import PlannedCorruption
from merbench.corruption import Measure

if TYPE_CHECKING:
    from corruptions.vision._cloud import Veil
    from merbench.rng import Stream
    from merbench.types import Achieved, Params, Pool, Sample


@dataclass(frozen=True)
class Fog(PlannedCorruption):
    """A bright veil, thicker here and thinner there, that stands still for as long as the clip lasts.

    Every pixel becomes (1 - opacity) * level + opacity * airlight, after Koschmieder; the opacity varies
    by up to 60 % of its room around the severity's mean.
    """

    version = 1
    exactness = "exact"
    severity: ClassVar = {"opacity": (0.20, 0.35, 0.50, 0.65, 0.80)}
    measure = Measure("opacity", "opacity", worse="higher", kind="per-sample", tolerance=0.01)
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = (
        "we know of no figures for people; at an opacity of 65 % a third of the contrast is left, hence "
        "uncertain from severity 4 on"
    )
    source = (
        "Koschmieder's law (1924); the cloud is a sum of three octaves of lattice noise, as the fog of "
        "ImageNet-C (Hendrycks and Dietterich, ICLR 2019) is of many"
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Name the stream that makes the cloud."""
        return {"stream": rng.key}

    def plan(self, shape: tuple[int, ...], params: Params, *, opacity: float) -> tuple[Veil, Achieved]:
        """Make the cloud."""
        from corruptions.vision._cloud import Veil, cloud

        veil = Veil.of(cloud(params["stream"], *shape[1:3]), opacity)
        return veil, {"opacity": round(veil.opacity, 6)}
