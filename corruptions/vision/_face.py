"""Where the face is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from merbench.errors import MerbenchError

if TYPE_CHECKING:
    from merbench.types import Params, Sample

UNITS = 1024
"""Boxes are (left, top, right, bottom) in 1/1024 of the frame's width and height."""

_CENTRED = (205, 123, 819, 942)
"""60 % of the width and 80 % of the height in the middle: a portrait, or a frame cropped to the face."""


def face_box(sample: Sample) -> Params:
    """Return the params ``box`` and ``box_from`` of a sample.

    The box is the dataset's, if the utterance has a fact ``face_box`` (left, top, right, bottom as shares
    of the frame); otherwise it is the one in the middle, and ``box_from`` says so.

    Raises:
        MerbenchError: the dataset's box is not a box.
    """
    given = sample.utterance.extra.get("face_box")
    if given is None:
        return {"box": list(_CENTRED), "box_from": "centred"}
    if not (isinstance(given, list) and len(given) == 4 and all(isinstance(v, (int, float)) for v in given)):
        raise MerbenchError(
            f"the face box of '{sample.id}' is {given!r}", fix="give four shares: left, top, right, bottom"
        )
    left, top, right, bottom = (round(float(v) * UNITS) for v in given)
    if not (0 <= left < right <= UNITS and 0 <= top < bottom <= UNITS):
        raise MerbenchError(
            f"the face box of '{sample.id}' is {given!r}, which does not lie within the frame",
            fix="give left < right and top < bottom, all from 0 to 1",
        )
    return {"box": [left, top, right, bottom], "box_from": "dataset"}
