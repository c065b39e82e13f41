"""The only place in merbench where randomness is born.

A `Stream` is a Philox 4x64-10 counter generator (Salmon et al., "Parallel random numbers: as easy
as 1, 2, 3", SC 2011) keyed by a hash of what the numbers are *for*. Nothing depends on how many
numbers somebody else has drawn, on the order of the samples, or on any global state.

numpy promises that the raw words of a bit generator never change between versions, but does not
promise that of its distributions. So every distribution here is made from raw words, with exact
arithmetic or from a table, and is the same on every machine and for every numpy.
"""

from __future__ import annotations

import hashlib
from functools import cache
from statistics import NormalDist
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

_T = TypeVar("_T")

_KEY_BYTES = 16  # a Philox 4x64 key is 128 bits wide


def derive_key(*fields: str) -> str:
    """Hash length-prefixed fields to a 128-bit key, as 32 hexadecimal digits.

    The length prefix makes the encoding injective: ``("ab", "c")`` and ``("a", "bc")`` differ.
    """
    encoded = [field.encode() for field in fields]
    data = b"".join([len(part).to_bytes(8, "little") + part for part in encoded])
    return hashlib.blake2b(data, digest_size=_KEY_BYTES).hexdigest()


class Stream:
    """Random numbers for one purpose, from a 128-bit key.

    Consuming numbers advances this stream only. A `child` is independent of how far its parent has
    been read, so big arrays can be made again from the child's key alone.
    """

    __slots__ = ("_bits", "key")

    def __init__(self, key: str) -> None:
        self.key = key
        self._bits: np.random.Philox | None = None  # made when first read: half the cost of a draw

    @classmethod
    def of(cls, *fields: str) -> Stream:
        """Return the stream for these key fields."""
        return cls(derive_key(*fields))

    def child(self, *fields: str) -> Stream:
        """Return an independent stream named by `fields` below this one."""
        return Stream(derive_key(self.key, *fields))

    def words(self, n: int) -> npt.NDArray[np.uint64]:
        """Return `n` raw 64-bit words."""
        return np.asarray(self._source().random_raw(n), dtype=np.uint64)

    def _source(self) -> np.random.Philox:
        if self._bits is None:
            self._bits = np.random.Philox(key=int(self.key, 16))
        return self._bits

    def uniform(self, n: int) -> npt.NDArray[np.float64]:
        """Return `n` multiples of 2^-53 in [0, 1)."""
        return (self.words(n) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def integers(self, n: int, low: int, high: int) -> npt.NDArray[np.int64]:
        """Return `n` integers in [low, high).

        32-bit multiply-shift (Lemire 2019, without the rejection step): the bias is below
        (high - low) / 2^32, far under what any benchmark of ours can see.

        Raises:
            ValueError: the range is empty or wider than 2^31.
        """
        width = _width(low, high)
        top = self.words(n) >> np.uint64(32)
        return ((top * np.uint64(width)) >> np.uint64(32)).astype(np.int64) + low

    def normal(self, n: int) -> npt.NDArray[np.float64]:
        """Return `n` standard Gaussians from a table of 65 536 equiprobable quantiles.

        Values are multiples of 2^-16 within +-4.33; variance is 1 to within 1e-4.
        """
        return np.take(gaussian_table(), self.quantiles(n))

    def quantiles(self, n: int) -> npt.NDArray[np.uint16]:
        """Return where in `gaussian_table` the `n` Gaussians stand that `normal` would give next."""
        return self.words(-(-n // 4)).astype("<u8").view("<u2")[:n]

    def one_uniform(self) -> float:
        """Return a single uniform in [0, 1): what `uniform` would give next."""
        return int(self._source().random_raw() >> 11) * 2.0**-53

    def one_integer(self, low: int, high: int) -> int:
        """Return a single integer in [low, high): what `integers` would give next."""
        return low + (int(self._source().random_raw() >> 32) * _width(low, high) >> 32)

    def choice(self, items: Sequence[_T]) -> _T:
        """Return one of `items`, all equally likely."""
        return items[self.one_integer(0, len(items))]

    def permutation(self, n: int) -> npt.NDArray[np.int64]:
        """Return 0..n-1 in random order: the order of `n` random words, ties broken by index."""
        return np.argsort(self.words(n), kind="stable").astype(np.int64)


def _width(low: int, high: int) -> int:
    if not 0 < high - low <= 2**31:
        raise ValueError(f"random integers need 0 < high - low <= 2^31, got low={low} high={high}")
    return high - low


@cache
def gaussian_table() -> npt.NDArray[np.float64]:
    """Quantiles at the mid-points (i + 1/2) / 2^16, on a grid of 2^-16 so that libm cannot matter."""
    half = [NormalDist().inv_cdf((i + 0.5) / 65536) for i in range(32768, 65536)]
    upper = np.rint(np.array(half) * 65536) / 65536
    table = np.concatenate([-upper[::-1], upper])
    table.setflags(write=False)
    return table


def rendezvous(key: str, items: Sequence[_T], identity: Sequence[str], count: int = 1) -> list[_T]:
    """Choose `count` of `items` by highest random weight (Thaler & Ravishankar 1998).

    Removing an item that was not chosen changes nothing, and neither does the order of `items`:
    which partner an utterance gets does not depend on ``--limit`` or on how the files were listed.
    """
    weights = sorted(((derive_key(key, name), i) for i, name in enumerate(identity)), reverse=True)
    return [items[i] for _, i in weights[:count]]


def torch_seed(*fields: str) -> int:
    """Return a 63-bit seed for `torch.manual_seed`, for training code that must use torch's own draws."""
    return int(derive_key(*fields), 16) & (2**63 - 1)
