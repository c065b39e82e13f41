"""Somebody who speaks through a mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from corruptions.compound._parts import Compound


@dataclass(frozen=True)
class MaskedSpeaker(Compound):
    """A surgical mask over the face, and the muffled voice that comes through it."""

    version = 1
    changes = ("audio", "vision")
    exactness = "exact"
    label_validity = ("preserved", "preserved", "uncertain", "uncertain", "uncertain")
    validity_source = "that of its parts at each severity: vision/object_insertion and audio/band_limit"
    source = (
        "vision/object_insertion with a surgical mask and audio/band_limit, each at the same severity; "
        "Corey, Jones and Singer: Acoustic effects of medical, cloth, and transparent face masks on "
        "speech signals, JASA 148(4), 2020: every mask attenuates sound above 1 kHz, by amounts that "
        "vary much"
    )

    def recipe(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return the parts."""
        return {
            "mask": ("vision/object_insertion", {"thing": "surgical_mask"}),
            "voice": ("audio/band_limit", {}),
        }
