"""Texts as one flat array of code points with the borders of their graphemes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt
    import regex

# Ranges in which NFC text has one code point per grapheme: nothing there combines with a neighbour.
_SINGLE = re.compile("[\0-\x0c\x0e-\u02ff\u1e00-\u1eff\u2010-\u2027\u2030-\u205e\u20a0-\u20bf]*")


@dataclass(frozen=True, slots=True)
class Graphemes:
    """The graphemes (extended clusters of Unicode Annex 29) of some texts, end to end.

    Grapheme g is ``code[starts[g]:starts[g + 1]]``; text t has graphemes ``first[t]`` up to ``first[t + 1]``.
    """

    code: npt.NDArray[np.uint32]
    starts: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Graphemes:
        """Take texts apart."""
        joined = "".join(texts)
        code = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        ends = np.zeros(len(texts) + 1, dtype=np.int64)
        np.cumsum([len(text) for text in texts], out=ends[1:])
        if _has_single_points(joined):
            return cls(code, np.arange(len(code) + 1), ends)
        is_start = np.ones(len(code) + 1, dtype=bool)
        for text, end in zip(texts, ends[1:], strict=True):
            if not _has_single_points(text):
                is_start[end - len(text) : end] = _starts(text)
        return cls(code, np.flatnonzero(is_start), np.concatenate([[0], np.cumsum(is_start)])[ends])


def graphemes(text: str) -> Iterable[tuple[int, int]]:
    """Return where each grapheme of a text begins and ends."""
    if _has_single_points(text):
        return pairwise(range(len(text) + 1))
    return [match.span() for match in compiled(r"\X").finditer(text)]


def count_graphemes(text: str) -> int:
    """Return how many graphemes a text has."""
    return len(text) if _has_single_points(text) else len(compiled(r"\X").findall(text))


def _has_single_points(text: str) -> bool:
    """Tell quickly whether each code point of a text is a grapheme; "no" may be wrong."""
    return (text.isascii() and "\r" not in text) or _SINGLE.fullmatch(text) is not None


def _starts(text: str) -> npt.NDArray[np.bool_]:
    starts = np.zeros(len(text), dtype=bool)
    starts[[match.start() for match in compiled(r"\X").finditer(text)]] = True
    return starts


@cache
def compiled(pattern: str) -> regex.Pattern[str]:
    """Return a compiled pattern of the `regex` module, which knows Unicode's properties."""
    import regex

    return regex.compile(pattern)
