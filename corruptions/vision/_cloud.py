"""Clouds and veils in integers. Importing this module imports numba."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from merbench.compiled import kernel
from merbench.rng import Stream

if TYPE_CHECKING:
    import numpy.typing as npt

    Frames = npt.NDArray[np.uint8]

_CELLS = (3, 6, 12)
_WEIGHTS = (4, 2, 1)  # half as much per octave
_AIRLIGHT = 235
_VARIATION = 0.6
_ONE = 1024
"""Clouds and opacities are in 1/1024."""


def cloud(stream: str, height: int, width: int) -> npt.NDArray[np.int32]:
    """Return a smooth field [H, W] in -512..512 whose mean is 0 to within one."""
    chance = Stream(stream)
    total = np.zeros((height, width), dtype=np.int32)
    for cells, weight in zip(_CELLS, _WEIGHTS, strict=True):
        lattice = chance.integers((cells + 1) ** 2, 0, _ONE + 1).reshape(cells + 1, cells + 1)
        _interpolate(lattice, weight, total)
    total -= int(total.sum()) // total.size
    return total * 512 // max(1, int(np.abs(total).max()))


@kernel
def _interpolate(lattice: npt.NDArray[np.int64], weight: int, total: npt.NDArray[np.int32]) -> None:
    """Add `weight` times the bilinear interpolation of a lattice [N + 1, N + 1]."""
    height, width = total.shape
    cells = len(lattice) - 1
    for y in range(height):
        at_y = (2 * y + 1) * cells * 512 // height
        row, down = at_y // 1024, at_y % 1024
        for x in range(width):
            at_x = (2 * x + 1) * cells * 512 // width
            column, right = at_x // 1024, at_x % 1024
            upper = lattice[row, column] * (1024 - right) + lattice[row, column + 1] * right
            lower = lattice[row + 1, column] * (1024 - right) + lattice[row + 1, column + 1] * right
            total[y, x] += weight * ((upper * (1024 - down) + lower * down) >> 20)


def veil(clip: Frames, field: npt.NDArray[np.int32], opacity: float, out: Frames) -> float:
    """Write the veiled clip to `out` and return its mean opacity."""
    room = round(2 * _VARIATION * min(opacity, 1 - opacity) * _ONE)
    thickness = round(opacity * _ONE) + (room * field >> 10)
    _blend(clip, thickness, out)
    return float(thickness.mean()) / _ONE


@kernel
def _blend(clip: Frames, thickness: npt.NDArray[np.int32], out: Frames) -> None:
    count, height, width, _ = clip.shape
    for f in range(count):
        for y in range(height):
            for x in range(width):
                thick = thickness[y, x]
                air = thick * _AIRLIGHT + _ONE // 2
                for c in range(3):
                    out[f, y, x, c] = (clip[f, y, x, c] * (_ONE - thick) + air) >> 10
