"""From a file to canonical media: PCM16 mono audio and square RGB frames (see `merbench.types`).

*Audio.* Channels are averaged, the mean is put on a 24-bit grid, resampled by
`merbench.media.resample` and rounded half to even to PCM16.

*Frames.* A clip of duration D gives frame i at the time i * D / n: the last picture shown at or
before it, so the first picture is always included. A clip with fewer pictures than that repeats
some; models expect a fixed count, and `DecodedVideo.timestamps` tell the truth about which picture
each frame is. The centre square is cut out and resized by Pillow's antialiased bilinear filter. A
face keeps its proportions (squeezing 4:3 into a square would change the geometry that expression is
read from) and no black bars are added for a model to see. Pillow works in fixed-point integers, so the
result is the same on every processor; so is all else here for WAV, FLAC, MP3, AAC and for video codecs
whose decoding is specified to the bit (H.264, VP9, lossless ones). For others it is pinned to the
FFmpeg that PyAV brings.

What a decoder would quietly shorten is refused: a file that is truncated, damaged or empty, or whose
samples are not finite. An MP3 without a Xing header or an MPEG programme stream that is cut exactly
between two packets cannot be told from a shorter one.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from merbench.errors import MerbenchError
from merbench.media._container import Reel, Track, read_container, read_excerpt
from merbench.media._integrity import BrokenMediaError, missing_bytes
from merbench.media._pcm import mono
from merbench.media.resample import resample, to_pcm16

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from merbench.types import MediaSpec

_STILL = {b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"BM": "BMP"}


@dataclass(frozen=True, slots=True)
class Embedded:
    """A media file that lies inside another one, such as a row of an Arrow table."""

    name: str
    read: Callable[[], bytes]

    def __str__(self) -> str:
        return self.name


MediaFile = Path | Embedded


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Part of a longer recording, from `start` to `end` seconds, and of its pictures what lies in `box`.


    `box` is (left, top, right, bottom) in shares of the picture's width and height.
    """

    path: Path
    start: float
    end: float
    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedAudio:
    """Canonical audio int16 [T] at `sample_rate` Hz, and what the file itself held.

    `clipped` samples are at full scale or were limited to it.
    """

    audio: npt.NDArray[np.int16]
    sample_rate: int
    clipped: int
    source_rate: int
    channels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedVideo:
    """Canonical frames uint8 [F, H, W, 3] with their times in seconds, float64 [F].

    `distinct` of the frames are different pictures of the file; the others repeat one.
    """

    frames: npt.NDArray[np.uint8]
    timestamps: npt.NDArray[np.float64]
    distinct: int


def read_audio(file: MediaFile | Excerpt, spec: MediaSpec) -> DecodedAudio:
    """Read the sound of an audio or audio-video file or of a part of one.

    A part that ends after the recording does ends with it.

    Raises:
        MerbenchError: no such file, truncated or damaged, no sound in it, no samples, NaN; the recording
            ends before the part begins.
    """
    if isinstance(file, Excerpt):
        with _opened(file.path) as handle:
            track, _ = _read(handle, spec, sound=True, frames=None)
            return _audio(None if track is None else _between(track, file.start, file.end), spec)
    with _opened(file) as handle:
        track, _ = _read(handle, spec, sound=True, frames=None)
        return _audio(track, spec)


def read_video(file: MediaFile | Excerpt, spec: MediaSpec) -> DecodedVideo:
    """Read the frames of a video file or of a part of one; a still image is a clip of one frame at 0 s.

    Raises:
        MerbenchError: no such file, truncated or damaged, no pictures in it.
    """
    if isinstance(file, Excerpt):
        return _read_excerpt(file, spec)
    with _opened(file) as handle:
        _, reel = _read(handle, spec, sound=False, frames=spec.frames)
        return _video(reel)


def read_clip(file: MediaFile, spec: MediaSpec) -> tuple[DecodedAudio | None, DecodedVideo]:
    """Read the frames and, where there is any, the sound of a video file, decoding it once.

    Raises:
        MerbenchError: no such file, truncated or damaged, no pictures in it.
    """
    with _opened(file) as handle:
        track, reel = _read(handle, spec, sound=True, frames=spec.frames)
        return None if track is None else _audio(track, spec), _video(reel)


def read_media(file: MediaFile, spec: MediaSpec) -> tuple[DecodedAudio | None, DecodedVideo | None]:
    """Read whatever a file holds: sound, frames or both.

    Raises:
        MerbenchError: no such file, truncated or damaged, neither sound nor pictures in it.
    """
    with _opened(file) as handle:
        track, reel = _read(handle, spec, sound=True, frames=spec.frames)
        if track is None and reel is None:
            raise BrokenMediaError("holds neither sound nor pictures")
        return None if track is None else _audio(track, spec), None if reel is None else _video(reel)


def _read_excerpt(excerpt: Excerpt, spec: MediaSpec) -> DecodedVideo:
    def finish(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return _fit(_inside(picture, excerpt.box), spec.frame_size)

    with _opened(excerpt.path) as handle:
        reel = read_excerpt(handle, excerpt.start, excerpt.end, frames=spec.frames, finish=finish)
        return _video(reel)


@contextmanager
def _opened(file: MediaFile) -> Iterator[BinaryIO]:
    """Open a file and put its name before whatever is wrong with it."""
    try:
        with file.open("rb") if isinstance(file, Path) else BytesIO(file.read()) as handle:
            lacking = missing_bytes(handle)
            if lacking:
                raise BrokenMediaError(f"is truncated: {lacking} bytes that its header promises are missing")
            yield handle
    except BrokenMediaError as error:
        raise MerbenchError(f"{file} {error}", fix="get the file again, or leave it out") from error
    except OSError as error:
        raise MerbenchError(
            f"{file} cannot be read: {error.strerror}", fix="check the path and the permissions"
        ) from error


def _read(
    handle: BinaryIO, spec: MediaSpec, *, sound: bool, frames: int | None
) -> tuple[Track | None, Reel | None]:
    """Read what is wanted with the library that fits the first bytes; names and suffixes may lie."""
    head = handle.read(12)
    handle.seek(0)
    if not head:
        raise BrokenMediaError("is empty (0 bytes)")
    finish = partial(_fit, size=spec.frame_size)
    if head[:4] == b"fLaC" or (head[:4] in (b"RIFF", b"RF64") and head[8:] == b"WAVE"):
        return _read_pcm(handle), None
    still = next((kind for magic, kind in _STILL.items() if head.startswith(magic)), None)
    if still is not None:
        return None, Reel([finish(_read_still(handle, still))], [0.0], 1)
    return read_container(handle, sound=sound, frames=frames, finish=finish)


def _read_pcm(handle: BinaryIO) -> Track:
    """Read WAV or FLAC through libsndfile, losing nothing."""
    import soundfile

    try:
        with soundfile.SoundFile(handle) as file:
            kind = {"PCM_16": "int16", "FLOAT": "float32", "DOUBLE": "float64"}.get(file.subtype, "int32")
            samples = file.read(dtype=kind, always_2d=True)
            if len(samples) < file.frames:
                raise BrokenMediaError(f"is truncated: {len(samples)} of {file.frames} samples are there")
            return Track(mono(samples.T), file.samplerate, file.channels)
    except soundfile.LibsndfileError as error:
        raise BrokenMediaError(f"cannot be decoded ({error.error_string.rstrip('.')})") from error


def _read_still(handle: BinaryIO, kind: str) -> npt.NDArray[np.uint8]:
    """Read an image as RGB uint8 [H, W, 3], upright."""
    from PIL import Image, ImageOps

    try:
        with Image.open(handle, formats=[kind]) as image:
            if image.mode[0] in "IF":
                raise BrokenMediaError("has more than 8 bits per channel")
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise BrokenMediaError(f"cannot be decoded ({error})") from error


def _between(track: Track, start: float, end: float) -> Track:
    """Return the sound from the sample nearest to `start` seconds up to the one nearest to `end`."""
    first, last = round(start * track.rate), round(end * track.rate)
    if first >= len(track.signal):
        raise BrokenMediaError(f"ends before the excerpt that begins at {start:.2f} s")
    return replace(track, signal=track.signal[first:last])


def _audio(track: Track | None, spec: MediaSpec) -> DecodedAudio:
    if track is None:
        raise BrokenMediaError("has no audio stream")
    if len(track.signal) == 0:
        raise BrokenMediaError("holds no audio samples")
    rate = spec.sample_rate or track.rate
    signal = track.signal if rate == track.rate else resample(track.signal, track.rate, rate)
    audio, clipped = to_pcm16(signal)
    return DecodedAudio(
        audio=audio, sample_rate=rate, clipped=clipped, source_rate=track.rate, channels=track.channels
    )


def _video(reel: Reel | None) -> DecodedVideo:
    if reel is None:
        raise BrokenMediaError("has no video stream")
    if len({picture.shape for picture in reel.pictures}) > 1:
        raise BrokenMediaError("changes its picture size midway")
    return DecodedVideo(
        frames=np.stack(reel.pictures),
        timestamps=np.array(reel.seconds, dtype=np.float64),
        distinct=reel.distinct,
    )


def _inside(picture: npt.NDArray[np.uint8], box: tuple[float, float, float, float]) -> npt.NDArray[np.uint8]:
    """Return a copy of what lies in the box, its edges rounded down to whole pixels."""
    height, width = picture.shape[:2]
    left, top, right, bottom = box
    rows = slice(int(top * height), int(bottom * height))
    return picture[rows, int(left * width) : int(right * width)].copy()


def _fit(picture: npt.NDArray[np.uint8], size: int | None) -> npt.NDArray[np.uint8]:
    """Return the centre square at `size` pixels, or the whole picture when `size` is ``None``."""
    height, width = picture.shape[:2]
    if size is None or (height, width) == (size, size):
        return picture
    from PIL import Image

    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 2
    square = np.ascontiguousarray(picture[top : top + side, left : left + side])
    return np.asarray(Image.fromarray(square).resize((size, size), Image.Resampling.BILINEAR))
