"""Long convolutions that are exact: the same bytes from any FFT on any machine."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


def convolve(signal: npt.NDArray[np.integer], taps: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """Return the first [T] samples of the convolution of a signal [T] with taps [N], exact integers.

    The result of integers is an integer, so an FFT whose error is below one half gives it exactly once
    rounded. The error of a float64 FFT is at most a few times log2(length) * 2^-53 of the norms' product
    (Higham: Accuracy and Stability of Numerical Algorithms, section 24.1).

    Raises:
        ValueError: the numbers are too big for that to hold.
    """
    from scipy.fft import irfft, next_fast_len, rfft

    length = next_fast_len(len(signal) + len(taps) - 1, real=True)
    refuse_inexact(float(np.square(signal, dtype=np.float64).sum()), taps, length)
    spectrum = rfft(signal.astype(np.float64), length)
    spectrum *= rfft(taps.astype(np.float64), length)
    return np.asarray(np.rint(irfft(spectrum, length)[: len(signal)]), dtype=np.float64)


def refuse_inexact(energy: float, taps: npt.NDArray[np.integer], length: int) -> None:
    """Raise ValueError where an FFT of `length` may not give the exact convolution.

    Args:
        energy: the signal's sum of squares.
        taps: what it is convolved with.
        length: of the FFT.
    """
    norms = math.sqrt(energy * float(np.square(taps, dtype=np.float64).sum()))
    if norms * math.log2(length) * 8 * 2.0**-53 >= 0.25:
        raise ValueError("the convolution does not fit into exact float64 arithmetic")
