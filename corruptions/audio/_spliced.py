"""Recordings taken apart and put together again: gaps, packets, delays."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corruptions.audio._twinned import TwinnedCorruption

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    import torch

    from corruptions.audio._device import Recordings
    from merbench.types import Achieved, Params, Pool

    PCM16 = npt.NDArray[np.int16]

SILENCE = -1
"""As the source of a piece."""

MOST_HALVINGS = 15
"""After which nothing is left of 16 bits but the sign."""


@dataclass(frozen=True)
class Splice:
    """The pieces [S] of a recording in their order.

    A piece goes from its begin to the next one's and plays the recording from `sources` on, halved (and
    rounded down) so many times.
    """

    begins: Sequence[int]
    sources: Sequence[int]
    halvings: Sequence[int]

    @classmethod
    def of(cls, *pieces: tuple[int, int]) -> Splice:
        """Join pieces (begin, source) at their full level."""
        begins, sources = zip(*pieces, strict=True)
        return cls(begins, sources, (0,) * len(pieces))

    def write(self, audio: PCM16, out: PCM16) -> None:
        """Write the pieces of a recording [T] to `out` [T]."""
        ends = [*self.begins[1:], len(out)]
        for begin, end, source, halvings in zip(self.begins, ends, self.sources, self.halvings, strict=True):
            if source == SILENCE:
                out[begin:end] = 0
            else:
                out[begin:end] = audio[source : source + end - begin] >> halvings


@dataclass(frozen=True)
class SplicedCorruption(TwinnedCorruption):
    """Knows from a recording's length alone how it will be spliced."""

    @abstractmethod
    def splice(
        self, length: int, sample_rate: int, params: Params, *_: Any, **strength: Any
    ) -> tuple[Splice, Achieved] | str:
        """Return the pieces of a recording of `length` >= 1 and the figures that this achieves.

        Returns:
            The pieces and the figures (without ``applied``), or the reason why the recording stays as it is.
        """

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
        """Splice a recording."""
        planned = self.splice(len(audio), sample_rate, params, **strength)
        if isinstance(planned, str):
            return planned
        pieces, figures = planned
        pieces.write(audio, out)
        return figures

    def spoil_together(
        self, recordings: Recordings, params: Sequence[Params], pool: Pool, *_: Any, **strength: Any
    ) -> tuple[torch.Tensor, list[Achieved | str]]:
        """Splice all recordings."""
        from corruptions.audio._device import spliced

        splices, reports = [], []
        for length, rate, row in zip(recordings.lengths, recordings.rates, params, strict=True):
            planned = self.splice(length, rate, row, **strength)
            pieces, report = (Splice.of((0, 0)), planned) if isinstance(planned, str) else planned
            splices.append(pieces)
            reports.append(report)
        return spliced(recordings, splices), reports
