"""What the corruptions share whose noise a camera's sensor makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corruptions.vision._planned import PlannedCorruption

if TYPE_CHECKING:
    from merbench.rng import Stream
    from merbench.types import Params, Pool, Sample


@dataclass(frozen=True)
class SensorNoise(PlannedCorruption):
    """Noise on every pixel and colour, new in every frame."""

    exactness = "exact"
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = (
        "Bombari et al.: Emotion recognition: the role of featural and configural face information, "
        "Quarterly Journal of Experimental Psychology 66(12), 2013: people recognise emotions in faces "
        "that were blurred until little detail was left; noise was not tested, hence uncertain from "
        "severity 4 on"
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Name the stream that places every frame's noise."""
        return {"stream": rng.key}
