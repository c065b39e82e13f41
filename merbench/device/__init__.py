"""Batches whose media lie on a device, as torch tensors.

The host's bytes are canonical. A corruption may have a twin that does to tensors what `Corruption.apply`
does to arrays, from the same params, and says by how many levels it may differ
(`Corruption.device_tolerance`).
"""

from __future__ import annotations

import dataclasses
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from merbench.types import Batch, Packed

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    import torch


class DeviceBatch(Batch):
    """A batch whose two buffers, PCM16 and uint8, are tensors on one device.

    Still packed, nothing is padded. Offsets, shapes, rates, times and texts stay on the host.
    """

    @classmethod
    def upload(cls, batch: Batch, device: torch.device | str) -> DeviceBatch:
        """Copy a batch to `device`; on the CPU the tensors are views of its arrays."""
        return cls(
            audio=_moved(batch.audio, lambda values: _tensor(values).to(device)),
            sample_rates=batch.sample_rates,
            frames=_moved(batch.frames, lambda values: _tensor(values).to(device)),
            timestamps=batch.timestamps,
            text=batch.text,
        )

    def download(self) -> Batch:
        """Copy the batch to the host."""
        return Batch(
            audio=_moved(self.audio, lambda values: values.cpu().numpy()),
            sample_rates=self.sample_rates,
            frames=_moved(self.frames, lambda values: values.cpu().numpy()),
            timestamps=self.timestamps,
            text=self.text,
        )

    def replace(self, **media: Any) -> DeviceBatch:
        """Return this batch with some of its media exchanged."""
        return dataclasses.replace(self, **media)

    @classmethod
    def like(cls, batch: Batch) -> DeviceBatch:
        """Return a batch whose buffers are tensors already as what it is."""
        return cls(**{field.name: getattr(batch, field.name) for field in dataclasses.fields(Batch)})

    @property
    def device(self) -> torch.device:
        """Where the buffers are."""
        return tensor_of(self.frames).device


def tensor_of(media: Packed) -> torch.Tensor:
    """Return the buffer [total] of media that lie on a device."""
    return cast("torch.Tensor", media.values)


def with_tensor(media: Packed, values: torch.Tensor) -> Packed:
    """Return the same rows over another buffer of the same size."""
    return media.with_values(cast("Any", values))


def packed(rows: Sequence[torch.Tensor | np.ndarray | None], like: Packed) -> Packed:
    """Pack rows into one new buffer where the media `like` lie, as `Packed.of` does on the host."""
    import torch

    near = tensor_of(like)
    flat = [None if row is None else torch.as_tensor(row).to(near).reshape(-1) for row in rows]
    sizes = [0 if row is None else len(row) for row in flat]
    shapes = tuple(None if row is None else tuple(row.shape) for row in rows)
    values = joined([row for row in flat if row is not None], near[:0])
    return with_tensor(Packed(np.empty(0), np.cumsum([0, *sizes]), shapes), values)


def runs(media: Packed, keys: Sequence[Hashable | None]) -> Iterator[tuple[range, torch.Tensor]]:
    """Cut media where the shape or the key of their rows changes.

    Yields:
        Neighbouring rows that are alike, and their media [N, *shape], a view of the buffer; absent rows and
        those without a key come as they lie there, [bytes].
    """
    values = tensor_of(media)
    alike = [None if key is None else (shape, key) for shape, key in zip(media.shapes, keys, strict=True)]
    for kind, group in groupby(range(len(media)), key=lambda i: alike[i]):
        members = list(group)
        rows = range(members[0], members[-1] + 1)
        here = values[int(media.offsets[rows.start]) : int(media.offsets[rows.stop])]
        shape = media.shapes[rows.start]
        yield rows, here if kind is None or shape is None else here.view(len(rows), *shape)


def joined(parts: Sequence[torch.Tensor], like: torch.Tensor) -> torch.Tensor:
    """Return parts end to end, [total]; a single one is not copied."""
    import torch

    if len(parts) == 1:
        return parts[0].reshape(-1)
    return torch.cat([part.reshape(-1) for part in parts]) if parts else like


def _tensor(values: Any) -> torch.Tensor:
    import torch

    # A copy, for torch warns of arrays that must not be written to.
    return torch.from_numpy(values if values.flags.writeable else values.copy())


def _moved(media: Packed, move: Callable[[Any], Any]) -> Packed:
    return media.with_values(move(media.values))
