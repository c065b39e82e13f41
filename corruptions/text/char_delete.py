"""Letters that a worn keyboard does not give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from corruptions.text._edits import LEFT_OUT, Site, SiteCorruption
from corruptions.text._graphemes import graphemes
from merbench.corruption import Measure

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class CharDelete(SiteCorruption):
    """A share of the letters and digits left out, in any script; one always stays."""

    version = 1
    severity: ClassVar = {"rate": (0.05, 0.10, 0.20, 0.30, 0.40)}
    measure = Measure("rate", "rate", worse="higher", kind="on-average", tolerance=0.03)
    label_validity = ("preserved", "preserved", "uncertain", "uncertain", "changed")
    validity_source = (
        "Hahn, Keller, Bisk and Belinkov: Character-based surprisal as a model of reading difficulty in "
        "the presence of errors, CogSci 2019: readers understand texts in which every second word has "
        "an error, about 10 % of its graphemes; beyond, we know of no figures"
    )
    source = (
        "Belinkov and Bisk: Synthetic and natural noise both break neural machine translation, ICLR 2018 "
        "(errors of letters); rates around theirs"
    )

    def sites(self, text: str) -> list[Site] | str:
        """Return every grapheme that is a letter or a digit."""
        found = [Site(start, end, LEFT_OUT) for start, end in graphemes(text) if text[start].isalnum()]
        return found or "there are no letters"

    def units(self, text: str, sites: Sequence[Site]) -> int:
        """Return the number of letters."""
        return len(sites)

    def most(self, text: str, sites: Sequence[Site]) -> int:
        """Leave one."""
        return len(sites) - 1
