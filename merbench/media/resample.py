"""Sample-rate conversion that gives the same bytes on every machine.

A polyphase Kaiser-windowed sinc whose taps lie on a grid of 2^-20, applied to integers of at most
24 bits: every product and every sum is an integer below 2^53 in units of 2^-20, so that float64
arithmetic is exact in whatever order it is done, on any processor and with any library build. What
other resamplers round differently from build to build is here decided once, by the grid.

Because the order cannot matter, the filter bank may run as matrix products: four times as fast as a
polyphase loop.
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
_MAX_BLOCK = 256  # outputs per matrix
_ROWS = 128  # windows copied at a time, so that the copy stays in the cache


@lru_cache(maxsize=32)
def _taps(up: int, down: int, cutoff: float) -> npt.NDArray[np.float64]:
    """Return the odd-length low-pass for up/down, gain `up`, symmetric, on the grid.

    `cutoff` is its -6 dB point as a share of half the rate `up` times the input's.
    """
    half = round(_ZERO_CROSSINGS * _ROLLOFF / cutoff)
    n = np.arange(-half, half + 1)
    taps = np.sinc(cutoff * n) * np.kaiser(2 * half + 1, _KAISER_BETA) * cutoff * up
    return np.asarray(np.rint(taps * _GRID) / _GRID, dtype=np.float64)


@lru_cache(maxsize=32)
def _filter_bank(up: int, down: int, cutoff: float) -> tuple[int, list[tuple[int, npt.NDArray[np.float64]]]]:
    """Return the low-pass as matrices that make consecutive outputs from windows of the input.

    Output `m` lies at input time m * down / up, so the taps that make it repeat every `up` outputs.
    A matrix [window, outputs] makes so many of them that half of its window is new input.

    Returns:
        The number of periods of `up` outputs that one pass through the matrices makes, and for each
        matrix the input sample at which its first window begins.
    """
    taps = _taps(up, down, cutoff)
    half = len(taps) // 2
    block = max(1, min(2 * (half // up) * up // down, _MAX_BLOCK))
    periods = max(1, block // up)
    matrices = []
    for first in range(0, periods * up, block):
        outputs = np.arange(first, min(first + block, periods * up))
        begin = -((half - first * down) // up)
        inputs = np.arange(begin, (int(outputs[-1]) * down + half) // up + 1)
        tap = outputs * down - inputs[:, None] * up + half
        inside = (tap >= 0) & (tap < len(taps))
        matrices.append((begin, np.where(inside, taps[np.where(inside, tap, 0)], 0.0)))
    return periods, matrices


def filter_bank(up: int, down: int) -> tuple[int, list[tuple[int, npt.NDArray[np.float64]]]]:
    """Return the matrices that `resample` is made of, for a ratio in lowest terms; see `_filter_bank`."""
    return _filter_bank(up, down, _ROLLOFF / max(up, down))


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
    if source == target:
        return np.asarray(audio, dtype=np.float64)
    common = gcd(source, target)
    up, down = target // common, source // common
    return _filtered(audio, up, down, _ROLLOFF / max(up, down))


def low_pass(audio: npt.NDArray[np.integer], sample_rate: int, cutoff_hz: float) -> npt.NDArray[np.float64]:
    """Return a mono signal [T] without what lies above `cutoff_hz` (-6 dB there), without rounding it.

    The transition is as steep as when resampling: 100 dB down about 1.14 times the cutoff.

    Raises:
        ValueError: the cutoff is not below half the sample rate.
    """
    if not 0 < 2 * cutoff_hz < sample_rate:
        raise ValueError(f"a cutoff of {cutoff_hz} Hz is not below half of {sample_rate} Hz")
    return _filtered(audio, 1, 1, 2 * cutoff_hz / sample_rate)


def low_pass_taps(sample_rate: int, cutoff_hz: float) -> npt.NDArray[np.float64]:
    """Return the filter that `low_pass` applies: symmetric, of odd length, on a grid of 2^-20."""
    return _taps(1, 1, 2 * cutoff_hz / sample_rate)


def _filtered(
    audio: npt.NDArray[np.floating] | npt.NDArray[np.integer], up: int, down: int, cutoff: float
) -> npt.NDArray[np.float64]:
    periods, matrices = _filter_bank(up, down, cutoff)
    length = resampled_length(len(audio), down, up)
    passes = max(1, -(-length // (periods * up)))
    hop = periods * down
    lead = -min(begin for begin, _ in matrices)
    end = max((passes - 1) * hop + begin + len(matrix) for begin, matrix in matrices)
    padded = np.zeros(lead + max(end, len(audio)))
    padded[lead : lead + len(audio)] = audio
    out = np.empty((passes, periods * up))
    column = 0
    for begin, matrix in matrices:
        windows = np.lib.stride_tricks.sliding_window_view(padded[lead + begin :], len(matrix))[::hop]
        columns = slice(column, column := column + matrix.shape[1])
        for row in range(0, passes, _ROWS):
            rows = slice(row, min(row + _ROWS, passes))
            np.matmul(np.ascontiguousarray(windows[rows]), matrix, out=out[rows, columns])
    return out.reshape(-1)[:length]


def to_pcm16(
    signal: npt.NDArray[np.floating] | npt.NDArray[np.int16],
) -> tuple[npt.NDArray[np.int16], int]:
    """Round half to even and limit to 16 bits; return the samples and how many were at or over the limit."""
    rounded = np.rint(signal)
    clipped = int(np.count_nonzero((rounded >= 32767) | (rounded <= -32768)))
    return np.clip(rounded, -32768, 32767).astype(np.int16), clipped
