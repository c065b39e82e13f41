"""What is done to clips on a device, each in one pass. Importing this module imports torch."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from corruptions.vision._face import UNITS
from merbench.device.kernels import fused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def uploaded(arrays: Sequence[np.ndarray] | np.ndarray, like: torch.Tensor) -> torch.Tensor:
    """Return an array, or arrays of one shape as [N, ...], as a tensor where `like` is."""
    return torch.from_numpy(np.stack(list(arrays))).to(like.device)


@cache
def held(field: Callable[[], np.ndarray], device: torch.device) -> torch.Tensor:
    """Return a field of random numbers on `device`, where it is kept."""
    return torch.from_numpy(field().copy()).to(device)


def hidden(rectangles: torch.Tensor, pixels: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Return masks [N, H, W] of the first `pixels` [N] pixels of rectangles [N, R, 4]; see `_masks.hide`.

    Each pixel takes its place from the first rectangle that holds it; all those of earlier rectangles than
    the one in which the number is reached are hidden, and the first ones of that.
    """
    first = _first_holding(rectangles, height, width).flatten(1)
    count = rectangles.shape[1] + 1
    sizes = torch.stack([(first == r).sum(1) for r in range(count)], dim=1)
    before = sizes.cumsum(1) - sizes
    last = (before <= pixels[:, None]).sum(1, keepdim=True) - 1
    place = (first == last).cumsum(1)
    cut = (first == last) & (place <= pixels[:, None] - before.gather(1, last))
    return ((first < last) | cut).view(-1, height, width)


@fused
def _first_holding(rectangles: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Return the number of the first rectangle that holds a pixel, R where none does, int32 [N, H, W]."""
    top, left, high, wide = rectangles.unbind(-1)
    rows = _between(top * height // UNITS, -(-(top + high) * height // UNITS), height)[..., None]
    columns = _between(left * width // UNITS, -(-(left + wide) * width // UNITS), width)[:, :, None]
    count = rectangles.shape[1]
    first = torch.full_like(rows[:, 0] & columns[:, 0], count, dtype=torch.int32)
    for r in reversed(range(count)):
        first = torch.where(rows[:, r] & columns[:, r], r, first)
    return first


def _between(begins: torch.Tensor, ends: torch.Tensor, size: int) -> torch.Tensor:
    """Return which of 0..size-1 lie from a begin to before an end, bool [N, R, size]."""
    along = torch.arange(size, device=begins.device)
    return (along >= begins[..., None]) & (along < ends[..., None])


def shifted(masks: torch.Tensor, shifts: torch.Tensor) -> torch.Tensor:
    """Return masks [N, 1, H, W] moved by shifts [N, F, 2] (down, right) around the picture, [N, F, H, W]."""
    number, _, height, width = masks.shape
    row = torch.arange(number, device=masks.device)[:, None, None, None]
    down, right = shifts.unbind(-1)
    rows = (torch.arange(height, device=masks.device) - down[..., None]) % height
    columns = (torch.arange(width, device=masks.device) - right[..., None]) % width
    return masks[row, 0, rows[..., None], columns[:, :, None]]


@fused
def covered(clips: torch.Tensor, masks: torch.Tensor, colour: int) -> torch.Tensor:
    """Return clips [N, F, H, W, 3] with `colour` where masks [N, F or 1, H, W] say so."""
    return torch.where(masks[..., None], colour, clips)


@fused
def looked_up(clips: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Return clips of any shape with every level replaced by its entry of `table` [256]."""
    return table[clips.int()]


@fused
def with_noise(
    clips: torch.Tensor, places: torch.Tensor, base: torch.Tensor, spread: torch.Tensor, field: torch.Tensor
) -> torch.Tensor:
    """Return clips [N, F, B] with noise from places [N, F] of a field on; see `_sensor.add_gaussian`."""
    noise = field[_stretch(clips, places, field)]
    levels = clips.int()
    return ((base[levels] + spread[levels] * noise) >> 16).clamp(0, 255).to(torch.uint8)


@fused
def counted(
    clips: torch.Tensor, places: torch.Tensor, table: torch.Tensor, field: torch.Tensor
) -> torch.Tensor:
    """Return clips [N, F, B] looked up in `table` [256, steps], each with its step of a field."""
    return table[clips.int(), field[_stretch(clips, places, field)].int()]


def _stretch(clips: torch.Tensor, places: torch.Tensor, field: torch.Tensor) -> torch.Tensor:
    """Return which values of a field, whose size is a power of two, belong to clips [N, F, B]."""
    along = torch.arange(clips.shape[-1], dtype=torch.int32, device=clips.device)
    return (places[..., None] + along) & (len(field) - 1)


@fused
def blended(clips: torch.Tensor, behind: torch.Tensor, front: torch.Tensor, shift: int) -> torch.Tensor:
    """Return (clips * behind + front) / 2^shift for int32 images [N, 1, H, W, 1 or 3], rounded down."""
    return ((clips * behind + front) >> shift).to(torch.uint8)


def mean_over(clips: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """Return the mean over offsets [N, K, 2] of clips [N, F, H, W, 3]; see `_blur.mean_over`."""
    _, _, height, width, _ = clips.shape
    down, right = offsets.unbind(-1)
    rows = _within(down, height)[:, :, None, :, None]
    columns = _within(right, width)[:, :, None, None, :]
    return _mean_at(clips, rows, columns)


@fused
def _mean_at(clips: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    number, count, size = *clips.shape[:2], rows.shape[1]
    clip = torch.arange(number, device=clips.device)[:, None, None, None]
    frame = torch.arange(count, device=clips.device)[:, None, None]
    total = torch.full_like(clips, size // 2, dtype=torch.int32)
    for k in range(size):
        total = total + clips[clip, frame, rows[:, k], columns[:, k]]
    return (total // size).to(torch.uint8)


def mean_over_spans(clips: torch.Tensor, spans: Sequence[tuple[int, int, int]]) -> torch.Tensor:
    """Return the mean over spans (down, from, to) of clips [N, F, H, W, 3]; see `_blur.mean_over_spans`."""
    _, _, height, width, _ = clips.shape
    reach = max(max(abs(first), abs(last)) for _, first, last in spans)
    wide = torch.arange(-reach - 1, width + reach, device=clips.device).clamp(0, width - 1)
    # A running sum that begins one column early: a span's sum is the difference of two of its values.
    running = clips[:, :, :, wide].cumsum(3, dtype=torch.int32)
    size = sum(last - first + 1 for _, first, last in spans)
    total = torch.full_like(clips, size // 2, dtype=torch.int32)
    for down, first, last in spans:
        rows = running[:, :, (torch.arange(height, device=clips.device) + down).clamp(0, height - 1)]
        begin, end = reach + first, reach + last + 1
        total += rows[:, :, :, end : end + width] - rows[:, :, :, begin : begin + width]
    return (total // size).to(torch.uint8)


def _within(shifts: torch.Tensor, size: int) -> torch.Tensor:
    """Return 0..size-1 moved by each of `shifts` [N, K] and held at the border, [N, K, size]."""
    return (torch.arange(size, device=shifts.device) + shifts[..., None]).clamp(0, size - 1)


def arranged(clips: torch.Tensor, sources: torch.Tensor) -> torch.Tensor:
    """Return clips [N, F, H, W, 3] of their frames `sources` [N, F]."""
    number, count = sources.shape
    first = torch.arange(0, number * count, count, device=clips.device)[:, None]
    return clips.flatten(0, 1)[(first + sources).flatten()].view_as(clips)
