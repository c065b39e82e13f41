"""Means over neighbours, in integers. Importing this module imports numba."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from corruptions.vision._planned import Change
from merbench.compiled import kernel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    import numpy.typing as npt
    import torch

    Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class MeanOver(Change):
    """The mean over pixels at `offsets` [K, 2] (down, right); all changes of a severity have as many."""

    offsets: npt.NDArray[np.int64]

    def write(self, clip: Frames, out: Frames) -> None:
        """Blur a clip."""
        mean_over(clip, self.offsets, out)

    @classmethod
    def on_device(cls, changes: Sequence[Self], clips: torch.Tensor) -> torch.Tensor:
        """Blur clips, each along its own path."""
        from corruptions.vision._device import mean_over, uploaded

        return mean_over(clips, uploaded([change.offsets for change in changes], clips))


@dataclass(frozen=True)
class MeanOverSpans(Change):
    """The mean over horizontal `spans` [K, 3] (down, from, to), ends included: those of the severity."""

    spans: npt.NDArray[np.int64]

    def write(self, clip: Frames, out: Frames) -> None:
        """Blur a clip."""
        mean_over_spans(clip, self.spans, out)

    @classmethod
    def on_device(cls, changes: Sequence[Self], clips: torch.Tensor) -> torch.Tensor:
        """Blur clips, all of them alike."""
        from corruptions.vision._device import mean_over_spans

        return mean_over_spans(clips, changes[0].spans.tolist())


@kernel
def mean_over(clip: Frames, offsets: npt.NDArray[np.int64], out: Frames) -> None:
    """Write the mean over the pixels at `offsets` [K, 2] (down, right), rounded half up, to `out`.

    Beyond the border stands the pixel at the border. One row is summed up at a time, so that what is
    added lies side by side in memory.
    """
    count, height, width, _ = clip.shape
    half, size = len(offsets) // 2, len(offsets)
    reach = np.abs(offsets[:, 1]).max()
    padded = np.empty((height, (width + 2 * reach) * 3), dtype=np.uint8)
    total = np.empty(width * 3, dtype=np.int32)
    for f in range(count):
        frame = clip[f]
        for y in range(height):
            for x in range(width + 2 * reach):
                source = frame[y, min(max(x - reach, 0), width - 1)]
                for c in range(3):
                    padded[y, 3 * x + c] = source[c]
        for y in range(height):
            total[:] = half
            for k in range(size):
                begin = 3 * (reach + offsets[k, 1])
                # A slice from 0 on is what the compiler can add many at a time.
                part = padded[min(max(y + offsets[k, 0], 0), height - 1), begin : begin + width * 3]
                for i in range(len(total)):
                    total[i] += part[i]
            target = out[f, y]
            for x in range(width):
                for c in range(3):
                    target[x, c] = total[3 * x + c] // size


@kernel
def mean_over_spans(clip: Frames, spans: npt.NDArray[np.int64], out: Frames) -> None:
    """Write the mean over horizontal `spans` [K, 3] (down, from, to), ends included, to `out`.

    A span's sum is a difference of two running sums, whatever its length.
    """
    count, height, width, _ = clip.shape
    reach = max(np.abs(spans[:, 1]).max(), np.abs(spans[:, 2]).max())
    size = (spans[:, 2] - spans[:, 1] + 1).sum()
    wide = width + 2 * reach
    running = np.zeros((height, (wide + 1) * 3), dtype=np.int32)
    total = np.empty(width * 3, dtype=np.int32)
    for f in range(count):
        frame = clip[f]
        for y in range(height):
            for x in range(wide):
                source = frame[y, min(max(x - reach, 0), width - 1)]
                for c in range(3):
                    running[y, 3 * (x + 1) + c] = running[y, 3 * x + c] + source[c]
        for y in range(height):
            total[:] = size // 2
            for k in range(len(spans)):
                row = running[min(max(y + spans[k, 0], 0), height - 1)]
                first, last = 3 * (reach + spans[k, 1]), 3 * (reach + spans[k, 2] + 1)
                before, behind = row[first : first + width * 3], row[last : last + width * 3]
                for i in range(len(total)):
                    total[i] += behind[i] - before[i]
            target = out[f, y]
            for x in range(width):
                for c in range(3):
                    target[x, c] = total[3 * x + c] // size
