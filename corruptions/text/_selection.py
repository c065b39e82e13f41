"""Which sites of many texts are edited, in a kernel. Importing this module imports numba."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from merbench.compiled import kernel, philox

if TYPE_CHECKING:
    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]
    Words = npt.NDArray[np.uint64]


@kernel
def select(
    table: Integers, first: Integers, units: Integers, most: Integers, streams: Words, rate: float
) -> tuple[Integers, Integers, Integers]:
    """Choose sites, and one of the alternatives of each.

    A text's stream gives one number to round the wanted number of edits, then one to each site for its
    place in the order (sites of a lower rank before all others), then one to each site for its
    alternative. None of them depends on `rate`, which only says how many are taken from the front.

    Args:
        table: start, end, rank and number of alternatives of every site, [S, 4].
        first: the first site of each text and, at the end, S.
        units: how many units of each text the rate is a share of.
        most: how many edits each text survives.
        streams: the key of each text's stream of random words, [N, 2] as (high, low) halves.
        rate: edits per unit.

    Returns:
        The sites and the number of the alternative, [K, 2], each text's in the order of their places;
        where each text ends in it; how many edits each should have.
    """
    texts = len(first) - 1
    taken = np.empty((len(table), 2), dtype=np.int64)
    ends, wanted = np.zeros((2, texts), dtype=np.int64)
    end = 0
    for t in range(texts):
        sites = table[first[t] : first[t + 1]]
        count, begin = len(sites), end
        random = _words(streams[t], 1 + 2 * count)
        wanted[t] = int(rate * units[t] + _uniform(random[0]))
        order = np.argsort(random[1 : 1 + count], kind="mergesort")
        limit = begin + min(wanted[t], most[t])
        free = np.ones(sites[:, 1].max(), dtype=np.bool_)
        for rank in range(sites[:, 2].max() + 1):
            for s in order:
                if end == limit:
                    break
                start, stop, its_rank, choices = sites[s]
                if its_rank != rank or not free[start:stop].all():
                    continue
                free[start:stop] = False
                place = end
                while place > begin and table[taken[place - 1, 0], 0] > start:
                    taken[place] = taken[place - 1]
                    place -= 1
                taken[place, 0] = first[t] + s
                taken[place, 1] = int(_uniform(random[1 + count + s]) * choices)
                end += 1
        ends[t] = end
    return taken[:end], ends, wanted


@kernel
def _words(stream: Words, count: int) -> Words:
    """Return the first `count` words of a stream, or a few more."""
    blocks = (count + 3) // 4
    words = np.empty((blocks, 4), dtype=np.uint64)
    for block in range(blocks):
        words[block] = philox(block, stream[1], stream[0])
    return words.reshape(-1)


@kernel
def _uniform(word: np.uint64) -> float:
    """Return what `Stream.uniform` makes of a word."""
    return float(word >> np.uint64(11)) * 2.0**-53
