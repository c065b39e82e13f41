"""What corruptions share that spoil every recording by itself."""

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

    PCM16 = npt.NDArray[np.int16]


@dataclass(frozen=True)
class RecordingCorruption(Corruption):
    """Spoils one recording after the other; what cannot be spoilt passes unchanged, with the reason."""

    changes = ("audio",)
    absent: ClassVar[str] = "there is no audio"
    empty: ClassVar[str] = "the recording is empty"

    @abstractmethod
    def spoil(
        self,
        audio: PCM16,
        sample_rate: int,
        params: Params,
        pool: Pool,
        out: PCM16,
        *_: Any,
        **strength: Any,
    ) -> Achieved | str:
        """Write the spoilt version of a recording [T], which has at least one sample, to `out` [T].

        Returns:
            The figures achieved (without ``applied``), or the reason why the recording stays as it is.
        """

    def apply(
        self, batch: Batch, params: Sequence[Params], pool: Pool, *_: Any, **strength: Any
    ) -> tuple[Batch, list[Achieved]]:
        """Spoil every recording."""

        def spoil(i: int, recording: PCM16, out: PCM16) -> Achieved | str:
            rate = batch.sample_rates[i]
            if len(recording) == 0 or rate is None:
                return self.empty
            return self.spoil(recording, rate, params[i], pool, out, **strength)

        audio, achieved = spoil_rows(batch.audio, spoil, self.measure, self.absent)
        return batch.replace(audio=audio), achieved
