"""Everything at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corruptions.compound._parts import Compound
from merbench.options import option
from merbench.types import MODALITIES

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class AllAtOnce(Compound):
    """Background sound, a covered face and a mistyped transcript: no modality is left to lean on."""

    version = 1
    changes = MODALITIES
    exactness = "exact"
    label_validity = ("preserved", "preserved", "uncertain", "uncertain", "uncertain")
    validity_source = "the least certain of its parts at each severity: vision/occlusion_mask, text/typo"
    source = "audio/environment, vision/occlusion_mask and text/typo, each at the same severity"

    noise_folds: tuple[int, ...] = option(
        (10,), "folds to take noise from: 10 is kept for tests, 1 to 9 are for hardening", changes_draw=True
    )

    def recipe(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return the parts."""
        return {
            "sound": ("audio/environment", {"noise_folds": self.noise_folds}),
            "face": ("vision/occlusion_mask", {}),
            "words": ("text/typo", {}),
        }

    @classmethod
    def material(cls, options: Mapping[str, Any]) -> frozenset[str]:
        """Return the folds that the noise comes from."""
        return frozenset(f"audio/environment fold {fold}" for fold in options["noise_folds"])
