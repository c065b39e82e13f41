"""Small media files, made on the spot."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path


def counting_frames(n: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Frames uint8 [n, height, width, 3] whose every pixel tells the frame's number (times 6)."""
    return np.repeat(np.arange(n, dtype=np.uint8) * 6, height * width * 3).reshape(n, height, width, 3)


def tone(seconds: float, rate: int, hertz: float = 220.0) -> np.ndarray:
    """A sine at a tenth of full scale, int16."""
    return np.rint(3276 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(
        np.int16
    )


def write_clip(
    path: Path,
    frames: np.ndarray | None = None,
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    fps: int = 10,
    ticks: list[int] | None = None,
    audio: np.ndarray | None = None,
    audio_codec: str = "aac",
    rate: int = 16_000,
    audio_delay: float = 0.0,
    container: str | None = None,
    options: dict[str, str] | None = None,
    b_frames: int | None = None,
) -> Path:
    """Write a clip with PyAV; `ticks` are the frames' times in units of 1/1000 s, even by default."""
    import av

    with av.open(str(path), "w", format=container, options=options or {}) as out:
        if frames is not None:
            video = out.add_stream(codec, rate=fps)
            video.height, video.width, video.pix_fmt = *frames.shape[1:3], pixels
            video.thread_count, video.bit_rate = 1, 4_000_000
            if ticks is not None:
                video.codec_context.time_base = Fraction(1, 1000)
            if b_frames is not None:
                video.codec_context.max_b_frames = b_frames
        sound = None
        if audio is not None:
            sound = out.add_stream(audio_codec, rate=rate)
            sound.layout = "mono"
        if frames is not None:
            for i, picture in enumerate(frames):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts = i if ticks is None else ticks[i]
                if ticks is not None:
                    frame.time_base = Fraction(1, 1000)
                out.mux(video.encode(frame))
            out.mux(video.encode(None))
        if audio is not None and sound is not None:
            whole = av.AudioFrame.from_ndarray(audio[None], format="s16", layout="mono")
            whole.sample_rate, whole.pts = rate, round(audio_delay * rate)
            size = sound.frame_size or 1024
            blocks = av.AudioResampler(sound.format, "mono", rate, frame_size=size)
            for block in [*blocks.resample(whole), *blocks.resample(None)]:
                out.mux(sound.encode(block))
            out.mux(sound.encode(None))
    return path


def truncate(path: Path, share: float) -> Path:
    """Keep only this share of a file's bytes."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path
