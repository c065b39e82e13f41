"""What compiled kernels share: how they are compiled, and random words inside them. Imports numba.

numba keeps compiled kernels beside their source file and compiles again when that file changes, but does
not notice a change of what a kernel calls from *another* file. After editing this one, delete the
``__pycache__`` folders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

_F = TypeVar("_F", bound="Callable[..., object]")

kernel = cast("Callable[[_F], _F]", njit(cache=True, nogil=True))
"""Compile once per machine, run without the interpreter lock, and keep IEEE arithmetic as written: no
"fast" maths, so that a kernel gives the bytes that its Python source says."""

# Philox 4x64-10 (Salmon et al., SC 2011): multipliers, key increments, rounds.
MULTIPLIERS = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
INCREMENTS = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
ROUNDS = 10
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


def halves(keys: Sequence[str]) -> npt.NDArray[np.uint64]:
    """Return keys of streams as `philox` takes them, [N, 2]: the high and the low half of each."""
    words = np.frombuffer(bytes.fromhex("".join(keys)), dtype=">u8")
    return words.astype(np.uint64).reshape(-1, 2)


@kernel
def philox(block: int, low: np.uint64, high: np.uint64) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Return words 4 * block ... 4 * block + 3 of the `merbench.rng.Stream` whose key has these halves."""
    a, b, c, d = np.uint64(block + 1), np.uint64(0), np.uint64(0), np.uint64(0)
    for _ in range(ROUNDS):
        first_high, first_low = _product(MULTIPLIERS[0], a)
        second_high, second_low = _product(MULTIPLIERS[1], c)
        a, b, c, d = second_high ^ b ^ low, second_low, first_high ^ d ^ high, first_low
        low, high = low + INCREMENTS[0], high + INCREMENTS[1]
    return a, b, c, d


@kernel
def _product(x: np.uint64, y: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Return the high and the low word of a 128-bit product."""
    x_low, x_high, y_low, y_high = x & _LOW, x >> _HALF, y & _LOW, y >> _HALF
    low_high, high_low = x_low * y_high, x_high * y_low
    middle = ((x_low * y_low) >> _HALF) + (low_high & _LOW) + (high_low & _LOW)
    return x_high * y_high + (low_high >> _HALF) + (high_low >> _HALF) + (middle >> _HALF), x * y
