"""Rooms as impulse responses in integers."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from merbench.rng import Stream

    PCM16 = npt.NDArray[np.int16]

_DIRECT = 1 << 12
"""The direct path; the tail is in the same units, so it ends where it falls 72 dB below."""
_SPEED_OF_SOUND = 343  # m/s, in air at 20 degrees Celsius
_DOWN_5_DB, _DOWN_25_DB = 0.31622776601683794, 0.0031622776601683794
_BITS = 17
"""Of a convolved signal before its energy is summed: 2^17 squared, times half a minute, is exact."""


def impulse_response(
    noise: Stream, sample_rate: int, rt60_s: float, volume_m3: float, distance_m: float
) -> npt.NDArray[np.int64]:
    """Return a room's impulse response [N] with the direct path at its first sample.

    The tail begins when sound that goes to a wall and back could arrive, a cube's half side later, and its
    energy relative to the direct path is (distance / critical distance)^2.
    """
    first = max(1, round(volume_m3 ** (1 / 3) / 2 / _SPEED_OF_SOUND * sample_rate))
    decay = _decay(rt60_s, sample_rate)
    critical_m = 0.057 * math.sqrt(volume_m3 / rt60_s)
    ratio = (distance_m / critical_m) ** 2
    # A decaying Gaussian's energy is that of its envelope.
    energy = 1 / (1 - decay[1] ** 2)
    amplitude = round(_DIRECT * math.sqrt(ratio / energy) * 1024) / 1024
    tail = np.rint(noise.normal(len(decay)) * (decay * amplitude)).astype(np.int64)
    audible = np.flatnonzero(tail)
    end = int(audible[-1]) + 1 if len(audible) else 0
    response = np.zeros(first + end, dtype=np.int64)
    response[first:] = tail[:end]
    response[0] = _DIRECT
    return response


@lru_cache(maxsize=32)
def _decay(rt60_s: float, sample_rate: int) -> npt.NDArray[np.float64]:
    """Return the envelope [RT60] of a tail that falls by 60 dB in `rt60_s`.

    One correctly rounded factor, multiplied up one sample after the other: no libm is asked.
    """
    length = round(rt60_s * sample_rate)
    with localcontext(prec=40):
        factor = float(Decimal(10) ** (Decimal(-3) / length))
    envelope = np.cumprod(np.full(length, factor)) / factor
    envelope.setflags(write=False)
    return envelope


def measured_rt60(response: npt.NDArray[np.int64], sample_rate: int) -> float:
    """Return the reverberation time of a response in seconds, as T20 of the tail (ISO 3382-2).

    The energy still to come (Schroeder 1965) falls from 5 to 25 dB below its beginning; three times that
    time is the fall by 60 dB.
    """
    tail = response[1:].astype(np.float64)
    to_come = np.cumsum(np.square(tail)[::-1])[::-1]
    if not len(to_come) or to_come[0] == 0:
        return 0.0
    begin = int(np.argmax(to_come <= to_come[0] * _DOWN_5_DB))
    end = int(np.argmax(to_come <= to_come[0] * _DOWN_25_DB))
    return 3 * (end - begin) / sample_rate


def level_match(clean: PCM16, spoilt: npt.NDArray[np.float64], out: PCM16) -> float:
    """Write `spoilt`, integers of any size, to `out` with the energy of `clean`; return the gain.

    Where its peaks would leave PCM16 the level is lower instead: nothing is clipped.
    """
    unit = unit_of(float(np.abs(spoilt).max()))
    small = np.rint(spoilt / unit)
    gain = matching_gain(
        float(np.square(clean, dtype=np.float64).sum()),
        float(np.square(small).sum()),
        float(np.abs(small).max()),
    )
    out[:] = np.rint(small * gain)
    return relative(gain, unit)


def unit_of(peak: float) -> float:
    """Return the power of two in units of which a signal with this peak has at most `_BITS` bits."""
    return 2.0 ** max(0, math.ceil(math.log2(peak + 1)) - _BITS)


def matching_gain(clean: float, small: float, peak: float) -> float:
    """Return the gain, a multiple of 2^-30, that gives a signal another's energy, or full scale at most.

    Args:
        clean: the wanted energy.
        small: the signal's energy.
        peak: the signal's peak.
    """
    gain = min(math.sqrt(clean / small), 32767 / (peak + 1))
    grid = 2.0**30
    return math.floor(gain * grid) / grid


def relative(gain: float, unit: float) -> float:
    """Return a gain of a signal in units of `unit` relative to the direct path's."""
    return gain / unit * _DIRECT
