"""Text from somebody who does not care for the shift key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from corruptions.text._edits import Site, SiteCorruption, words
from corruptions.text._graphemes import compiled
from merbench.corruption import Measure

if TYPE_CHECKING:
    from collections.abc import Sequence


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
        "Working Papers in Linguistics 27(1), 2021: capitals are read as louder, which may change a neutral "
        "sentence"
    )
    source = "transcripts of recognisers have neither; shares from a few words to all"

    def sites(self, text: str) -> list[Site] | str:
        """Return words that can be written otherwise, and punctuation marks."""
        found = []
        for word in words(text):
            forms = (word.text.lower(), word.text.upper(), word.text.capitalize())
            others = tuple(dict.fromkeys(form for form in forms if form != word.text))
            if others:
                found.append(Site(word.start, word.end, others))
        # Marks within a word (an apostrophe, a hyphen) are part of it.
        inside = {i for word in words(text) for i in range(word.start, word.end)}
        marks = [m for m in compiled(r"\p{P}+").finditer(text) if m.start() not in inside]
        found += [Site(match.start(), match.end(), ("",)) for match in marks]
        return found or "there is neither case nor punctuation"

    def units(self, text: str, sites: Sequence[Site]) -> int:
        """Return how many words and marks there are."""
        return len(sites)

    def most(self, text: str, sites: Sequence[Site]) -> int:
        """Leave a text that is nothing but punctuation its last mark."""
        return len(sites) if words(text) else len(sites) - 1
