"""Words in the wrong order."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from corruptions.text._edits import Site, SiteCorruption, are_exchangeable, count_words, words
from merbench.corruption import Measure

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class WordSwap(SiteCorruption):
    """Neighbouring words that change places; the rate is that of pairs exchanged per word."""

    version = 1
    severity: ClassVar = {"rate": (0.05, 0.10, 0.15, 0.20, 0.30)}
    measure = Measure("rate", "rate", worse="higher", kind="on-average", tolerance=0.03)
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = (
        "Pham, Bui, Mai and Nguyen: Out of order: how important is the sequential order of words in a "
        "sentence in natural language understanding tasks?, ACL Findings 2021: 75 to 90 % of a "
        "classifier's right answers survive shuffled words; people were not asked"
    )
    source = (
        "Wei and Zou: EDA, EMNLP 2019 (random swap with 5 to 50 % of the words); here neighbours only, as a "
        "slip of the tongue exchanges"
    )

    def sites(self, text: str) -> list[Site] | str:
        """Return every pair of neighbours that differ, within a clause."""
        pairs = [
            Site(a.start, b.end, (b.text + text[a.end : b.start] + a.text,))
            for a, b in pairwise(words(text))
            if are_exchangeable(text, a, b)
        ]
        return pairs or "there are no two words to exchange"

    def units(self, text: str, sites: Sequence[Site]) -> int:
        """Return the number of words."""
        return count_words(text)
