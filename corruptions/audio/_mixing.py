"""Mixing speech and noise at a signal-to-noise ratio, in fused kernels and without a rounding in doubt.

PCM16 samples are integers and gains are multiples of 2^-20 below 2^15, so every product and every sum
is exact in float64, whatever the order and whether or not a processor fuses them. The one rounding, back
to PCM16, is half to even. Importing this module imports numba.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from merbench.compiled import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    PCM16 = npt.NDArray[np.int16]

_GRID = float(1 << 20)
FULL_SCALE = 32767
FRAMES_PER_SECOND = 50  # frames of 20 ms
ACTIVE_RANGE = 1e4  # 40 dB in power


@dataclass(frozen=True, slots=True)
class Mixture:
    """What was done to reach a ratio.

    The samples are ``headroom_gain * speech + noise_gain * noise``, rounded; `snr_db` follows from the
    two gains as they were applied.
    """

    snr_db: float
    headroom_gain: float
    noise_gain: float


def mix(
    speech: PCM16, noise: PCM16, sample_rate: int, snr_db: float, out: PCM16, *, whole: bool
) -> Mixture | str:
    """Write the mixture of two signals of one length [T] to `out` [T].

    Signal power is taken over the 20 ms frames of `speech` within 40 dB of its loudest frame, noise power
    over the same frames; with `whole`, both over the whole clip. Where the sum would leave PCM16, one gain
    brings both down together, so nothing is ever clipped and the ratio stays.

    Returns:
        What was done, or the reason why no ratio exists; then `out` is left as it was.
    """
    frame = max(1, sample_rate // FRAMES_PER_SECOND)
    balance = Balance.of(*_active_energies(speech, noise, frame, whole), snr_db)
    if isinstance(balance, str):
        return balance
    done = balance.mixture()
    peak = _mix(speech, noise, done.headroom_gain, done.noise_gain, out)
    if peak > FULL_SCALE:
        done = balance.mixture(int(peak))
        _mix(speech, noise, done.headroom_gain, done.noise_gain, out)
    return done


@dataclass(frozen=True, slots=True)
class Balance:
    """What two signals need for a ratio: that of their energies, and the gain of the noise alone."""

    energies: float
    noise_gain: float

    @classmethod
    def of(cls, length: int, speech_energy: int, noise_energy: int, snr_db: float) -> Balance | str:
        """Return what `snr_db` needs, or why there is none; energies are over `length` active samples."""
        # Below one quantisation step there is digital silence and dither: nothing to take a ratio of.
        if speech_energy < length:
            return "the recording is silent"
        if noise_energy < length:
            return "the noise is silent where the recording is not"
        wanted = math.sqrt(speech_energy / noise_energy) * amplitude_ratio(snr_db)
        return cls(speech_energy / noise_energy, wanted)

    def mixture(self, peak: int = FULL_SCALE) -> Mixture:
        """Return the gains, both lowered if the sum would otherwise reach a `peak` beyond 16 bits."""
        headroom = 1.0
        if peak > FULL_SCALE:
            headroom = math.floor(FULL_SCALE / (peak + 1) * _GRID) / _GRID  # +1: `peak` is a rounded figure
        noise_gain = on_grid(self.noise_gain * headroom)
        ratio = self.energies * (headroom / noise_gain) ** 2
        return Mixture(10 * math.log10(ratio), headroom, noise_gain)


def scale(speech: PCM16, gain: float, out: PCM16) -> None:
    """Write ``gain * speech``, rounded, within PCM16, to `out` [T]; `gain` is a multiple of 2^-20."""
    _scale(speech, gain, out)


def active_power(speech: PCM16, sample_rate: int) -> float:
    """Return the mean square of a signal [T], T >= 1, over its frames within 40 dB of the loudest."""
    length, energy, _ = _active_energies(speech, speech, max(1, sample_rate // FRAMES_PER_SECOND), False)
    return energy / length


def on_grid(gain: float) -> float:
    """Return the multiple of 2^-20 that is nearest to `gain`."""
    return round(gain * _GRID) / _GRID


@cache
def amplitude_ratio(decibels: float) -> float:
    """Return 10^(-decibels / 20), correctly rounded on every machine (libm's pow is not)."""
    with localcontext(prec=40):
        return float(Decimal(10) ** (Decimal(str(-decibels)) / 20))


@kernel
def _frame_energies(signal: PCM16, frame: int) -> npt.NDArray[np.int64]:
    """Return the sum of squares of every frame; the last one may be shorter."""
    energies = np.zeros((len(signal) + frame - 1) // frame, dtype=np.int64)
    for f in range(len(energies)):
        part = signal[f * frame : (f + 1) * frame]
        half = len(part) // 2
        energy = np.int64(0)
        for i in range(half):  # two products per step let the compiler multiply and add 16-bit pairs at once
            a, b = np.int32(part[i]), np.int32(part[half + i])
            energy += a * a + b * b
        if len(part) % 2:
            energy += np.int32(part[-1]) * np.int32(part[-1])
        energies[f] = energy
    return energies


@kernel
def _active_energies(speech: PCM16, noise: PCM16, frame: int, whole: bool) -> tuple[int, int, int]:
    """Return how many samples the active frames have, and the energy of both signals in them."""
    speech_energies, noise_energies = _frame_energies(speech, frame), _frame_energies(noise, frame)
    lengths = np.full(len(speech_energies), frame)
    lengths[-1] = len(speech) - frame * (len(lengths) - 1)
    power = speech_energies / lengths
    active = whole | (power * ACTIVE_RANGE >= power.max())
    return (
        (lengths * active).sum(),
        (speech_energies * active).sum(),
        (noise_energies * active).sum(),
    )


@kernel
def _mix(speech: PCM16, noise: PCM16, speech_gain: float, noise_gain: float, out: PCM16) -> np.int32:
    """Write the rounded sum, limited to 16 bits, and return the peak that it had before the limit."""
    peak = np.int32(0)
    for i in range(len(speech)):
        value = np.int32(np.rint(speech[i] * speech_gain + noise[i] * noise_gain))
        peak = max(peak, abs(value))
        out[i] = min(max(value, np.int32(-32768)), np.int32(32767))
    return peak


@kernel
def _scale(speech: PCM16, gain: float, out: PCM16) -> None:
    for i in range(len(speech)):
        value = np.int32(np.rint(speech[i] * gain))
        out[i] = min(max(value, np.int32(-32768)), np.int32(32767))
