"""A room that answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from corruptions.audio._twinned import TwinnedCorruption
from merbench.corruption import Measure
from merbench.rng import Stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    import torch

    from corruptions.audio._device import Recordings
    from merbench.types import Achieved, Params, Pool, Sample

    PCM16 = npt.NDArray[np.int16]


_SILENT = "the recording is silent"


@dataclass(frozen=True)
class Reverb(TwinnedCorruption):
    """The voice in a room: a direct path that stays where it was, and a tail that decays by 60 dB in RT60.

    The room's volume and the speaker's distance are drawn once and decide how loud the tail is; the tail's
    noise is drawn once too, so severities differ by the decay alone. The level is that of the clean
    recording, unless the peaks need more headroom.
    """

    version = 1
    exactness = "exact"
    severity: ClassVar = {"rt60_s": (0.3, 0.5, 0.8, 1.2, 2.0)}
    measure = Measure("rt60_s", "rt60_s", worse="higher", kind="per-sample", tolerance=0.1)
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = (
        "Bradley, Sato and Picard: On the importance of early reflections for speech in rooms, Journal "
        "of the Acoustical Society of America 113(6), 2003: early reflections help to understand "
        "speech; for emotion we know of no figures, hence uncertain from 1.2 s on"
    )
    source = (
        "Polack: La transmission de l'energie sonore dans les salles, 1988 (the tail as decaying noise); "
        "Kuttruff: Room Acoustics (critical distance 0.057 sqrt(V / RT60)); RT60 from a furnished room "
        "(0.3 s) to a large hall (2 s), ISO 3382-2"
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Draw a room of 30 to 300 cubic metres, a distance of 0.5 to 3 m, and the tail's stream."""
        volume, distance = rng.uniform(2).tolist()
        return {
            "volume_m3": round(30 + 270 * volume),
            "distance_m": round(0.5 + 2.5 * distance, 2),
            "stream": rng.child("tail").key,
        }

    def spoil(
        self, audio: PCM16, sample_rate: int, params: Params, pool: Pool, out: PCM16, *, rt60_s: float
    ) -> Achieved | str:
        """Put a recording into its room."""
        from corruptions.audio._filters import convolve
        from corruptions.audio._room import level_match, measured_rt60

        if not audio.any():
            return _SILENT
        response = _response(params, sample_rate, rt60_s)
        gain = level_match(audio, convolve(audio, response), out)
        return {"rt60_s": round(measured_rt60(response, sample_rate), 3), "gain": gain}

    def spoil_together(
        self, recordings: Recordings, params: Sequence[Params], pool: Pool, *, rt60_s: float
    ) -> tuple[torch.Tensor, list[Achieved | str]]:
        """Put all recordings into their rooms; these are made on the host."""
        from corruptions.audio._device_filters import in_rooms
        from corruptions.audio._room import measured_rt60

        rooms = [_response(row, rate, rt60_s) for row, rate in zip(params, recordings.rates, strict=True)]
        values, gains = in_rooms(recordings, rooms)
        reports: list[Achieved | str] = [
            _SILENT if gain is None else {"rt60_s": round(measured_rt60(room, rate), 3), "gain": gain}
            for gain, room, rate in zip(gains, rooms, recordings.rates, strict=True)
        ]
        return values, reports


def _response(params: Params, sample_rate: int, rt60_s: float) -> npt.NDArray[np.int64]:
    from corruptions.audio._room import impulse_response

    tail = Stream(params["stream"])
    return impulse_response(tail, sample_rate, rt60_s, params["volume_m3"], params["distance_m"])
