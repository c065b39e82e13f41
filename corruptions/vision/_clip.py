"""What corruptions share that spoil every clip by itself."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from merbench.corruption import Corruption

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from merbench.types import Achieved, Batch, Params, Pool

    Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ClipCorruption(Corruption):
    """Spoils one clip after the other; what cannot be spoilt passes unchanged, with the reason."""

    changes = ("vision",)

    @abstractmethod
    def spoil(self, clip: Frames, params: Params, out: Frames, *_: Any, **strength: Any) -> Achieved | str:
        """Write the spoilt version of a clip [F, H, W, 3], which has at least one pixel, to `out`.

        Returns:
            The figures achieved (without ``applied``), or the reason why the clip stays as it is.
        """

    def apply(
        self, batch: Batch, params: Sequence[Params], pool: Pool, *_: Any, **strength: Any
    ) -> tuple[Batch, list[Achieved]]:
        """Spoil every clip."""
        frames = batch.frames
        spoilt = frames.with_values(np.empty_like(frames.values))
        achieved: list[Achieved] = []
        for i, row in enumerate(params):
            clip, out = frames[i], spoilt[i]
            report: Achieved | str
            if clip is None or out is None or clip.size == 0:
                report = "there are no frames"
            else:
                report = self.spoil(clip, row, out, **strength)
            if isinstance(report, str):
                span = slice(frames.offsets[i], frames.offsets[i + 1])
                spoilt.values[span] = frames.values[span]
                report = {"applied": False, self.measure.achieved: None, "reason": report}
            achieved.append({"applied": True, **report})
        return batch.replace(frames=spoilt), achieved
