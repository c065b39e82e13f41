"""Clouds and veils in integers. Importing this module imports numba."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from corruptions.vision._planned import Change
from merbench.compiled import kernel
from merbench.rng import Stream

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    import numpy.typing as npt
    import torch

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


@dataclass(frozen=True)
class Veil(Change):
    """A veil whose opacity [H, W] is in 1/1024."""

    thickness: npt.NDArray[np.int32]

    @classmethod
    def of(cls, field: npt.NDArray[np.int32], opacity: float) -> Veil:
        """Return a veil as uneven as a cloud `field` [H, W], with a mean of `opacity`."""
        room = round(2 * _VARIATION * min(opacity, 1 - opacity) * _ONE)
        return cls(round(opacity * _ONE) + (room * field >> 10))

    @property
    def opacity(self) -> float:
        """Its mean."""
        return float(self.thickness.mean()) / _ONE

    def write(self, clip: Frames, out: Frames) -> None:
        """Veil a clip."""
        _blend(clip, self.thickness, out)

    @classmethod
    def on_device(cls, changes: Sequence[Self], clips: torch.Tensor) -> torch.Tensor:
        """Veil clips."""
        from corruptions.vision._device import blended, uploaded

        thickness = uploaded([change.thickness for change in changes], clips)[:, None, :, :, None]
        return blended(clips, _ONE - thickness, thickness * _AIRLIGHT + _ONE // 2, 10)


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
