"""Hiding pixels, in kernels. Importing this module imports numba.

A mask is bool [H, W * 3]: three equal values per pixel, one for each byte of it, so that a frame is
covered in one pass over its bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from merbench.compiled import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]

UNITS = 1024
"""Rectangles are given in 1/1024 of the frame's height and width."""


@kernel
def hide(rectangles: npt.NDArray[np.int64], height: int, width: int, pixels: int) -> Mask:
    """Return a mask that hides exactly `pixels` pixels: the first ones in the order of the rectangles.

    Rectangles [R, 4] are (top, left, height, width). Each pixel takes its place in the order from the
    first rectangle that holds it and, within that, in reading order; what no rectangle holds comes last.
    This order does not depend on `pixels`, so fewer of them are always a subset of more.
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
def cover(
    frames: npt.NDArray[np.uint8], masks: npt.NDArray[np.bool_], colour: int, out: npt.NDArray[np.uint8]
) -> None:
    """Write `frames` [F, B] to `out` [F, B] with `colour` where the mask says so.

    `masks` [M, B] has one row for each frame, or one for all.
    """
    fill = np.uint8(colour)
    for f in range(len(frames)):
        frame, mask, covered = frames[f], masks[f % len(masks)], out[f]
        for i in range(len(frame)):
            covered[i] = fill if mask[i] else frame[i]
