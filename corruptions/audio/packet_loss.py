"""A call over a bad line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from corruptions.audio._recording import RecordingCorruption
from merbench.corruption import Measure
from merbench.options import option
from merbench.rng import Stream

if TYPE_CHECKING:
    import numpy.typing as npt

    from merbench.types import Achieved, Params, Pool, Sample

    PCM16 = npt.NDArray[np.int16]

_PACKETS_PER_SECOND = 50
_RECOVERY = 0.5  # a burst of losses lasts two packets on average


@dataclass(frozen=True)
class PacketLoss(RecordingCorruption):
    """Packets of 20 ms lost in bursts, after Gilbert and Elliott.

    A lost packet is followed by a received one with probability r = 0.5, a received one by a lost one
    with p = r q / (1 - q), which makes q the share that is lost in the long run. All severities read the
    same random numbers, and as p <= 1 - r, what one loses a higher one loses too.
    """

    version = 1
    exactness = "exact"
    severity: ClassVar = {"rate": (0.02, 0.05, 0.10, 0.20, 0.40)}
    measure = Measure("rate", "rate", worse="higher", kind="on-average", tolerance=0.10)
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = (
        "ITU-T G.113 Appendix I (2007): without concealment, 2 % of loss already impairs a call audibly and "
        "10 % makes it poor; listeners' judgement of emotion was not measured, hence uncertain from 20 % on"
    )
    source = (
        "Gilbert: Capacity of a burst-noise channel, Bell System Technical Journal 39(5), 1960; packets of "
        "20 ms as in RTP (RFC 3551)"
    )

    concealment: Literal["silence", "repeat"] = option(
        "silence",
        "what is heard of a lost packet: nothing, or the last one received, halved for every further loss",
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Name the stream that decides over the packets."""
        return {"stream": rng.key}

    def spoil(
        self, audio: PCM16, sample_rate: int, params: Params, pool: Pool, out: PCM16, *, rate: float
    ) -> Achieved | str:
        """Lose a recording's packets."""
        size = max(1, sample_rate // _PACKETS_PER_SECOND)
        count = -(-len(audio) // size)
        lost = _losses(Stream(params["stream"]).uniform(count), rate)
        out[:] = audio
        for packet in np.flatnonzero(lost).tolist():
            here = out[packet * size : (packet + 1) * size]
            if packet == 0 or self.concealment == "silence":
                here[:] = 0
            else:  # what stands there was itself repeated if that one was lost: every further loss halves it
                before = out[(packet - 1) * size : packet * size][: len(here)]
                here[:] = before // 2 if lost[packet - 1] else before
        return {"rate": round(int(lost.sum()) / count, 6), "lost": int(lost.sum())}


def _losses(uniforms: npt.NDArray[np.float64], rate: float) -> npt.NDArray[np.bool_]:
    """Return which packets are lost, bool [N]; the first one with the long-run probability."""
    begin = _RECOVERY * rate / (1 - rate)
    lost = np.empty(len(uniforms), dtype=bool)
    state = False
    for i, u in enumerate(uniforms.tolist()):
        state = u < (rate if i == 0 else 1 - _RECOVERY if state else begin)
        lost[i] = state
    return lost
