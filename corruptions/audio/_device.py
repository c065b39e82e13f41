"""Recordings on a device, all of a batch at once. Importing this module imports torch.

Every sample finds its recording by a search in the recordings' ends: compiled into one kernel, that costs
no memory traffic, unlike an index or a gain per sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from corruptions.audio._spliced import SILENCE
from merbench.device import joined, tensor_of, with_tensor
from merbench.device.kernels import fused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corruptions.audio._spliced import Splice
    from merbench.device import DeviceBatch
    from merbench.types import Packed


@dataclass(frozen=True, eq=False)
class Recordings:
    """Recordings end to end, PCM16 [total], none of them empty."""

    values: torch.Tensor
    lengths: list[int]
    rates: list[int]

    @classmethod
    def of(cls, batch: DeviceBatch, rows: Sequence[int]) -> Recordings:
        """Return the recordings of these rows of a batch."""
        values, offsets = tensor_of(batch.audio), batch.audio.offsets
        lengths = [int(offsets[i + 1] - offsets[i]) for i in rows]
        if sum(lengths) != len(values):  # the buffer also holds rows that were hidden
            values = joined([values[offsets[i] : offsets[i + 1]] for i in rows], values)
        return cls(values, lengths, [batch.sample_rates[i] or 0 for i in rows])

    def replaced(self, audio: Packed, rows: Sequence[int], values: torch.Tensor) -> Packed:
        """Return `audio` with `values` in the place of the rows that these recordings are of."""
        before = tensor_of(audio)
        if len(values) == len(before):
            return with_tensor(audio, values)
        parts = [before[audio.offsets[i] : audio.offsets[i + 1]] for i in range(len(audio))]
        for i, begin, length in zip(rows, self.begins.tolist(), self.lengths, strict=True):
            parts[i] = values[begin : begin + length]
        return with_tensor(audio, joined(parts, before))

    def tensor(self, figures: Sequence[float] | np.ndarray) -> torch.Tensor:
        """Return figures as a tensor where the recordings are: int64 of integers, float64 of others."""
        return torch.from_numpy(np.asarray(figures)).to(self.values.device)

    @cached_property
    def begins(self) -> torch.Tensor:
        """Where each recording begins, int64 [N]."""
        return self.tensor(np.cumsum([0, *self.lengths[:-1]]))

    @cached_property
    def ends(self) -> torch.Tensor:
        """Where each recording ends, int64 [N]."""
        return self.tensor(np.cumsum(self.lengths))

    def frames(self, sizes: Sequence[int]) -> Frames:
        """Cut every recording into frames of its own size; the last one may be shorter."""
        counts = -(-np.array(self.lengths) // np.array(sizes))
        rows = np.repeat(np.arange(len(counts)), counts)
        index = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        size = np.array(sizes)[rows]
        lengths = np.minimum(size, np.array(self.lengths)[rows] - index * size)
        begins = np.cumsum([0, *self.lengths])[rows] + index * size
        return Frames(
            self.tensor(rows), self.tensor(begins), self.tensor(lengths), int(size.max()), len(counts)
        )

    @cached_property
    def pieces(self) -> Frames:
        """Frames of a common size, for figures of whole recordings."""
        return self.frames([512] * len(self.lengths))


@dataclass(frozen=True, eq=False)
class Frames:
    """The frames [K] of recordings: of which one, from where on, how long, and at most how long."""

    rows: torch.Tensor
    begins: torch.Tensor
    lengths: torch.Tensor
    width: int
    recordings: int

    def total(self, figures: torch.Tensor) -> torch.Tensor:
        """Sum figures of frames [K] over each recording, [N]."""
        return figures.new_zeros(self.recordings).index_add_(0, self.rows, figures)

    def greatest(self, figures: torch.Tensor) -> torch.Tensor:
        """Return the greatest of the figures [K], none below zero, of each recording, [N]."""
        return figures.new_zeros(self.recordings).scatter_reduce_(0, self.rows, figures, "amax")

    def energies(self, signal: torch.Tensor) -> torch.Tensor:
        """Return every frame's sum of squares of a signal of integers, int64 [K]."""
        return _energies(signal, self.begins, self.lengths, self.width)

    def peaks(self, signal: torch.Tensor) -> torch.Tensor:
        """Return every frame's greatest magnitude in a signal, float64 [K]."""
        return _peaks(signal, self.begins, self.lengths, self.width)


def window(signal: torch.Tensor, begins: torch.Tensor, lengths: torch.Tensor, width: int) -> torch.Tensor:
    """Return frames side by side, [K, width], with zeros behind shorter ones."""
    along = torch.arange(width, device=signal.device)
    index = (begins[:, None] + along).clamp(max=len(signal) - 1)
    return torch.where(along < lengths[:, None], signal[index], 0)


@fused
def _energies(signal: torch.Tensor, begins: torch.Tensor, lengths: torch.Tensor, width: int) -> torch.Tensor:
    part = window(signal, begins, lengths, width).long()
    return (part * part).sum(1)


@fused
def _peaks(signal: torch.Tensor, begins: torch.Tensor, lengths: torch.Tensor, width: int) -> torch.Tensor:
    return window(signal, begins, lengths, width).abs().amax(1)


@fused
def scaled(signal: torch.Tensor, ends: torch.Tensor, gains: torch.Tensor) -> torch.Tensor:
    """Return a signal [total] times its recording's gain, rounded and limited to 16 bits."""
    return pcm16(signal.double() * gains[rows_of(signal, ends)])


@fused
def limited(values: torch.Tensor, ends: torch.Tensor, limits: torch.Tensor) -> torch.Tensor:
    """Return PCM16 [total] within its recording's limit on either side."""
    limit = limits[rows_of(values, ends)]
    return torch.minimum(torch.maximum(values.int(), -limit), limit).to(torch.int16)


def quantiles(recordings: Recordings, kept: Sequence[int], most: int) -> list[tuple[int, int]]:
    """Return per recording its magnitude that `kept` others do not exceed, and how many reach it.

    A magnitude above `most` counts as that.
    """
    magnitudes = recordings.values.int().abs().clamp(max=most)
    row = rows_of(recordings.values, recordings.ends)
    levels = most + 1
    counts = torch.bincount(row * levels + magnitudes, minlength=levels * len(kept)).view(len(kept), levels)
    below = counts.cumsum(1) - counts
    found = (below <= recordings.tensor(kept)[:, None]).sum(1) - 1
    loud = recordings.tensor(recordings.lengths) - below.gather(1, found[:, None])[:, 0]
    return [(value, count) for value, count in torch.stack([found, loud], dim=1).tolist()]


def spliced(recordings: Recordings, splices: Sequence[Splice]) -> torch.Tensor:
    """Return recordings in pieces, PCM16 [total]."""
    counts = [len(splice.begins) for splice in splices]
    first = np.repeat(np.cumsum([0, *recordings.lengths[:-1]]), counts)
    begins, sources, halvings = (
        np.concatenate([getattr(splice, name) for splice in splices])
        for name in ("begins", "sources", "halvings")
    )
    sources = np.where(sources == SILENCE, SILENCE, sources + first)
    return _spliced(
        recordings.values,
        recordings.tensor(begins + first),
        recordings.tensor(sources),
        recordings.tensor(halvings.astype(np.int32)),
    )


@fused
def _spliced(
    values: torch.Tensor, begins: torch.Tensor, sources: torch.Tensor, halvings: torch.Tensor
) -> torch.Tensor:
    position = torch.arange(len(values), device=values.device)
    piece = torch.bucketize(position, begins, right=True) - 1
    source = sources[piece]
    played = values[(source + position - begins[piece]).clamp(0, len(values) - 1)].int() >> halvings[piece]
    return torch.where(source == SILENCE, 0, played).to(torch.int16)


def rows_of(signal: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    return torch.bucketize(torch.arange(len(signal), device=signal.device), ends, right=True)


def pcm16(signal: torch.Tensor) -> torch.Tensor:
    return signal.round().clamp(-32768, 32767).to(torch.int16)
