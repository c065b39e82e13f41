"""An interview on the street."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corruptions.compound._parts import Compound
from merbench.options import option

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Street(Compound):
    """Everyday sounds behind the voice; a hand-held camera, then too much sun."""

    version = 1
    changes = ("audio", "vision")
    exactness = "exact"
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = (
        "the least certain of its parts at each severity: vision/motion_blur, vision/overexposure"
    )
    source = "audio/environment, then vision/motion_blur, then vision/overexposure, each at the same severity"

    noise_folds: tuple[int, ...] = option(
        (10,), "folds to take noise from: 10 is kept for tests, 1 to 9 are for hardening", changes_draw=True
    )

    def recipe(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return the parts."""
        return {
            "sound": ("audio/environment", {"noise_folds": self.noise_folds}),
            "shake": ("vision/motion_blur", {}),
            "sun": ("vision/overexposure", {}),
        }

    @classmethod
    def material(cls, options: Mapping[str, Any]) -> frozenset[str]:
        """Return the folds that the noise comes from."""
        return frozenset(f"audio/environment fold {fold}" for fold in options["noise_folds"])
