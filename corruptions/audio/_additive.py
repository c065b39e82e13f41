"""Anything that is added to a voice at a signal-to-noise ratio."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from corruptions.audio._twinned import TwinnedCorruption
from merbench.corruption import Measure
from merbench.options import option

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import torch

    from corruptions.audio._device import Recordings
    from corruptions.audio._mixing import Mixture
    from merbench.types import Achieved, Params, Pool

    PCM16 = npt.NDArray[np.int16]


@dataclass(frozen=True)
class AdditiveNoise(TwinnedCorruption):
    """A noise under the whole recording, at the severity's SNR."""

    exactness = "exact"
    severity: ClassVar = {"snr_db": (20.0, 15.0, 10.0, 5.0, 0.0)}
    measure = Measure("snr_db", "snr_db", worse="lower", kind="per-sample", tolerance=0.05)
    label_validity = ("preserved", "preserved", "preserved", "preserved", "uncertain")
    validity_source = (
        "Morgan: Comparing emotion recognition and word recognition in background noise, Journal of "
        "Speech, Language, and Hearing Research, 2021: in white noise listeners make out emotion at "
        "SNRs about 10 dB lower than words, but confuse calm and sad voices earlier"
    )

    snr_reference: Literal["speech", "whole"] = option(
        "speech", "powers over the active frames of the speech, or over the whole clip"
    )
    control: bool = option(False, "leave the noise out and keep the gain: a clean clip at the same level")

    @abstractmethod
    def noise(self, params: Params, length: int, sample_rate: int, pool: Pool) -> PCM16 | str:
        """Return the noise [length] at `sample_rate` Hz, at any level, or why there is none."""

    def wanted(self, params: Params, snr_db: float) -> float:
        """Return the SNR of one recording at a severity of `snr_db`: usually just that."""
        return snr_db

    def origin(self, params: Params) -> Achieved:
        """Return what the report says of where the noise comes from."""
        return {}

    def spoil(
        self, audio: PCM16, sample_rate: int, params: Params, pool: Pool, out: PCM16, *, snr_db: float
    ) -> Achieved | str:
        """Mix a recording with its noise."""
        from corruptions.audio._mixing import mix, scale

        noise = self.noise(params, len(audio), sample_rate, pool)
        if isinstance(noise, str):
            return noise
        whole = self.snr_reference == "whole"
        done = mix(audio, noise, sample_rate, self.wanted(params, snr_db), out, whole=whole)
        if isinstance(done, str):
            return done
        if self.control:
            scale(audio, done.headroom_gain, out)
        return self._report(done, params)

    def noise_on_device(
        self, recordings: Recordings, params: Sequence[Params], pool: Pool
    ) -> tuple[torch.Tensor, list[str | None]]:
        """Return the noise of every recording, PCM16 [total], and for each why there is none, if so.

        What is said here holds for any noise: it is made on the host and sent to the device.
        """
        noises: list[PCM16] = []
        reasons: list[str | None] = []
        for length, rate, row in zip(recordings.lengths, recordings.rates, params, strict=True):
            noise = self.noise(row, length, rate, pool)
            reasons.append(noise if isinstance(noise, str) else None)
            noises.append(np.zeros(length, dtype=np.int16) if isinstance(noise, str) else noise)
        return recordings.tensor(np.concatenate(noises)), reasons

    def spoil_together(
        self, recordings: Recordings, params: Sequence[Params], pool: Pool, *, snr_db: float
    ) -> tuple[torch.Tensor, list[Achieved | str]]:
        """Mix all recordings with their noises."""
        from corruptions.audio._device_mixing import mix

        noise, reasons = self.noise_on_device(recordings, params, pool)
        wanted = [self.wanted(row, snr_db) for row in params]
        whole = self.snr_reference == "whole"
        values, done = mix(recordings, noise, reasons, wanted, whole=whole, control=self.control)
        reports = [
            mixture if isinstance(mixture, str) else self._report(mixture, row)
            for mixture, row in zip(done, params, strict=True)
        ]
        return values, reports

    def _report(self, done: Mixture, params: Params) -> Achieved:
        return {
            "snr_db": None if self.control else round(done.snr_db, 4) + 0.0,  # never "-0.0"
            "headroom_gain": done.headroom_gain,
            **self.origin(params),
        }
