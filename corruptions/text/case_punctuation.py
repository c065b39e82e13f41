"""Text from somebody who does not care for the shift key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from corruptions.text._edits import LEFT_OUT, Site, SiteCorruption, count_words, words
from corruptions.text._graphemes import compiled
from merbench.corruption import Measure

if TYPE_CHECKING:
    from collections.abc import Sequence

_ASCII_MARKS = re.compile(r"[!-#%-*,-/:;?@\[-\]_{}]+")
"""The ASCII part of Unicode's class P, which only `regex` knows."""


@dataclass(frozen=True)
class CasePunctuation(SiteCorruption):
    """Words in small letters, in capitals or with a capital where none belongs; punctuation left out.

    The rate is a share of the words that have a case and of the punctuation marks. Nothing is added that
    could express an emotion.
    """

    version = 1
    severity: ClassVar = {"rate": (0.10, 0.25, 0.50, 0.75, 1.00)}
    measure = Measure("rate", "rate", worse="higher", kind="on-average", tolerance=0.03)
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = (
        "Heath: No need to yell: a prosodic analysis of writing in all caps, University of Pennsylvania "
        "Working Papers in Linguistics 27(1), 2021: capitals are read as louder, higher and longer, and "
        "of many emotions; of lost capitals and marks we know of no figures"
    )
    source = "transcripts of recognisers have neither; shares from a few words to all"

    def sites(self, text: str) -> list[Site] | str:
        """Return words that can be written otherwise, and punctuation marks."""
        spans = words(text)
        found = [Site(start, end, others) for word, start, end in spans if (others := _other_cases(word))]
        # Marks within a word (an apostrophe, a hyphen) are part of it.
        inside = {i for _, start, end in spans for i in range(start, end)}
        marks = (_ASCII_MARKS if text.isascii() else compiled(r"\p{P}+")).finditer(text)
        found += [Site(mark.start(), mark.end(), LEFT_OUT) for mark in marks if mark.start() not in inside]
        return found or "there is neither case nor punctuation"

    def units(self, text: str, sites: Sequence[Site]) -> int:
        """Return how many words and marks there are."""
        return len(sites)

    def most(self, text: str, sites: Sequence[Site]) -> int:
        """Leave a text that is nothing but punctuation its last mark."""
        return len(sites) if count_words(text) else len(sites) - 1


@lru_cache(maxsize=4096)  # a few words make up most of every text
def _other_cases(word: str) -> tuple[str, ...]:
    """Return a word in small letters, in capitals, and with a capital, as far as it is not written so."""
    forms = (word.lower(), word.upper(), word.capitalize())
    return tuple(dict.fromkeys(form for form in forms if form != word))
