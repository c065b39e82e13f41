"""Sample-rate conversion that gives the same bytes on every machine.

A polyphase Kaiser-windowed sinc whose taps lie on a grid of 2^-20, applied to integers of at most
24 bits: every product and every sum is an integer below 2^53 in units of 2^-20, so that float64
arithmetic is exact in whatever order it is done, on any processor and with any library build. What
other resamplers round differently from build to build is here decided once, by the grid.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

_GRID = 2.0**20
_ZERO_CROSSINGS = 24
_ROLLOFF = 0.945
_KAISER_BETA = 10.0  # 100 dB stop band (Kaiser 1974)


@lru_cache(maxsize=32)
def _taps(up: int, down: int) -> npt.NDArray[np.float64]:
    """Return the odd-length low-pass for up/down, gain `up`, symmetric, on the grid."""
    widest = max(up, down)
    half = _ZERO_CROSSINGS * widest
    n = np.arange(-half, half + 1)
    cutoff = _ROLLOFF / widest
    taps = np.sinc(cutoff * n) * np.kaiser(2 * half + 1, _KAISER_BETA) * cutoff * up
    return np.asarray(np.rint(taps * _GRID) / _GRID, dtype=np.float64)


def resampled_length(length: int, source: int, target: int) -> int:
    """Return ceil(length * target / source), the number of samples after conversion."""
    return -(-length * target // source)


def resample(
    audio: npt.NDArray[np.floating] | npt.NDArray[np.integer], source: int, target: int
) -> npt.NDArray[np.float64]:
    """Return a mono signal [T] at `target` Hz, aligned with the input, without rounding the result.

    Args:
        audio: integers (or integer-valued floats) of at most 24 bits.
        source: its rate in Hz.
        target: the wanted rate in Hz.
    """
    signal = np.asarray(audio, dtype=np.float64)
    if source == target:
        return signal
    from scipy.signal import upfirdn

    common = gcd(source, target)
    up, down = target // common, source // common
    taps = _taps(up, down)
    length = resampled_length(len(signal), source, target)
    # upfirdn keeps every `down`-th output starting at 0: pad the filter so that its centre falls on one.
    half = len(taps) // 2
    lead = -half % down
    full = upfirdn(np.concatenate([np.zeros(lead), taps]), signal, up, down)
    start = (half + lead) // down
    out = full[start : start + length]
    return np.pad(out, (0, length - len(out)))


def to_pcm16(signal: npt.NDArray[np.floating]) -> tuple[npt.NDArray[np.int16], int]:
    """Round half to even and limit to 16 bits; return the samples and how many were at or over the limit."""
    rounded = np.rint(signal)
    clipped = int(np.count_nonzero((rounded >= 32767) | (rounded <= -32768)))
    return np.clip(rounded, -32768, 32767).astype(np.int16), clipped
