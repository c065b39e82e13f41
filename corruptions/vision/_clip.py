"""What corruptions share that spoil every clip by itself."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from corruptions._rows import spoil_rows
from merbench.corruption import Corruption

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from merbench.types import Achieved, Batch, Params, Pool

    Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ClipCorruption(Corruption):
    """Spoils one clip after the other; what cannot be spoilt passes unchanged, with the reason."""

    changes = ("vision",)
    absent: ClassVar[str] = "there are no frames"

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

        def spoil(i: int, clip: Frames, out: Frames) -> Achieved | str:
            return self.spoil(clip, params[i], out, **strength) if clip.size else self.absent

        frames, achieved = spoil_rows(batch.frames, spoil, self.measure, self.absent)
        return batch.replace(frames=frames), achieved
