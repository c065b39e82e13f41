"""Corruptions that know from a clip's shape alone what will be done to it: so a device can do it as well."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corruptions._rows import reported
from corruptions.vision._clip import ClipCorruption

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    import numpy as np
    import numpy.typing as npt
    import torch

    from merbench.device import DeviceBatch
    from merbench.types import Achieved, Params, Pool

    Frames = npt.NDArray[np.uint8]


class Change(ABC):
    """One thing done to one clip, for two kinds of memory. Both give the same bytes."""

    @abstractmethod
    def write(self, clip: Frames, out: Frames) -> None:
        """Write the changed clip [F, H, W, 3] to `out`."""

    @classmethod
    @abstractmethod
    def on_device(cls, changes: Sequence[Self], clips: torch.Tensor) -> torch.Tensor:
        """Return clips [N, F, H, W, 3] with their changes [N], all planned by one corruption."""


@dataclass(frozen=True)
class PlannedCorruption(ClipCorruption):
    """Plans a change for every clip, and has it made where the clip lies."""

    device_tolerance = 0

    @abstractmethod
    def plan(
        self, shape: tuple[int, ...], params: Params, *_: Any, **strength: Any
    ) -> tuple[Change, Achieved] | str:
        """Return what will be done to a clip of `shape` (F, H, W, 3) and the figures that this achieves.

        Returns:
            The change and its figures (without ``applied``), or the reason why the clip stays as it is.
        """

    def spoil(self, clip: Frames, params: Params, out: Frames, *_: Any, **strength: Any) -> Achieved | str:
        """Plan a clip's change and make it."""
        planned = self.plan(clip.shape, params, **strength)
        if isinstance(planned, str):
            return planned
        change, figures = planned
        change.write(clip, out)
        return figures

    def apply_on_device(
        self, batch: DeviceBatch, params: Sequence[Params], pool: Pool, *_: Any, **strength: Any
    ) -> tuple[DeviceBatch, list[Achieved]]:
        """Plan every clip's change, and make those of neighbours of one shape together."""
        from merbench.device import joined, runs, tensor_of, with_tensor

        changes: list[Change | None] = []
        reports: list[Achieved | str] = []
        for shape, row in zip(batch.frames.shapes, params, strict=True):
            planned = self.plan(shape, row, **strength) if shape and all(shape) else self.absent
            change, figures = (None, planned) if isinstance(planned, str) else planned
            changes.append(change)
            reports.append(figures)
        parts = []
        for rows, media in runs(batch.frames, [None if c is None else type(c) for c in changes]):
            here = [change for change in changes[rows.start : rows.stop] if change is not None]
            parts.append(here[0].on_device(here, media) if here else media)
        frames = with_tensor(batch.frames, joined(parts, tensor_of(batch.frames)))
        return batch.replace(frames=frames), reported(reports, self.measure)
