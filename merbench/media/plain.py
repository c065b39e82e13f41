"""Plain files that any player and any other tool opens: WAV for audio, MP4 for frames.

WAV loses nothing. MP4 is H.264 in 4:2:0, because players open little else: it is for eyes and for
other tools, and the lossless frames are those of `merbench.media.encode`.
"""

from __future__ import annotations

from fractions import Fraction
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

_TICKS = 90_000  # per second: the clock of MPEG-2 systems (ISO/IEC 13818-1)
_STILL_SECONDS = 1
_H264 = {
    # A constant quantiser needs no rate control, whose look-ahead makes x264's bytes vary from run to
    # run; 17 is what FFmpeg's guide to H.264 calls visually lossless.
    "qp": "17",
    # Without frames that refer to later ones the first frame is shown at its own time.
    "bf": "0",
    # x264 otherwise chooses other algorithms on processors without SIMD.
    "x264-params": "cpu-independent=1",
}


def encode_wav(audio: npt.NDArray[np.int16], rate: int) -> bytes:
    """Return mono PCM16 [T] at `rate` Hz as WAV."""
    import soundfile

    buffer = BytesIO()
    soundfile.write(buffer, audio, rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def encode_mp4(frames: npt.NDArray[np.uint8], timestamps: npt.NDArray[np.float64]) -> bytes:
    """Return RGB frames uint8 [F, H, W, 3] as a silent H.264 clip, the same bytes on any processor.

    The clip starts and ends with `timestamps` [F] (seconds). In between the frames are evenly spaced,
    as they were when they were chosen, so that a reader who takes F evenly spaced frames gets each
    once. An odd height or width gets one more row or column, a copy of the last one.
    """
    import av
    from av.video.reformatter import ColorRange, Colorspace, Interpolation

    exact = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
    first, last = float(timestamps[0]), float(timestamps[-1])
    step = round((last - first) * _TICKS / max(1, len(frames) - 1)) or _STILL_SECONDS * _TICKS
    padded = np.pad(frames, ((0, 0), (0, frames.shape[1] % 2), (0, frames.shape[2] % 2), (0, 0)), mode="edge")
    buffer = BytesIO()
    with av.open(buffer, "w", format="mp4", options={"fflags": "+bitexact"}) as out:
        stream = out.add_stream("libx264", rate=Fraction(_TICKS, step), options=_H264)
        stream.height, stream.width, stream.pix_fmt = *padded.shape[1:3], "yuv420p"
        codec = stream.codec_context
        codec.time_base = Fraction(1, _TICKS)
        codec.thread_count = 1
        codec.colorspace, codec.color_range = Colorspace.ITU601, ColorRange.MPEG
        for i, picture in enumerate(padded):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                format="yuv420p",
                dst_colorspace=Colorspace.ITU601,
                dst_color_range=ColorRange.MPEG,
                interpolation=exact,
                threads=1,
            )
            frame.pts, frame.time_base = round(first * _TICKS) + i * step, Fraction(1, _TICKS)
            frame.duration = step
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()
