"""The noise of the MER-NOISE track."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 (the types of options are read at run time)
from typing import TYPE_CHECKING, Any

from corruptions.compound._parts import Compound
from merbench.options import located, option, resource

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class MerNoise(Compound):
    """Somebody else's speech behind the voice and a blurred picture, both of a strength drawn per clip.

    Severity 3 is MER-NOISE: speech from MUSAN at 5, 6, 7, 8, 9 or 10 dB over the whole clip, and a picture
    reduced by 1 (not at all), 2 or 4, all equally likely. Other severities shift the SNRs by 5 dB and allow
    fewer or more halvings. Unlike the original it is drawn from a seed, and unless
    ``noise_folds=1+2+3+4+5+6+7+8+9+10`` lets it, it does not take every recording.
    """

    version = 1
    changes = ("audio", "vision")
    exactness = "pinned"
    libraries = ("opencv-python-headless",)
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "changed")
    validity_source = "the least certain of its parts at each severity: vision/pyramid_blur, audio/musan"
    source = (
        "Lian et al.: MER 2023: multi-label learning, modality robustness, and semi-supervised learning, ACM "
        "Multimedia 2023; its constants from the challenge's published code"
    )

    noise_folds: tuple[int, ...] = option(
        (10,), "folds to take noise from: 10 is kept for tests, 1 to 9 are for hardening", changes_draw=True
    )
    noise_root: Path | None = resource("the folder of MUSAN that holds speech", env="musan")

    def recipe(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return the parts."""
        speech = {"noise_class": "speech", "snr": "drawn", "snr_reference": "whole"}
        place = {"noise_folds": self.noise_folds, "noise_root": located(self, "noise_root")}
        return {
            "sound": ("audio/musan", {**speech, **place}),
            "picture": ("vision/pyramid_blur", {"blur": "drawn"}),
        }

    @classmethod
    def material(cls, options: Mapping[str, Any]) -> frozenset[str]:
        """Return the folds that the noise comes from."""
        return frozenset(f"audio/musan fold {fold}" for fold in options["noise_folds"])
