"""Typing errors in many texts at once, in a kernel. Importing this module imports numba."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from merbench.compiled import kernel, philox

if TYPE_CHECKING:
    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]
    Bytes = npt.NDArray[np.uint8]
    Points = npt.NDArray[np.uint32]
    Words = npt.NDArray[np.uint64]

_UNTOUCHED, _NEIGHBOUR, _TRANSPOSED, _OMITTED, _DOUBLED, _MOVED_BACK = range(6)
_KINDS = 4
_LOW = 0xFFFFFFFF


@kernel
def mistype(
    code: Points,
    starts: Integers,
    first: Integers,
    streams: Words,
    rate: float,
    keys: Bytes,
    around: Bytes,
    count: Integers,
    out: Points,
) -> tuple[Integers, Integers, Integers, Integers]:
    """Write the texts with their errors to `out`, end to end.

    Args:
        code: with `starts` and `first`, the texts (see `Graphemes`).
        starts: where each grapheme begins.
        first: the first grapheme of each text.
        streams: the key of each text's stream of random words, [N, 2] as (high, low) halves.
        rate: edits per grapheme.
        keys: with `around` and `count`, the keyboard (see `_keyboard`).
        around: the letters around each letter's key.
        count: how many these are.
        out: room for twice as many code points as there are.

    Returns:
        Where each text ends in `out`; how many edits it has; how many it should have; how many of its
        letters have a key.
    """
    texts = len(first) - 1
    ends, edits, wanted, letters = np.zeros((4, texts), dtype=np.int64)
    longest = np.diff(first).max()
    edit, order = np.empty((2, longest), dtype=np.int64)
    key, typed = np.empty((2, longest), dtype=np.uint8)
    end = 0
    for t in range(texts):
        length = first[t + 1] - first[t]
        begin = starts[first[t] : first[t + 1] + 1]
        for i in range(length):
            point = code[begin[i]]
            key[i] = keys[point] if point < len(keys) else 0
            letters[t] += key[i] != 0
            edit[i], order[i] = _UNTOUCHED, i
        wanted[t], edits[t] = _plan(code, begin, streams[t], rate, key, around, count, order, edit, typed)
        end = _write(code, begin, edit, typed, out, end)
        ends[t] = end
    return ends, edits, wanted, letters


@kernel
def _plan(
    code: Points,
    begin: Integers,
    stream: Words,
    rate: float,
    key: Bytes,
    around: Bytes,
    count: Integers,
    order: Integers,
    edit: Integers,
    typed: Bytes,
) -> tuple[int, int]:
    """Fill in what happens to each grapheme of one text; return how many edits were wanted and made.

    The stream gives the graphemes a random order and each of them, when its turn comes, an edit; neither
    depends on `rate`, which only says how many are taken from the front. A grapheme that is no letter, or
    is part of an earlier edit, is passed over.
    """
    length = len(begin) - 1
    words = np.empty(4, dtype=np.uint64)
    words[:] = philox(0, stream[1], stream[0])
    wanted = int(rate * length + (words[0] >> np.uint64(11)) * 2.0**-53)
    made = 0
    for step in range(length):
        if made == wanted:
            break
        # Fisher and Yates: the next of the random order, from half a word per step. Of its product with the
        # number of graphemes left, the upper half chooses the grapheme (Lemire 2019); the lower half is
        # random still and chooses the edit.
        half = step + 2
        if half % 8 == 0:
            words[:] = philox(half // 8, stream[1], stream[0])
        word = words[half // 2 % 4]
        if half % 2:
            word >>= np.uint64(32)
        random = np.int64(word & np.uint64(_LOW)) * (length - step)
        pick = step + (random >> 32)
        i = order[pick]
        order[pick] = order[step]
        if key[i] == 0 or edit[i] != _UNTOUCHED:
            continue
        random = (random & _LOW) * _KINDS
        kind = _NEIGHBOUR + int(random >> 32)
        if kind == _TRANSPOSED:
            j = i + 1
            if j < length and key[j] != 0 and edit[j] == _UNTOUCHED and code[begin[i]] != code[begin[j]]:
                edit[j] = _MOVED_BACK
            else:
                kind = _NEIGHBOUR
        if kind == _OMITTED and length == 1:
            kind = _NEIGHBOUR
        if kind == _NEIGHBOUR:
            typed[i] = around[key[i], (random & _LOW) * count[key[i]] >> 32]
        edit[i] = kind
        made += 1
    return wanted, made


@kernel
def _write(code: Points, begin: Integers, edit: Integers, typed: Bytes, out: Points, end: int) -> int:
    """Write one text with its edits from `end` on, and return where it ends."""
    for i in range(len(begin) - 1):
        if edit[i] == _NEIGHBOUR:
            out[end] = typed[i]
            end += 1
        if edit[i] in (_UNTOUCHED, _DOUBLED, _MOVED_BACK):
            end = _copy(code, begin[i], begin[i + 1], out, end)
        if edit[i] == _DOUBLED:
            end = _copy(code, begin[i], begin[i + 1], out, end)
        if edit[i] == _MOVED_BACK:
            end = _copy(code, begin[i - 1], begin[i], out, end)
    return end


@kernel
def _copy(code: Points, start: int, stop: int, out: Points, end: int) -> int:
    for i in range(start, stop):
        out[end] = code[i]
        end += 1
    return end
