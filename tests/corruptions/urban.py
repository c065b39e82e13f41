"""A miniature of UrbanSound8K, in its own layout and with the formats that occur in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soundfile

from merbench.rng import Stream
from tests.corruptions.samples import voice

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "slice_file_name,fsID,start,end,salience,fold,classID,class"
CLIPS = (  # file, fold, class, seconds, Hz, subtype
    ("100-7-0-0.wav", 1, "jackhammer", 1.0, 48_000, "PCM_24"),
    ("101-4-0-0.wav", 3, "drilling", 0.9, 44_100, "PCM_16"),
    ("102-5-0-0.wav", 10, "engine_idling", 4.0, 44_100, "PCM_16"),
    ("103-1-0-0.wav", 10, "car_horn", 0.3, 44_100, "PCM_16"),
    ("104-2-0-0.wav", 10, "children_playing", 2.0, 48_000, "PCM_24"),
)


def write(root: Path) -> Path:
    """Write the miniature below `root`, which is returned."""
    lines = [HEADER]
    for i, (name, fold, kind, seconds, rate, subtype) in enumerate(CLIPS):
        left = voice(Stream.of("urban", name, "left"), seconds, rate).astype(np.int32) << 16
        right = voice(Stream.of("urban", name, "right"), seconds, rate).astype(np.int32) << 16
        path = root / "audio" / f"fold{fold}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.stack([left, right], axis=1), rate, subtype=subtype)
        lines.append(f"{name},{100 + i},0.0,{seconds},1,{fold},0,{kind}")
    (root / "metadata").mkdir(exist_ok=True)
    (root / "metadata" / "UrbanSound8K.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root
