"""Named lists of corruptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PRESETS: dict[str, tuple[str, ...]] = {
    "core": ("audio/environment", "vision/occlusion_mask", "text/typo", "modality/dropout"),
    "core-us8k": ("audio/urban_noise", "vision/occlusion_mask", "text/typo", "modality/dropout"),
}
"""``core`` needs nothing but merbench; ``core-us8k`` asks for UrbanSound8K."""


def expand(names: Sequence[str]) -> list[str]:
    """Return the corruption specs that `names` stand for; presets are replaced by their members."""
    return [spec for name in names for spec in PRESETS.get(name, (name,))]
