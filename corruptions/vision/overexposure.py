"""Sun in the lens."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from corruptions.vision._planned import Change, PlannedCorruption
from merbench.corruption import Measure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    import numpy.typing as npt
    import torch

    from merbench.device import DeviceBatch
    from merbench.rng import Stream
    from merbench.types import Achieved, Params, Pool, Sample

    Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Replace(Change):
    """Every level replaced by its entry of `levels` [256], which are the severity's."""

    levels: npt.NDArray[np.uint8]

    def write(self, clip: Frames, out: Frames) -> None:
        """Replace a clip's levels."""
        import cv2

        rows = (-1, clip.shape[2] * clip.shape[3])
        cv2.LUT(clip.reshape(rows), self.levels, dst=out.reshape(rows))  # numpy's `take` is 15 times as slow

    @classmethod
    def on_device(cls, changes: Sequence[Self], clips: torch.Tensor) -> torch.Tensor:
        """Replace the levels of clips."""
        from corruptions.vision._device import looked_up, uploaded

        return looked_up(clips, uploaded(changes[0].levels, clips))


@dataclass(frozen=True)
class Overexposure(PlannedCorruption):
    """More light than the camera is set for: twice as much per stop, and what is too much is white."""

    version = 1
    exactness = "exact"
    is_random = False
    severity: ClassVar = {"stops": (0.5, 1.0, 1.5, 2.0, 3.0)}
    measure = Measure("stops", "stops", worse="higher", kind="per-sample", tolerance=0.0)
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = (
        "we know of no figures for people; at 2 stops every level above 137 is white, skin among them, "
        "hence uncertain from severity 4 on"
    )
    source = (
        "IEC 61966-2-1 (sRGB transfer function); exposure in stops, at most what a sensor's shoulder allows"
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Draw nothing."""
        return {}

    def plan(self, shape: tuple[int, ...], params: Params, *, stops: float) -> tuple[Replace, Achieved]:
        """Look up the severity's levels."""
        return Replace(_levels(stops)), {"stops": stops}

    def spoil(self, clip: Frames, params: Params, out: Frames, *, stops: float) -> Achieved | str:
        """Overexpose a clip, and say how much of it is white."""
        report = super().spoil(clip, params, out, stops=stops)
        if isinstance(report, str):
            return report
        # One frame at a time stays in the cache.
        white = sum(int(np.count_nonzero(frame == 255)) for frame in out)
        return {**report, "white": round(white / out.size, 4)}

    def apply_on_device(
        self, batch: DeviceBatch, params: Sequence[Params], pool: Pool, *, stops: float
    ) -> tuple[DeviceBatch, list[Achieved]]:
        """Overexpose every clip, and say how much of each is white."""
        from merbench.device import runs

        batch, achieved = super().apply_on_device(batch, params, pool, stops=stops)
        for rows, clips in runs(batch.frames, [report["applied"] or None for report in achieved]):
            if achieved[rows.start]["applied"]:
                shares = (clips == 255).flatten(1).double().mean(1).tolist()
                for report, white in zip(achieved[rows.start : rows.stop], shares, strict=True):
                    report["white"] = round(white, 4)
        return batch, achieved


@cache
def _levels(stops: float) -> npt.NDArray[np.uint8]:
    """Return what every level becomes, [256]."""
    level = np.arange(256) / 255
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4) * 2.0**stops
    lighter = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(np.minimum(lighter, 1.0) * 255), dtype=np.uint8)
