"""Hiding pixels, in kernels. Importing this module imports numba.

A mask is bool [H, W * 3]: three equal values per pixel, one for each byte of it, so that a frame is
covered in one pass over its bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from corruptions.vision._face import UNITS
from corruptions.vision._planned import Change
from merbench.compiled import kernel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    import numpy.typing as npt
    import torch

    Frames = npt.NDArray[np.uint8]
    Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Cover(Change):
    """One colour over the first `pixels` pixels of `rectangles` [R, 4]; see `hide`.

    With `shifts` [F, 2] (down, right) the mask lies elsewhere in every frame, and what leaves on one side
    comes back in on the other. Either all changes of a corruption have them or none.
    """

    rectangles: npt.NDArray[np.int64]
    pixels: int
    colour: int
    shifts: npt.NDArray[np.int64] | None = None

    def write(self, clip: Frames, out: Frames) -> None:
        """Cover a clip."""
        count, height, width, _ = clip.shape
        masks = hide(self.rectangles, height, width, self.pixels)[np.newaxis]
        if self.shifts is not None:
            masks = np.stack([np.roll(masks[0], (y, 3 * x), axis=(0, 1)) for y, x in self.shifts])
        flat = (count, height * width * 3)
        cover(clip.reshape(flat), masks.reshape(-1, flat[1]), self.colour, out.reshape(flat))

    @classmethod
    def on_device(cls, changes: Sequence[Self], clips: torch.Tensor) -> torch.Tensor:
        """Cover clips with masks that are made there."""
        from corruptions.vision._device import covered, hidden, shifted, uploaded

        rectangles = uploaded([change.rectangles for change in changes], clips)
        pixels = uploaded(np.array([change.pixels for change in changes]), clips)
        masks = hidden(rectangles, pixels, *clips.shape[2:4])[:, None]
        shifts = [change.shifts for change in changes if change.shifts is not None]
        return covered(clips, shifted(masks, uploaded(shifts, clips)) if shifts else masks, changes[0].colour)


@kernel
def hide(rectangles: npt.NDArray[np.int64], height: int, width: int, pixels: int) -> Mask:
    """Return a mask that hides exactly `pixels` pixels: the first ones in the order of the rectangles.

    Rectangles [R, 4] are (top, left, height, width) in 1/`UNITS` of the frame's sides. Each pixel takes its
    place in the order from the first rectangle that holds it and, within that, in reading order; what no
    rectangle holds comes last. This order does not depend on `pixels`, so fewer of them are always a subset
    of more.
    """
    mask = np.zeros((height, width * 3), dtype=np.bool_)
    left_to_hide = 3 * pixels
    for r in range(len(rectangles) + 1):
        top, left, bottom, right = 0, 0, height, width
        if r < len(rectangles):
            y, x, h, w = rectangles[r]
            top, bottom = y * height // UNITS, -(-(y + h) * height // UNITS)
            left, right = x * width // UNITS, -(-(x + w) * width // UNITS)
        for row in mask[top:bottom, 3 * left : 3 * right]:
            free = 0
            for hidden in row:
                free += not hidden
            if free <= left_to_hide:
                row[:] = True
                left_to_hide -= free
                continue
            for i in range(len(row)):
                if left_to_hide == 0:
                    return mask
                if not row[i]:
                    row[i] = True
                    left_to_hide -= 1
    return mask


@kernel
def cover(frames: Frames, masks: Mask, colour: int, out: Frames) -> None:
    """Write `frames` [F, B] to `out` [F, B] with `colour` where the mask says so.

    `masks` [M, B] has one row for each frame, or one for all.
    """
    fill = np.uint8(colour)
    for f in range(len(frames)):
        frame, mask, covered = frames[f], masks[f % len(masks)], out[f]
        for i in range(len(frame)):
            covered[i] = fill if mask[i] else frame[i]
