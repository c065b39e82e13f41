"""What corruptions share that spoil every recording by itself."""

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

    PCM16 = npt.NDArray[np.int16]


@dataclass(frozen=True)
class RecordingCorruption(Corruption):
    """Spoils one recording after the other; what cannot be spoilt passes unchanged, with the reason."""

    changes = ("audio",)

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
        audio = batch.audio
        spoilt = audio.with_values(np.empty_like(audio.values))
        achieved: list[Achieved] = []
        for i, (rate, row) in enumerate(zip(batch.sample_rates, params, strict=True)):
            recording, out = audio[i], spoilt[i]
            report: Achieved | str
            if recording is None or out is None or rate is None:
                report = "there is no audio"
            elif len(recording) == 0:
                report = "the recording is empty"
            else:
                report = self.spoil(recording, rate, row, pool, out, **strength)
            if isinstance(report, str):
                span = slice(audio.offsets[i], audio.offsets[i + 1])
                spoilt.values[span] = audio.values[span]
                report = {"applied": False, self.measure.achieved: None, "reason": report}
            achieved.append({"applied": True, **report})
        return batch.replace(audio=spoilt), achieved
