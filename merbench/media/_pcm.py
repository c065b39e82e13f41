"""Sound of any sample format as one mono signal whose values are exact."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from merbench.media._integrity import BrokenMediaError

if TYPE_CHECKING:
    import numpy.typing as npt

_STEPS = 256.0  # of a 24-bit sample per 16-bit one
_FULL_SCALE = 32768.0


def mono(channels: np.ndarray) -> npt.NDArray[np.float64] | npt.NDArray[np.int16]:
    """Return the mean over the channels [T], in PCM16 units on a grid of 24 bits, rounded half to even.

    On that grid `merbench.media.resample` is exact. PCM16 with one channel comes back as it is.

    Args:
        channels: [C, T] of uint8, int16, int32 (left-justified), float32 or float64 (+-1).

    Raises:
        BrokenMediaError: NaN, infinite values, or another sample format.
    """
    if channels.dtype == np.int16 and len(channels) == 1:
        return np.asarray(channels[0], dtype=np.int16)
    fine = _in_steps(channels)
    mean = fine.sum(axis=0) / len(fine) if len(fine) > 1 else fine[0]
    rounded = np.clip(np.rint(mean), -_FULL_SCALE * _STEPS, _FULL_SCALE * _STEPS - 1)
    return np.asarray(rounded / _STEPS, dtype=np.float64)


def _in_steps(samples: np.ndarray) -> npt.NDArray[np.float64]:
    """Return the samples in steps of 24 bits; each is a dyadic number, so that their sum is exact."""
    if samples.dtype == np.uint8:
        return (samples.astype(np.float64) - 128) * 256 * _STEPS
    if samples.dtype == np.int16:
        return samples.astype(np.float64) * _STEPS
    if samples.dtype == np.int32:
        return samples.astype(np.float64) / 256
    if samples.dtype.kind == "f":
        if not np.isfinite(samples).all():
            raise BrokenMediaError("holds NaN or infinite audio samples")
        return np.rint(samples.astype(np.float64) * (_FULL_SCALE * _STEPS))
    raise BrokenMediaError(f"has audio samples of type {samples.dtype}")
