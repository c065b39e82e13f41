"""Edits at places in a text: what most text corruptions share.

A corruption names the *sites* at which a text could be edited, and what could stand there instead. They
get an order that is drawn once, and a severity takes as many from the front as it needs: a higher one
makes every edit of a lower one. Of two sites that overlap the earlier in this order wins.
"""

from __future__ import annotations

import re
import unicodedata
from abc import abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from corruptions.text._graphemes import compiled
from merbench.corruption import Corruption

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import regex

    from merbench.corruption import Exactness
    from merbench.rng import Stream
    from merbench.types import Achieved, Batch, Params, Pool, Sample

    Integers = npt.NDArray[np.int64]

_PART = r"[\p{L}\p{N}][\p{L}\p{M}\p{N}]*"
_WORD = rf"\p{{Han}}|[\p{{Hiragana}}\p{{Katakana}}\p{{Thai}}]\p{{M}}*|{_PART}(?:['\u2019-]{_PART})*"
"""A word as a reader sees it; in scripts that set no spaces, a character."""


_ASCII_WORD = re.compile("[A-Za-z0-9]+(?:['-][A-Za-z0-9]+)*")
_BLANKS_BEFORE_MARK = re.compile(" +(?=[.,!?;:])")
_BLANK_BEFORE_MARK = re.compile(" [.,!?;:]")  # as telling, and found four times as fast

LEFT_OUT = ("",)
"""What stands there instead where something is deleted."""


class Site(NamedTuple):
    """A stretch ``text[start:end]``, and what may stand there instead, all equally likely.

    Sites of a greater `rank` come after all others: what is done where nothing better can be.
    """

    start: int
    end: int
    instead: Sequence[str]
    rank: int = 0


class Span(NamedTuple):
    """A word and where it stands."""

    text: str
    start: int
    end: int


def words(text: str) -> list[Span]:
    """Return the words of a text."""
    return [Span(match[0], match.start(), match.end()) for match in word_pattern(text).finditer(text)]


def count_words(text: str) -> int:
    """Return how many words a text has."""
    return len(word_pattern(text).findall(text))


def word_pattern(text: str) -> re.Pattern[str] | regex.Pattern[str]:
    """Return the pattern of a word: where nothing is needed that only `regex` knows, three times as fast."""
    return _ASCII_WORD if text.isascii() else compiled(_WORD)


def are_exchangeable(text: str, a: Span, b: Span) -> bool:
    """Tell whether two neighbouring words differ and have nothing but blanks between them."""
    return a.text.casefold() != b.text.casefold() and not text[a.end : b.start].strip()


@dataclass(frozen=True)
class SiteCorruption(Corruption):
    """Edits a share of a text's units; a text without them passes unchanged, with the reason."""

    changes = ("text",)
    exactness: ClassVar[Exactness] = "exact"

    @abstractmethod
    def sites(self, text: str) -> list[Site] | str:
        """Return where `text`, which is not empty, could be edited, or why it cannot be."""

    @abstractmethod
    def units(self, text: str, sites: Sequence[Site]) -> int:
        """Return how many units the rate is a share of, at least 1."""

    def most(self, text: str, sites: Sequence[Site]) -> int:
        """Return how many edits the text survives."""
        return len(sites)

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Name the stream that orders the sites and chooses what stands there instead."""
        return {"stream": rng.key}

    def apply(
        self, batch: Batch, params: Sequence[Params], pool: Pool, *_: Any, **strength: Any
    ) -> tuple[Batch, list[Achieved]]:
        """Edit every text."""
        from corruptions.text._selection import select
        from merbench.compiled import halves

        name, rate = self.measure.achieved, strength[self.measure.strength]
        found = _editable(self, batch.text)
        streams = halves([params[i]["stream"] for i in found.rows])
        taken, ends, wanted = select(found.table, found.first, found.units, found.most, streams, rate)
        edits = [(found.sites[s], choice) for s, choice in taken.tolist()]
        texts = list(batch.text)
        achieved: list[Achieved] = [{"applied": False, name: None, "reason": why} for why in found.reasons]
        rows = zip(
            found.rows, pairwise([0, *ends.tolist()]), found.units.tolist(), wanted.tolist(), strict=True
        )
        for i, (begin, end), units, aim in rows:
            made = end - begin
            if made:
                texts[i] = _replaced(batch.text[i] or "", edits[begin:end])
            share = round(made / units, 6)
            achieved[i] = {"applied": True, name: share, "edits": made, "saturated": made < aim}
        return batch.replace(text=tuple(texts)), achieved


@dataclass(frozen=True, slots=True)
class _Editable:
    """What is known of a batch's texts before a severity or a draw is.

    `reasons` has one entry per text: why it cannot be edited, or ``None``. All else is about the others,
    which are `rows` of the batch: text t among them has sites ``first[t]`` up to ``first[t + 1]``.
    """

    reasons: list[str | None]
    rows: list[int]
    sites: list[Site]
    table: Integers
    """Start, end, rank and the number of alternatives of every site, [S, 4]."""
    first: Integers
    units: Integers
    most: Integers


@lru_cache(maxsize=4)  # the severities of a batch follow each other, in each of a few threads
def _editable(corruption: SiteCorruption, texts: tuple[str | None, ...]) -> _Editable:
    reasons: list[str | None] = [_unfit(text) for text in texts]
    rows, sites, first, units, most = [], [], [0], [], []
    for i, text in enumerate(texts):
        if reasons[i] is None and text is not None:
            here = corruption.sites(text)
            if isinstance(here, str):
                reasons[i] = here
                continue
            rows.append(i)
            sites += here
            first.append(len(sites))
            units.append(corruption.units(text, here))
            most.append(corruption.most(text, here))
    figures: list[int] = []
    for start, end, instead, rank in sites:
        figures += (start, end, rank, len(instead))
    table, *numbers = (np.fromiter(column, np.int64, len(column)) for column in (figures, first, units, most))
    return _Editable(reasons, rows, sites, table.reshape(-1, 4), *numbers)


def _unfit(text: str | None) -> str | None:
    """Return why a text cannot be edited, whatever the corruption, or ``None``."""
    if text is None:
        return "there is no text"
    return None if text.strip() else "the text is empty"


def _replaced(text: str, edits: list[tuple[Site, int]]) -> str:
    """Return the text with its edits: sites, in the order of their places, and what was chosen of each."""
    pieces: list[str] = []
    at = 0
    for (start, end, instead, _), choice in edits:
        pieces += (text[at:start], instead[choice])
        at = end
    edited = _tidied("".join([*pieces, text[at:]]), text)
    return edited if edited.isascii() else unicodedata.normalize("NFC", edited)


def _tidied(edited: str, text: str) -> str:
    """Return a text without the blanks that words have left behind; those that it had before stay."""
    if not text.startswith(" "):
        edited = edited.lstrip(" ")
    if not text.endswith(" "):
        edited = edited.rstrip(" ")
    while "  " in edited and "  " not in text:
        edited = edited.replace("  ", " ")
    if _BLANK_BEFORE_MARK.search(edited) and not _BLANK_BEFORE_MARK.search(text):
        edited = _BLANKS_BEFORE_MARK.sub("", edited)
    return edited
