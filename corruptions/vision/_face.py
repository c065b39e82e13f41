"""Where the face is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from merbench.media.faces import CENTRED, UNITS, annotated_box

if TYPE_CHECKING:
    from merbench.types import Params, Sample

__all__ = ["UNITS", "face_box"]


def face_box(sample: Sample) -> Params:
    """Return the params ``box`` (in 1/`UNITS` of the frame) and ``box_from`` of a sample.

    The box is what the suite knows of the sample's face (`merbench.suites.faces`), or else the dataset's;
    without either it is the one in the middle, and ``box_from`` says so.

    Raises:
        MerbenchError: the dataset's box is not a box.
    """
    if sample.face is not None:
        return {"box": list(sample.face.box), "box_from": sample.face.source}
    given = annotated_box(sample.utterance)
    return {"box": list(given or CENTRED), "box_from": "centred" if given is None else "dataset"}
