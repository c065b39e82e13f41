"""A miniature of every dataset that needs files, in the layout in which the real one comes.

A new reader adds itself to `MINIATURES`; the contract tests do the rest.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from PIL import Image

from tests.media.clips import tone, write_clip

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Builder = Callable[[Path], tuple[Path | None, dict[str, Any]]]


def voice(path: Path, hertz: float, rate: int = 48_000, seconds: float = 0.4) -> Path:
    """Write a short WAV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(seconds, rate, hertz), rate, subtype="PCM_16")
    return path


def face(path: Path, seed: int, *, sound: bool = True) -> Path:
    """Write a short MP4."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = np.random.default_rng(seed).integers(0, 256, (6, 48, 64, 3), dtype=np.uint8)
    return write_clip(path, frames, audio=tone(0.6, 48_000, 200 + seed) if sound else None, rate=48_000)


def ravdess_audio(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """Two actors, all eight emotions, one song."""
    root = tmp_path / "ravdess"
    for actor in (1, 2):
        for emotion in range(1, 9):
            name = f"03-01-{emotion:02d}-01-{actor:02d}-01-{actor:02d}.wav"
            voice(root / f"Actor_{actor:02d}" / name, 200 + 20 * emotion + actor)
    voice(root / "Actor_02" / "03-02-03-02-01-01-02.wav", 999)
    return root, {}


def ravdess_video(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """The audio-video and the video-only release beside the audio one."""
    root, _ = ravdess_audio(tmp_path)
    for emotion in (1, 3, 5):
        fields = f"01-{emotion:02d}-01-01-01-01"
        folder = root / "Video_Speech_Actor_01" / "Actor_01"
        face(folder / f"01-{fields}.mp4", emotion)
        face(folder / f"02-{fields}.mp4", emotion, sound=False)
    return root, {}


def table_of_everything(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """Sound, video, still image and text, each missing somewhere; decomposed Unicode; padded ids."""
    root = tmp_path / "table"
    voice(root / "a.wav", 220, 44_100)
    face(root / "b.mp4", 1)
    face(root / "c.mp4", 2, sound=False)
    Image.fromarray(np.full((40, 30, 3), 99, np.uint8)).save(root / "d.png")
    rows = [
        ("name", "audio", "video", "image", "text", "label", "speaker", "dialogue", "split", "age"),
        (
            " u1 ",
            "a.wav",
            "",
            "",
            "caf\N{LATIN SMALL LETTER E}\N{COMBINING ACUTE ACCENT}",
            "joy",
            "s1",
            "d1",
            "test",
            "30",
        ),
        ("u2", "", "b.mp4", "", "NA", "anger", "s2", "d1", "test", "40"),
        ("u3", "a.wav", "c.mp4", "", "", "joy", "s1", "d2", "train", ""),
        ("u4", "", "", "d.png", "null", "fear", "", "", "train", "50"),
        ("u5", "", "", "", 'only words, "quoted"\nover two lines', "joy", "s2", "d2", "test", "60"),
    ]
    with (root / "utterances.csv").open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows(rows)
    return root, {"id": "name"}


MINIATURES: dict[str, tuple[Builder, ...]] = {
    "ravdess": (ravdess_audio, ravdess_video),
    "synthetic": (lambda _: (None, {"train": 3, "validation": 2, "test": 5}),),
    "table": (table_of_everything,),
}
