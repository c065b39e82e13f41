"""Named lists of corruptions."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from merbench.corruption import corruptions
from merbench.errors import MerbenchError
from merbench.types import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Sequence

PRESETS: dict[str, tuple[str, ...]] = {
    "none": (),
    "core": ("audio/environment", "vision/occlusion_mask", "text/typo", "modality/dropout"),
    "core-us8k": ("audio/urban_noise", "vision/occlusion_mask", "text/typo", "modality/dropout"),
    "mer-noise": ("compound/mer_noise",),
    "robuser": tuple(
        f"audio/{noise}:snr_reference=whole" for noise in ("urban_noise", "musan", "esc50", "white")
    ),
}
"""``core`` needs nothing but merbench; ``core-us8k`` asks for UrbanSound8K.

``mer-noise`` is the noise of the challenge's MER-NOISE track and asks for MUSAN. ``robuser`` is the additive
noise of Robuser (github.com/BehavioralSignalTechnologies/ser_robustness) and asks for UrbanSound8K, MUSAN and
ESC-50: recorded noise at 20, 10 and 0 dB, white noise at 30, 20 and 10 dB. ``none`` is for attacks alone.
"""

_MEANT = {"mer-noise": (3,), "robuser": (1, 3, 5)}


def expand(names: Sequence[str]) -> list[str]:
    """Return the corruption specs that `names` stand for; presets are replaced by their members.

    Raises:
        MerbenchError: a name is no corruption's and near a preset's, or a preset is given options.
    """
    return [spec for name in names for spec in (PRESETS[name] if name in PRESETS else (_known(name),))]


def _known(spec: str) -> str:
    """Return `spec`, unless its name is nearer to a preset's than to any corruption's."""
    name = spec.partition(":")[0]
    if name in PRESETS:
        raise MerbenchError(
            f"the preset '{name}' takes no options", fix=f"write {name}, or its members' names"
        )
    names = corruptions.names()
    near = difflib.get_close_matches(name, [*PRESETS, *names, *(one.rpartition("/")[2] for one in names)])
    if near and near[0] in PRESETS:
        meant = " or ".join(one for one in near if one in PRESETS)
        raise MerbenchError(
            f"there is no corruption or preset named '{name}'",
            fix=f"did you mean {meant}? 'merbench list presets' and 'merbench list corruptions' show all",
        )
    return spec


def severities_of(names: Sequence[str]) -> tuple[int, ...]:
    """Return the severities that are meant where nobody says: a preset's own if all names agree, else all."""
    meant = {_MEANT.get(name, SEVERITIES) for name in names}
    return meant.pop() if len(meant) == 1 else SEVERITIES
