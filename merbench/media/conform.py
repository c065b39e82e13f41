"""From a suite's canonical media to what an adapter asked for, the same way for every cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from merbench.media.resample import resample, to_pcm16
from merbench.types import Batch, Packed

if TYPE_CHECKING:
    import numpy.typing as npt


def conform(batch: Batch, *, sample_rate: int | None, frame_size: int | None) -> Batch:
    """Return the batch with its audio at `sample_rate` Hz and its frames at `frame_size` pixels.

    ``None`` leaves a medium as the suite has it; what has the wanted form already is not copied.
    """
    media: dict[str, object] = {}
    rates = batch.sample_rates
    if sample_rate is not None and any(rate not in (None, sample_rate) for rate in rates):
        rows = [
            None if audio is None or rate is None else to_pcm16(resample(audio, rate, sample_rate))[0]
            for audio, rate in zip(batch.audio, rates, strict=True)
        ]
        media["audio"] = Packed.of(rows, np.int16)
        media["sample_rates"] = tuple(None if rate is None else sample_rate for rate in rates)
    if frame_size is not None and any(
        shape is not None and shape[1:3] != (frame_size, frame_size) for shape in batch.frames.shapes
    ):
        resized = [None if clip is None else resize_clip(clip, frame_size) for clip in batch.frames]
        media["frames"] = Packed.of(resized, np.uint8)
    return batch.replace(**media) if media else batch


def resize_clip(clip: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """Return frames uint8 [F, size, size, 3] by Pillow's antialiased bilinear filter.

    Pillow computes it in fixed-point integers, so it is the same on every processor.
    """
    from PIL import Image

    resized = [Image.fromarray(frame).resize((size, size), Image.Resampling.BILINEAR) for frame in clip]
    return np.stack([np.asarray(frame, dtype=np.uint8) for frame in resized])
