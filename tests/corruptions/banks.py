"""Miniatures of the noise banks, each in its own layout and with the formats that occur in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soundfile

from merbench.rng import Stream
from tests.corruptions.samples import voice

if TYPE_CHECKING:
    from pathlib import Path

URBAN_HEADER = "slice_file_name,fsID,start,end,salience,fold,classID,class"
URBAN_CLIPS = (  # file, fold, class, seconds, Hz, subtype
    ("100-7-0-0.wav", 1, "jackhammer", 1.0, 48_000, "PCM_24"),
    ("101-4-0-0.wav", 3, "drilling", 0.9, 44_100, "PCM_16"),
    ("102-5-0-0.wav", 10, "engine_idling", 4.0, 44_100, "PCM_16"),
    ("103-1-0-0.wav", 10, "car_horn", 0.3, 44_100, "PCM_16"),
    ("104-2-0-0.wav", 10, "children_playing", 2.0, 48_000, "PCM_24"),
)

ESC_HEADER = "filename,fold,target,category,esc10,src_file,take"
ESC_CLIPS = (  # file, class, seconds of sound in its 5 s
    ("1-100032-A-0.wav", "dog", 0.5),
    ("5-203128-A-0.wav", "dog", 0.4),
    ("5-181766-A-10.wav", "rain", 5.0),
    ("5-117118-A-42.wav", "siren", 4.0),
)

MUSAN_FILES = {  # source: recordings
    "music/fma": ("music-fma-0000", "music-fma-0007"),
    "music/fma-western-art": ("music-fma-wa-0003",),
    "noise/free-sound": tuple(f"noise-free-sound-{i:04d}" for i in range(8)),
    "noise/sound-bible": ("noise-sound-bible-0002",),
    "speech/librivox": tuple(f"speech-librivox-{i:04d}" for i in range(12)),
    "speech/us-gov": ("speech-us-gov-0001",),
}


def write_urban(root: Path) -> Path:
    """Write a miniature of UrbanSound8K below `root`, which is returned."""
    lines = [URBAN_HEADER]
    for i, (name, fold, kind, seconds, rate, subtype) in enumerate(URBAN_CLIPS):
        left = voice(Stream.of("urban", name, "left"), seconds, rate).astype(np.int32) << 16
        right = voice(Stream.of("urban", name, "right"), seconds, rate).astype(np.int32) << 16
        path = root / "audio" / f"fold{fold}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.stack([left, right], axis=1), rate, subtype=subtype)
        lines.append(f"{name},{100 + i},0.0,{seconds},1,{fold},0,{kind}")
    (root / "metadata").mkdir(exist_ok=True)
    (root / "metadata" / "UrbanSound8K.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def write_esc50(root: Path) -> Path:
    """Write a miniature of ESC-50 below `root`, which is returned."""
    lines = [ESC_HEADER]
    (root / "audio").mkdir(parents=True, exist_ok=True)
    for name, kind, seconds in ESC_CLIPS:
        fold, source, take, target = name.removesuffix(".wav").split("-")
        clip = np.zeros(5 * 44_100, dtype=np.int16)
        sound = voice(Stream.of("esc50", name), seconds, 44_100)
        clip[: len(sound)] = sound
        soundfile.write(root / "audio" / name, clip, 44_100, subtype="PCM_16")
        lines.append(f"{name},{fold},{target},{kind},{kind in ('dog', 'rain')},{source},{take}")
    (root / "meta").mkdir(exist_ok=True)
    (root / "meta" / "esc50.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def write_musan(root: Path) -> Path:
    """Write a miniature of MUSAN below `root`, which is returned."""
    for source, names in MUSAN_FILES.items():
        folder = root / source
        folder.mkdir(parents=True, exist_ok=True)
        for i, name in enumerate(names):
            noise = voice(Stream.of("musan", name), 0.6 + 0.3 * i, 16_000)
            soundfile.write(folder / f"{name}.wav", noise, 16_000, subtype="PCM_16")
        (folder / "LICENSE").write_text("".join(f"{name}.wav public domain\n" for name in names))
        (folder / "ANNOTATIONS").write_text("".join(f"{name} -\n" for name in names))
    (root / "README").write_text("a miniature\n")
    return root
