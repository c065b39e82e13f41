"""Where the face is, and the square around it.

A clip has *one* box. A box per frame would follow the detector's own unsteadiness: the crop would
tremble, and differently so in every corrupted version, which is a cue that nobody filmed.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from merbench.errors import MerbenchError
from merbench.media.conform import resize_clip

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from merbench.types import JSON, Utterance

    Box = tuple[int, int, int, int]

UNITS = 1024
"""Boxes are (left, top, right, bottom) in 1/1024 of the frame's width and height."""

CENTRED = (205, 123, 819, 942)
"""60 % of the width and 80 % of the height in the middle: a portrait, or a frame cropped to the face."""

ENLARGED = 1.3
"""Side of the crop over the longer side of the box: brows, chin and some context stay in. The factor of
Rössler et al.: FaceForensics++, ICCV 2019."""

_SAME = 0.5  # intersection over union above which two boxes are taken for the same face, as in PASCAL VOC


def annotated_box(utterance: Utterance) -> Box | None:
    """Return the box of the utterance's fact ``face_box`` (left, top, right, bottom as shares), if any.

    The fact is a list of four numbers or, as a table of text has it, these with blanks or commas between.

    Raises:
        MerbenchError: what is there is no box.
    """
    given = utterance.extra.get("face_box")
    if given in (None, ""):
        return None
    shares = _shares(given)
    if len(shares) != 4:
        raise MerbenchError(
            f"the face box of '{utterance.id}' is {given!r}", fix="give four shares: left, top, right, bottom"
        )
    left, top, right, bottom = (round(share * UNITS) for share in shares)
    if not (0 <= left < right <= UNITS and 0 <= top < bottom <= UNITS):
        raise MerbenchError(
            f"the face box of '{utterance.id}' is {given!r}, which does not lie within the frame",
            fix="give left < right and top < bottom, all from 0 to 1",
        )
    return left, top, right, bottom


def _shares(given: JSON) -> list[float]:
    """Return the finite numbers in a fact, none if anything else is in it."""
    values = given.strip("[]() ").replace(",", " ").split() if isinstance(given, str) else given
    try:
        numbers = [float(v) for v in values]  # type: ignore[union-attr]
    except (TypeError, ValueError):
        return []
    return numbers if all(map(isfinite, numbers)) else []


def agreed_box(found: Sequence[Box | None]) -> Box | None:
    """Return the one box of a clip from what was found in its frames, ``None`` where nothing was.

    It is the median of the boxes that show the same face as the one which overlaps the others most:
    neither a false alarm in some frames nor a second person who is sometimes the larger moves it.
    """
    boxes = [box for box in found if box is not None]
    if not boxes:
        return None
    shared = np.array([[overlap(a, b) for b in boxes] for a in boxes])
    alike = np.array(boxes)[shared[shared.sum(axis=1).argmax()] >= _SAME]
    left, top, right, bottom = (int(v) for v in np.median(alike, axis=0))
    return left, top, right, bottom


def overlap(a: Box, b: Box) -> float:
    """Return the intersection over union of two boxes."""
    wide = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    high = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return wide * high / (areas - wide * high)


def square_around(box: Box, height: int, width: int) -> tuple[int, int, int]:
    """Return (top, left, side) in pixels of the square around a box of a frame of this size.

    It is moved, not cut, where it would leave the frame, and no larger than the frame's shorter side:
    nothing is padded.
    """
    left, right = box[0] * width / UNITS, box[2] * width / UNITS
    top, bottom = box[1] * height / UNITS, box[3] * height / UNITS
    side = min(max(1, round(ENLARGED * max(right - left, bottom - top))), height, width)
    y = round((top + bottom - side) / 2)
    x = round((left + right - side) / 2)
    return min(max(y, 0), height - side), min(max(x, 0), width - side), side


def crop_clip(clip: npt.NDArray[np.uint8], box: Box, size: int | None) -> npt.NDArray[np.uint8]:
    """Return frames uint8 [F, size, size, 3] of the square around the box; ``None`` keeps its own size."""
    top, left, side = square_around(box, *clip.shape[1:3])
    square = np.ascontiguousarray(clip[:, top : top + side, left : left + side])
    return square if size is None or side == size else resize_clip(square, size)
