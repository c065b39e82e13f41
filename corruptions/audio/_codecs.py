"""Recordings through a lossy codec and back, at the same place and of the same length."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, cast

import numpy as np

from merbench.errors import MerbenchError

if TYPE_CHECKING:
    import numpy.typing as npt

    PCM16 = npt.NDArray[np.int16]

CODECS = {"opus": ("libopus", "ogg"), "mp3": ("libmp3lame", "mp3")}
"""Encoder and container by name. Both containers say how much of the beginning is padding, and the
demuxer skips it."""

SAMPLE_RATE = 16_000
"""Hz at which everything is coded: speech above it gains nothing at 64 kbit/s and below."""


def coded(audio: PCM16, codec: str, kbps: float) -> tuple[PCM16, float]:
    """Return a recording [T] at `SAMPLE_RATE` as it comes back from `codec`, and the bits used, in kbit/s."""
    import av

    encoder, container = CODECS[codec]
    target = io.BytesIO()
    # A pause long enough to flush the codec's look-ahead; it is cut off again.
    padded = np.concatenate([audio, np.zeros(SAMPLE_RATE // 4, dtype=np.int16)])
    try:
        with av.open(target, "w", format=container, options={"fflags": "+bitexact"}) as sink:
            stream = cast("av.AudioStream", sink.add_stream(encoder, rate=SAMPLE_RATE, layout="mono"))
            stream.bit_rate = round(kbps * 1000)
            stream.codec_context.flags |= av.codec.context.Flags.bitexact
            stream.codec_context.thread_count = 1
            frame = av.AudioFrame.from_ndarray(padded[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, 0
            size = 0
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                size += packet.size
                sink.mux(packet)
        with av.open(io.BytesIO(target.getvalue()), "r") as source:
            resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
            frames = [f for raw in source.decode(audio=0) for f in resampler.resample(raw)]
            frames += resampler.resample(None)
    except av.FFmpegError as error:
        raise MerbenchError(f"{codec} at {kbps:g} kbit/s failed: {error}", fix="update PyAV") from error
    decoded = np.concatenate([f.to_ndarray()[0] for f in frames])
    out = np.zeros_like(audio)
    kept = decoded[: len(audio)]
    out[: len(kept)] = kept
    return out, size * 8 * SAMPLE_RATE / len(padded) / 1000
