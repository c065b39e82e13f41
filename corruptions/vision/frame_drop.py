"""A stream that stutters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from corruptions.vision._planned import Change, PlannedCorruption
from merbench.corruption import Measure
from merbench.rng import Stream

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    import numpy.typing as npt
    import torch

    from merbench.types import Achieved, Params, Pool, Sample

    Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Arrange(Change):
    """Frames in another order: `source` [F] says which one stands where."""

    source: npt.NDArray[np.int64]

    def write(self, clip: Frames, out: Frames) -> None:
        """Arrange a clip's frames."""
        np.take(clip, self.source, axis=0, out=out)

    @classmethod
    def on_device(cls, changes: Sequence[Self], clips: torch.Tensor) -> torch.Tensor:
        """Arrange the frames of clips."""
        from corruptions.vision._device import arranged, uploaded

        return arranged(clips, uploaded([change.source for change in changes], clips))


@dataclass(frozen=True)
class FrameDrop(PlannedCorruption):
    """Frames that never arrive: the one before stands still in their place.

    The first frame always arrives. A share of the others is lost, in an order drawn once, so a higher
    severity loses a superset; a fraction of a frame is rounded by a draw of its own.
    """

    version = 1
    exactness = "exact"
    severity: ClassVar = {"rate": (0.10, 0.20, 0.35, 0.50, 0.70)}
    measure = Measure("rate", "rate", worse="higher", kind="on-average", tolerance=0.06)
    label_validity = ("preserved", "preserved", "preserved", "preserved", "uncertain")
    validity_source = (
        "Ambadar, Schooler and Cohn: Deciphering the enigmatic face, Psychological Science 16(5), 2005: "
        "motion helps to read subtle expressions, and mostly because it shows the change"
    )
    source = (
        "frame rates down to a third of the original, the range of studies of video quality and frame loss "
        "(ITU-T P.910)"
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Name the stream that orders the frames."""
        return {"stream": rng.key}

    def plan(self, shape: tuple[int, ...], params: Params, *, rate: float) -> tuple[Arrange, Achieved] | str:
        """Choose the frames to lose."""
        others = shape[0] - 1
        if others == 0:
            return "a single frame cannot be lost"
        chance = Stream(params["stream"])
        lost = int(rate * others + chance.one_uniform())
        source = np.arange(shape[0])
        source[1 + chance.permutation(others)[:lost]] = 0
        return Arrange(np.maximum.accumulate(source)), {"rate": round(lost / others, 6), "lost": lost}
