"""A video call on a slow line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from corruptions.compound._parts import Compound


@dataclass(frozen=True)
class VideoCall(Compound):
    """Sound through Opus with packets lost and repeated; a small picture through H.264, with frames lost."""

    version = 1
    changes = ("audio", "vision")
    exactness = "pinned"
    libraries = ("av", "pillow")
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = (
        "the least certain of its parts at each severity: audio/packet_loss, vision/low_resolution"
    )
    source = (
        "audio/codec, audio/packet_loss with concealment, vision/low_resolution, vision/video_codec and "
        "vision/frame_drop in this order, as a call does it; each at the same severity"
    )

    def recipe(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return the parts."""
        return {
            "codec": ("audio/codec", {}),
            "packets": ("audio/packet_loss", {"concealment": "repeat"}),
            "size": ("vision/low_resolution", {}),
            "picture": ("vision/video_codec", {}),
            "frames": ("vision/frame_drop", {}),
        }
