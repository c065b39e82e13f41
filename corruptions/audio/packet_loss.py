"""A call over a bad line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from corruptions.audio._spliced import MOST_HALVINGS, SILENCE, Splice, SplicedCorruption
from merbench.corruption import Measure
from merbench.options import option
from merbench.rng import Stream

if TYPE_CHECKING:
    import numpy.typing as npt

    from merbench.types import Achieved, Params, Pool, Sample

_PACKETS_PER_SECOND = 50
_RECOVERY = 0.5  # a burst of losses lasts two packets on average


@dataclass(frozen=True)
class PacketLoss(SplicedCorruption):
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
        "ITU-T G.113 (2007) plans with an impairment that grows with packet loss, steeply where nothing "
        "conceals it; listeners' judgement of emotion was not measured, hence uncertain from 20 % on"
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

    def splice(
        self, length: int, sample_rate: int, params: Params, *, rate: float
    ) -> tuple[Splice, Achieved]:
        """Lose a recording's packets."""
        size = max(1, sample_rate // _PACKETS_PER_SECOND)
        count = -(-length // size)
        lost = _losses(Stream(params["stream"]).uniform(count), rate)
        figures = {"rate": round(int(lost.sum()) / count, 6), "lost": int(lost.sum())}
        return _concealed(lost, size, repeat=self.concealment == "repeat"), figures


def _concealed(lost: npt.NDArray[np.bool_], size: int, *, repeat: bool) -> Splice:
    """Return what is heard of packets of `size` samples, some of which are lost, bool [N]."""
    begins: list[int] = []
    sources: list[int] = []
    halvings: list[int] = []
    received, halved = SILENCE, 0
    for packet, (gone, before) in enumerate(zip(lost.tolist(), [None, *lost.tolist()], strict=False)):
        repeated = gone and repeat and received != SILENCE
        if gone != before or repeated:
            begins.append(packet * size)
            sources.append(received if repeated else SILENCE if gone else packet * size)
            halvings.append(halved if repeated else 0)
        halved = min(halved + 1, MOST_HALVINGS) if repeated else 0
        if not gone:
            received = packet * size
    return Splice(begins, sources, halvings)


def _losses(uniforms: npt.NDArray[np.float64], rate: float) -> npt.NDArray[np.bool_]:
    """Return which packets are lost, bool [N]; the first one with the long-run probability."""
    begin = _RECOVERY * rate / (1 - rate)
    lost = np.empty(len(uniforms), dtype=bool)
    state = False
    for i, u in enumerate(uniforms.tolist()):
        state = u < (rate if i == 0 else 1 - _RECOVERY if state else begin)
        lost[i] = state
    return lost
