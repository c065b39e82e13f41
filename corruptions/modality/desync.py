"""Sound that comes too late, or too early."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from corruptions.audio._spliced import SILENCE, Splice, SplicedCorruption
from merbench.corruption import Measure
from merbench.options import option

if TYPE_CHECKING:
    from merbench.rng import Stream
    from merbench.types import Achieved, Params, Pool, Sample


@dataclass(frozen=True)
class Desync(SplicedCorruption):
    """The sound moved against the picture: silence fills the gap, and what leaves the clip is lost.

    Concerns every model that reads sound, whether or not it reads pictures: what is lost is lost. A clip
    no longer than the shift passes unchanged.
    """

    version = 1
    exactness = "exact"
    severity: ClassVar = {"shift_ms": (80.0, 160.0, 320.0, 640.0, 1280.0)}
    measure = Measure("shift_ms", "shift_ms", worse="higher", kind="per-sample", tolerance=0.1)
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = (
        "van Wassenhove, Grant and Poeppel: Temporal window of integration in auditory-visual speech "
        "perception, Neuropsychologia 45(3), 2007: sound and picture are joined within about 200 ms, "
        "and rather when the sound is late; from 640 ms on a short clip also loses much of its sound"
    )
    source = "ITU-R BT.1359-1: 45 ms early to 125 ms late is noticed, 90 to 185 ms annoys; doubled per step"

    direction: Literal["drawn", "late", "early"] = option(
        "drawn", "whether the sound lags behind or runs ahead"
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Draw the direction."""
        return {"late": rng.one_uniform() < 0.5}

    def splice(
        self, length: int, sample_rate: int, params: Params, *, shift_ms: float
    ) -> tuple[Splice, Achieved] | str:
        """Move a recording."""
        shift = round(shift_ms * sample_rate / 1000)
        if shift >= length:
            return f"the recording is no longer than {shift_ms:g} ms"
        late = params["late"] if self.direction == "drawn" else self.direction == "late"
        pieces = ((0, SILENCE), (shift, 0)) if late else ((0, shift), (length - shift, SILENCE))
        return Splice.of(*pieces), {"shift_ms": round(1000 * shift / sample_rate, 4), "late": late}
