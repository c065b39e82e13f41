"""The numbers of `merbench.rng.Stream`, made on a device. Importing this module imports torch and numba."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from merbench.compiled import INCREMENTS, MULTIPLIERS, ROUNDS, halves
from merbench.device.kernels import fused

if TYPE_CHECKING:
    from collections.abc import Sequence

PICKS_PER_BLOCK = 16
"""A block of Philox 4x64-10 is four words, each of which makes four Gaussians."""

_HALF, _QUARTER = 0xFFFFFFFF, 0xFFFF


def _signed(word: int) -> int:
    """Return the number in two's complement that has the lowest 64 bits of `word`."""
    word &= (1 << 64) - 1
    return word - (1 << 64) if word >> 63 else word


_TIMES = tuple(_signed(int(word)) for word in MULTIPLIERS)
_PLUS = tuple(_signed(int(word)) for word in INCREMENTS)


def gaussian_picks(
    keys: Sequence[str], counts: Sequence[int], device: torch.device
) -> tuple[torch.Tensor, list[int]]:
    """Return the 16-bit numbers with which `Stream.normal` looks up its Gaussians, row after row.

    Args:
        keys: of the streams.
        counts: how many numbers each row needs.
        device: where to make them.

    Returns:
        The numbers as int16 (their bits are what counts), every row filled up to whole blocks of
        `PICKS_PER_BLOCK`, and where each row begins.
    """
    sizes = torch.tensor([-(-count // PICKS_PER_BLOCK) for count in counts])
    ends = sizes.cumsum(0)
    begins = ends - sizes
    key = torch.from_numpy(halves(keys).view(np.int64)).to(device).repeat_interleave(sizes.to(device), 0)
    total = int(sizes.sum())
    block = torch.arange(total, device=device) - begins.repeat_interleave(sizes).to(device)
    counter = torch.zeros(total, 4, dtype=torch.int64, device=device)
    counter[:, 0] = block + 1
    words = philox(counter, low=key[:, 1], high=key[:, 0])
    return words.view(torch.int16).reshape(-1), (begins * PICKS_PER_BLOCK).tolist()


@fused
def philox(counter: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    """Return four words [N, 4] for counters [N, 4] under keys in halves [N].

    int64 holds the bits of an unsigned word, and what a shift to the right brings in from the sign is
    masked away.
    """
    a, b, c, d = counter.unbind(1)
    for _ in range(ROUNDS):
        first_high, first_low = _product(_TIMES[0], a)
        second_high, second_low = _product(_TIMES[1], c)
        a, b, c, d = second_high ^ b ^ low, second_low, first_high ^ d ^ high, first_low
        low, high = low + _PLUS[0], high + _PLUS[1]
    return torch.stack([a, b, c, d], dim=1)


def _product(x: int, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the high and the low word of a 128-bit product.

    By halves of `x` and quarters of `y`, so that no partial product overflows: what a C++ compiler makes of
    a signed overflow is its own affair.
    """
    x_low, x_high = x & _HALF, (x >> 32) & _HALF
    quarters = [(y >> 16 * k) & _QUARTER for k in range(4)]
    p, q = [x_low * part for part in quarters], [x_high * part for part in quarters]
    inner = p[3] + q[1]
    first = p[0] + ((p[1] & _QUARTER) << 16)
    second = (first >> 32) + (p[1] >> 16) + p[2] + q[0] + ((inner & _QUARTER) << 16)
    third = (second >> 32) + (inner >> 16) + q[2] + ((q[3] & _QUARTER) << 16)
    fourth = (third >> 32) + (q[3] >> 16)
    return (third & _HALF) | (fourth << 32), (first & _HALF) | (second << 32)
