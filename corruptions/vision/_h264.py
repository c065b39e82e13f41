"""Clips through H.264 and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from merbench.errors import MerbenchError

if TYPE_CHECKING:
    import numpy.typing as npt

    Frames = npt.NDArray[np.uint8]

_LEAST = 16
"""Pixels: x264 takes no smaller picture."""


def coded(clip: Frames, quantiser: int) -> tuple[Frames, int]:
    """Return a clip [F, H, W, 3] as it comes back from H.264, and the bytes that it took.

    One thread and a constant quantiser: x264's rate control is not the same from run to run. Pictures
    are padded to even sides with the pixels of their border, for colour is coded at half the resolution.
    """
    import av

    height, width = clip.shape[1:3]
    below, beside = (max(_LEAST, side + side % 2) - side for side in (height, width))
    padded = np.pad(clip, ((0, 0), (0, below), (0, beside), (0, 0)), mode="edge")
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = padded.shape[2], padded.shape[1], "yuv420p"
    encoder.framerate, encoder.thread_count = 25, 1  # type: ignore[assignment]
    encoder.options = {"qp": str(quantiser), "preset": "medium"}
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    try:
        packets = []
        for i, picture in enumerate(padded):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = i
            packets += encoder.encode(frame)
        packets += encoder.encode(None)
        decoded = [frame for packet in packets for frame in decoder.decode(packet)]
        decoded += decoder.decode(None)
    except av.FFmpegError as error:
        raise MerbenchError(f"H.264 failed: {error}", fix="update PyAV") from error
    if len(decoded) != len(clip):
        raise MerbenchError(f"H.264 gave back {len(decoded)} frames of {len(clip)}", fix="update PyAV")
    frames = np.stack([frame.to_ndarray(format="rgb24") for frame in decoded]).astype(np.uint8)
    return frames[:, :height, :width], sum(packet.size for packet in packets)
