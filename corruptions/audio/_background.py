"""Noise behind a voice: what every background corruption shares, whatever bank its clips come from."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from merbench.corruption import Corruption, Measure
from merbench.options import option

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from corruptions.audio._banks import Clip, NoiseBank
    from merbench.rng import Stream
    from merbench.types import Achieved, Batch, Params, Pool, Sample

    PCM16 = npt.NDArray[np.int16]

_FADES_PER_SECOND = 20  # fades of 50 ms


@dataclass(frozen=True)
class BackgroundNoise(Corruption):
    """One noise clip under the whole recording, from a place drawn once and at the severity's SNR."""

    changes = ("audio",)
    exactness = "exact"
    severity: ClassVar = {"snr_db": (20.0, 15.0, 10.0, 5.0, 0.0)}
    measure = Measure("snr_db", "snr_db", worse="lower", kind="per-sample", tolerance=0.05)
    label_validity = ("preserved", "preserved", "preserved", "preserved", "uncertain")
    validity_source = (
        "Morgan: Comparing emotion recognition and word recognition in background noise, Journal of Speech, "
        "Language, and Hearing Research, 2021: listeners make out emotion at SNRs about 10 dB lower than "
        "words, but confuse calm and sad voices earlier"
    )

    noise_class: str | None = option(None, "one class of the bank; none given: all", changes_draw=True)
    noise_folds: tuple[int, ...] = option(
        (10,), "folds to take noise from: 10 is kept for tests, 1 to 9 are for hardening", changes_draw=True
    )
    snr_reference: Literal["speech", "whole"] = option(
        "speech", "powers over the active frames of the speech, or over the whole clip"
    )
    control: bool = option(False, "leave the noise out and keep the gain: a clean clip at the same level")

    @property
    @abstractmethod
    def bank(self) -> NoiseBank:
        """Where the noise comes from."""

    @classmethod
    def material(cls, options: Mapping[str, Any]) -> frozenset[str]:
        """Return the folds that the noise comes from."""
        return frozenset(f"{cls.name} fold {fold}" for fold in options["noise_folds"])

    @cached_property
    def clips(self) -> tuple[Clip, ...]:
        """The clips that a draw may take."""
        return self.bank.select(self.noise_class, self.noise_folds)

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Choose a clip, and where in it to start as a share of the places there are."""
        return {"clip": rng.choice(self.clips).id, "start": rng.one_uniform()}

    def apply(
        self, batch: Batch, params: Sequence[Params], pool: Pool, *, snr_db: float
    ) -> tuple[Batch, list[Achieved]]:
        """Mix every recording with its noise."""
        audio = batch.audio
        mixed = audio.with_values(np.empty_like(audio.values))
        achieved: list[Achieved] = []
        for i, row in enumerate(params):
            report = self._mix(audio[i], batch.sample_rates[i], row, snr_db, mixed[i])
            if not report["applied"]:
                span = slice(audio.offsets[i], audio.offsets[i + 1])
                mixed.values[span] = audio.values[span]
            achieved.append(report)
        return batch.replace(audio=mixed), achieved

    def _mix(
        self,
        speech: PCM16 | None,
        sample_rate: int | None,
        params: Params,
        snr_db: float,
        out: PCM16 | None,
    ) -> Achieved:
        from corruptions.audio._mixing import mix, scale

        if speech is None or sample_rate is None or out is None:
            return {"applied": False, "snr_db": None, "reason": "there is no audio"}
        noise = self.bank.audio(params["clip"], sample_rate)
        background = excerpt(noise, params["start"], len(speech), sample_rate // _FADES_PER_SECOND)
        done = mix(speech, background, sample_rate, snr_db, out, whole=self.snr_reference == "whole")
        if isinstance(done, str):
            return {"applied": False, "snr_db": None, "reason": done, "clip": params["clip"]}
        if self.control:
            scale(speech, done.headroom_gain, out)
        return {
            "applied": True,
            "snr_db": None if self.control else round(done.snr_db, 4) + 0.0,  # never "-0.0"
            "headroom_gain": done.headroom_gain,
            "clip": params["clip"],
        }


def excerpt(noise: PCM16, start: float, length: int, fade: int) -> PCM16:
    """Return `length` samples of `noise` from `start`, a share in [0, 1) of the places there are.

    Noise shorter than that becomes a loop first, its end faded into its beginning over `fade` samples (or
    half its own length): scaled afterwards, it has the wanted power and no gap. The fade is linear, so it
    never exceeds what it joins.
    """
    if len(noise) >= length:
        first = int(start * (len(noise) - length + 1))
        return noise[first : first + length]
    fade = min(fade, len(noise) // 2)
    rise = 2 * np.arange(fade) + 1
    seam = (noise[len(noise) - fade :] * (2 * fade - rise) + noise[:fade] * rise) // max(1, 2 * fade)
    loop = np.concatenate([seam.astype(np.int16), noise[fade : len(noise) - fade]])
    return np.resize(np.roll(loop, -int(start * len(loop))), length)
