"""The letters of a QWERTY keyboard: which key a letter is on, and which keys lie around it."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from corruptions.text._graphemes import compiled

if TYPE_CHECKING:
    import numpy.typing as npt

# Where each row begins, in widths of a key (ANSI INCITS 154, the staggered layout of every desk keyboard).
_ROWS = (("qwertyuiop", 0.0), ("asdfghjkl", 0.25), ("zxcvbnm", 0.75))
_LETTER = re.compile("LATIN (?:SMALL|CAPITAL) LETTER [A-Z](?: WITH .*)?")
_LATIN_END = 0x1F00  # past Latin Extended Additional; all Latin letters that have a key lie below


@cache
def keys() -> npt.NDArray[np.uint8]:
    """Return by code point the ASCII letter of the same case on the letter's key, or 0 [0x1F00].

    Letters with diacritics are on the key of their base letter.
    """
    table = np.zeros(_LATIN_END, dtype=np.uint8)
    for code in range(_LATIN_END):
        name = unicodedata.name(chr(code), "")
        if _LETTER.fullmatch(name):
            letter = name.split()[3]
            table[code] = ord(letter.lower() if "SMALL" in name else letter)
    return table


@cache
def neighbours() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return by ASCII letter the letters around its key, in its case [128, 6], and how many [128]."""
    place = {letter: (x + i, y) for y, (row, x) in enumerate(_ROWS) for i, letter in enumerate(row)}
    around, count = np.zeros((128, 6), dtype=np.uint8), np.zeros(128, dtype=np.int64)
    for letter, (x, y) in place.items():
        near = sorted(
            other
            for other, (u, v) in place.items()
            if (v == y and abs(u - x) == 1) or (abs(v - y) == 1 and abs(u - x) < 1)
        )
        for spelt, others in ((letter, near), (letter.upper(), [other.upper() for other in near])):
            around[ord(spelt), : len(others)] = [ord(other) for other in others]
            count[ord(spelt)] = len(others)
    return around, count


def is_latin(text: str) -> bool:
    """Tell whether at least half of a text's letters are Latin; a text without letters is."""
    if text.isascii():
        return True
    latin, letters = compiled(r"\p{Latin}"), compiled(r"\p{L}")
    return 2 * len(latin.findall(text)) >= len(letters.findall(text))
