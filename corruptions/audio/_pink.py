"""White noise made pink, with the same bytes on every machine. Importing this module imports numba."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from merbench.compiled import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

SETTLING = 4096
"""Samples after which the slowest pole (time constant 880 samples) has forgotten its start to within 1 %."""

_GRID = 65536.0
# Paul Kellet's filter (music-dsp list, 1999): seven first-order low-passes, here on a grid of 2^-16.
_POLES = np.rint(np.array([0.99886, 0.99332, 0.96900, 0.86650, 0.55000, -0.7616]) * _GRID)
_GAINS = np.rint(np.array([0.0555179, 0.0750759, 0.1538520, 0.3104856, 0.5329522, -0.0168980]) * _GRID)
_DIRECT, _DELAYED = np.rint(0.5362 * _GRID), np.rint(0.115926 * _GRID)
_LEVEL = 1 / 64  # an RMS of about 3 100, 20 dB below full scale: peaks of five times that still fit


def pink(white: npt.NDArray[np.float64]) -> npt.NDArray[np.int16]:
    """Return [T - SETTLING] pink samples as PCM16 from T Gaussian ones on a grid of 2^-16.

    State and coefficients are integers in units of 2^-16 and every product stays below 2^53; the one
    rounding per pole and sample is to that grid. So it does not matter whether a processor fuses
    multiplication and addition.
    """
    out = np.empty(len(white) - SETTLING, dtype=np.int16)
    _filter(np.rint(white * _GRID), _POLES, _GAINS, out)
    return out


@kernel
def _filter(
    white: npt.NDArray[np.float64],
    poles: npt.NDArray[np.float64],
    gains: npt.NDArray[np.float64],
    out: npt.NDArray[np.int16],
) -> None:
    state = np.zeros(len(poles))
    last = 0.0
    for i in range(len(white)):
        total = _DIRECT * white[i] + _DELAYED * last
        for k in range(len(poles)):
            state[k] = np.rint((poles[k] * state[k] + gains[k] * white[i]) / _GRID)
            total += state[k] * _GRID
        last = white[i]
        if i >= SETTLING:
            value = np.rint(total / _GRID * _LEVEL)
            out[i - SETTLING] = min(max(value, -32768.0), 32767.0)
