"""Lossless bytes for storage: FLAC for audio, PNG for frames.

PNG through OpenCV with the "up" filter and run-length deflate was chosen by measurement
(`benchmarks/decode.py`): on camera pictures it is 5 to 10 % faster both ways than OpenCV's default and 2
to 9 % smaller, and over twice as fast as Pillow. FFV1 in Matroska is 40 % smaller, but encodes 1.5 times
and decodes 3.5 times slower. OpenCV releases the GIL, and its bytes depend on neither threads nor
process. Hash the decoded arrays, never these bytes: another library version may write others.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from merbench.errors import MerbenchError

if TYPE_CHECKING:
    import numpy.typing as npt

_FLAC_EFFORT = 0.5  # of libsndfile's 0..1; 1 halves the speed for 1 % of size
_FLAC_MAX_RATE = 655_350
_FLAC_ANY_RATE = 65_535  # a frame header holds faster ones in steps of 10 Hz (RFC 9639, 9.1.2)


def encode_flac(audio: npt.NDArray[np.int16], rate: int) -> bytes:
    """Return mono PCM16 [T], T >= 1, as FLAC.

    Raises:
        MerbenchError: FLAC cannot hold this rate, or there are no samples.
    """
    import soundfile

    if len(audio) == 0:
        raise MerbenchError("FLAC cannot hold audio of zero length", fix="leave the modality out instead")
    if not 1 <= rate <= _FLAC_MAX_RATE or (rate > _FLAC_ANY_RATE and rate % 10):
        raise MerbenchError(
            f"FLAC cannot hold audio at {rate} Hz",
            fix=f"resample to at most {_FLAC_MAX_RATE} Hz; above {_FLAC_ANY_RATE} Hz to a multiple of 10",
        )
    buffer = BytesIO()
    soundfile.write(buffer, audio, rate, format="FLAC", subtype="PCM_16", compression_level=_FLAC_EFFORT)
    return buffer.getvalue()


def decode_flac(data: bytes) -> tuple[npt.NDArray[np.int16], int]:
    """Return PCM16 [T] and its rate in Hz.

    Raises:
        MerbenchError: the bytes are damaged.
    """
    import soundfile

    try:
        with soundfile.SoundFile(BytesIO(data)) as file:
            audio, rate, promised = file.read(dtype="int16"), file.samplerate, file.frames
    except soundfile.LibsndfileError as error:
        raise MerbenchError(f"stored FLAC audio is damaged ({error.error_string})") from error
    if len(audio) < promised:
        raise MerbenchError(f"stored FLAC audio is truncated: {len(audio)} of {promised} samples are there")
    return audio, int(rate)


def encode_png(frame: npt.NDArray[np.uint8]) -> bytes:
    """Return an RGB frame uint8 [H, W, 3] as PNG."""
    import cv2

    written, data = cv2.imencode(
        ".png",
        cv2.cvtColor(frame, cv2.COLOR_RGB2BGR),
        [
            cv2.IMWRITE_PNG_COMPRESSION,
            1,
            cv2.IMWRITE_PNG_STRATEGY,
            cv2.IMWRITE_PNG_STRATEGY_RLE,
            cv2.IMWRITE_PNG_FILTER,
            cv2.IMWRITE_PNG_FILTER_UP,
        ],
    )
    if not written:
        raise MerbenchError(f"a frame of shape {frame.shape} cannot be written as PNG")
    return bytes(data)


def decode_png(data: bytes) -> npt.NDArray[np.uint8]:
    """Return the RGB frame uint8 [H, W, 3].

    Raises:
        MerbenchError: the bytes are damaged.
    """
    import cv2

    frame = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB) if data else None
    if frame is None:
        raise MerbenchError("a stored PNG frame is damaged")
    return np.asarray(frame, dtype=np.uint8)
