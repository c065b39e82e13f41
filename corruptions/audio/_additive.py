"""Anything that is added to a voice at a signal-to-noise ratio."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from corruptions.audio._recording import RecordingCorruption
from merbench.corruption import Measure
from merbench.options import option

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from merbench.types import Achieved, Params, Pool

    PCM16 = npt.NDArray[np.int16]


@dataclass(frozen=True)
class AdditiveNoise(RecordingCorruption):
    """A noise under the whole recording, at the severity's SNR."""

    exactness = "exact"
    severity: ClassVar = {"snr_db": (20.0, 15.0, 10.0, 5.0, 0.0)}
    measure = Measure("snr_db", "snr_db", worse="lower", kind="per-sample", tolerance=0.05)
    label_validity = ("preserved", "preserved", "preserved", "preserved", "uncertain")
    validity_source = (
        "Morgan: Comparing emotion recognition and word recognition in background noise, Journal of Speech, "
        "Language, and Hearing Research, 2021: listeners make out emotion at SNRs about 10 dB lower than "
        "words, but confuse calm and sad voices earlier"
    )

    snr_reference: Literal["speech", "whole"] = option(
        "speech", "powers over the active frames of the speech, or over the whole clip"
    )
    control: bool = option(False, "leave the noise out and keep the gain: a clean clip at the same level")

    @abstractmethod
    def noise(self, params: Params, length: int, sample_rate: int, pool: Pool) -> PCM16 | str:
        """Return the noise [length] at `sample_rate` Hz, at any level, or why there is none."""

    def spoil(
        self, audio: PCM16, sample_rate: int, params: Params, pool: Pool, out: PCM16, *, snr_db: float
    ) -> Achieved | str:
        """Mix a recording with its noise."""
        from corruptions.audio._mixing import mix, scale

        noise = self.noise(params, len(audio), sample_rate, pool)
        if isinstance(noise, str):
            return noise
        done = mix(audio, noise, sample_rate, snr_db, out, whole=self.snr_reference == "whole")
        if isinstance(done, str):
            return done
        if self.control:
            scale(audio, done.headroom_gain, out)
        return {
            "snr_db": None if self.control else round(done.snr_db, 4) + 0.0,  # never "-0.0"
            "headroom_gain": done.headroom_gain,
        }
