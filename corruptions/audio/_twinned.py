"""Corruptions that a device can do as well, to all recordings of a batch together."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corruptions._rows import reported
from corruptions.audio._recording import RecordingCorruption

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from corruptions.audio._device import Recordings
    from merbench.device import DeviceBatch
    from merbench.types import Achieved, Params, Pool


@dataclass(frozen=True)
class TwinnedCorruption(RecordingCorruption):
    """Spoils recordings one by one on the host, and together on a device, to the same bytes."""

    device_tolerance = 0

    @abstractmethod
    def spoil_together(
        self, recordings: Recordings, params: Sequence[Params], pool: Pool, *_: Any, **strength: Any
    ) -> tuple[torch.Tensor, list[Achieved | str]]:
        """Return what `spoil` makes of recordings, none of which is empty, and what it reports.

        PCM16 [total]; a recording of which a reason is reported is in there as it was.
        """

    def apply_on_device(
        self, batch: DeviceBatch, params: Sequence[Params], pool: Pool, *_: Any, **strength: Any
    ) -> tuple[DeviceBatch, list[Achieved]]:
        """Spoil all recordings that are there and not empty."""
        from corruptions.audio._device import Recordings

        shapes = batch.audio.shapes
        reports: list[Achieved | str] = [self.absent if shape is None else self.empty for shape in shapes]
        heard = [i for i, shape in enumerate(shapes) if shape and shape[0]]
        if heard:
            recordings = Recordings.of(batch, heard)
            drawn = [params[i] for i in heard]
            values, done = self.spoil_together(recordings, drawn, pool, **strength)
            for i, report in zip(heard, done, strict=True):
                reports[i] = report
            batch = batch.replace(audio=recordings.replaced(batch.audio, heard, values))
        return batch, reported(reports, self.measure)
