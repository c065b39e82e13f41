"""The mistakes of somebody who is learning English."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from corruptions.text._edits import Site, SiteCorruption, are_exchangeable, count_words, words
from corruptions.text._english import like, wrong_forms
from corruptions.text._keyboard import is_latin
from merbench.corruption import Measure

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Grammar(SiteCorruption):
    """Wrong agreement, articles, tense, case, prepositions and number; word order where nothing else is left.

    Rule-based and for English: a text in another Latin script only gets its word order disturbed, and one
    in no Latin script passes unchanged.
    """

    version = 1
    severity: ClassVar = {"rate": (0.05, 0.10, 0.15, 0.25, 0.35)}
    measure = Measure("rate", "rate", worse="higher", kind="on-average", tolerance=0.03)
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = (
        "we know of no study of emotion in ungrammatical text; Varonis and Gass: The comprehensibility "
        "of non-native speech, Studies in Second Language Acquisition 4(2), 1982: grammar is one of "
        "several things that understanding depends on"
    )
    source = (
        "the commonest errors of learners in Ng et al.: The CoNLL-2014 shared task on grammatical error "
        "correction, CoNLL 2014: articles, prepositions, noun number, verb form, agreement"
    )

    def sites(self, text: str) -> list[Site] | str:
        """Return words that have a wrong form, and pairs of neighbours."""
        if not is_latin(text):
            return "it is not written in a Latin script"
        spans = words(text)
        found = []
        for word, start, end in spans:
            forms, rank = _forms(word)
            if forms:
                found.append(Site(start, end, forms, rank))
        found += [
            Site(a.start, b.end, (b.text + text[a.end : b.start] + a.text,), rank=2)
            for a, b in pairwise(spans)
            if are_exchangeable(text, a, b)
        ]
        return found or "there is no word with a wrong form"

    def units(self, text: str, sites: Sequence[Site]) -> int:
        """Return the number of words."""
        return count_words(text)


@lru_cache(maxsize=4096)  # a few words make up most of every text
def _forms(word: str) -> tuple[tuple[str, ...], int]:
    """Return the wrong forms of a word, and their rank: a guess at a number comes after what is known."""
    plain = word.lower()
    wrong, rank = wrong_forms().get(plain, ()), 0
    if not wrong and _has_number(plain):
        wrong, rank = (_other_number(plain),), 1
    return tuple(like(word, form) for form in wrong), rank


def _has_number(word: str) -> bool:
    """Tell whether a word could be an English noun, as far as its spelling tells."""
    return len(word) > 3 and word.isascii() and word.isalpha() and not word.endswith(("ly", "ing"))


def _other_number(word: str) -> str:
    """Return a plural without its ending, or a word with one."""
    if word.endswith("s") and not word.endswith("ss"):
        return word[:-1]
    return word + ("es" if word.endswith(("s", "x", "ch", "sh")) else "s")
