"""Something that one holds or wears in front of the face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from corruptions.vision._face import UNITS, face_box
from corruptions.vision._planned import PlannedCorruption
from merbench.corruption import Measure
from merbench.options import option

if TYPE_CHECKING:
    from corruptions.vision._objects import Insert
    from merbench.rng import Stream
    from merbench.types import Achieved, Params, Pool, Sample

_THINGS = ("hand", "mug", "phone", "scarf", "sunglasses", "surgical_mask")
_TONES = 5
_SHIFT = 0.06  # of the face box's sides: nobody holds a mug twice at the same place


@dataclass(frozen=True)
class ObjectInsertion(PlannedCorruption):
    """A hand, a mug, a phone, a scarf, sunglasses or a surgical mask over a share of the face box.

    Which one, its colour and where exactly it is held are drawn once; a severity brings it as close as it
    must be to cover its share. The object is drawn, with smooth edges, and stays where it is.
    """

    version = 1
    exactness = "exact"
    severity: ClassVar = {"area": (0.10, 0.20, 0.30, 0.40, 0.50)}
    measure = Measure("area", "area", worse="higher", kind="per-sample", tolerance=0.03)
    label_validity = ("preserved", "preserved", "uncertain", "uncertain", "uncertain")
    validity_source = (
        "Carbon: Wearing face masks strongly confuses counterparts in reading emotions, Frontiers in "
        "Psychology 11:566886, 2020: with the lower half of the face covered, people misread several emotions"
    )
    source = (
        "objects of everyday life as in Zeng et al.: A survey of face recognition techniques under "
        "occlusion, IET Biometrics 10(6), 2021; drawn by merbench (corruptions/vision/_objects.py)"
    )

    thing: Literal["drawn", "hand", "mug", "phone", "scarf", "sunglasses", "surgical_mask"] = option(
        "drawn", "which object: drawn per clip, or always this one"
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Draw the object, its tone and its place; look up where the face is."""
        return {
            "thing": rng.choice(_THINGS),
            "tone": rng.one_integer(0, _TONES),
            "shift": [round((2 * u - 1) * _SHIFT, 4) for u in rng.uniform(2).tolist()],
            **face_box(sample),
        }

    def plan(self, shape: tuple[int, ...], params: Params, *, area: float) -> tuple[Insert, Achieved] | str:
        """Hold an object in front of a face, as near as it must be."""
        from corruptions.vision._objects import Insert, fit, thing

        name = params["thing"] if self.thing == "drawn" else self.thing
        height, width = shape[1:3]
        left, top, right, bottom = params["box"]
        face = (left * width / UNITS, top * height / UNITS, right * width / UNITS, bottom * height / UNITS)
        if min(face[2] - face[0], face[3] - face[1]) < 8:
            return "the face is smaller than 8 pixels"
        drawn, shift = thing(name, params["tone"]), (params["shift"][0], params["shift"][1])
        size, covered = fit(drawn, face, shift, area)
        return Insert(drawn, face, shift, size), {
            "area": round(covered, 4),
            "thing": name,
            "size": size,
            "box_from": params["box_from"],
        }
