"""Words that were not heard, or not written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from corruptions.text._edits import LEFT_OUT, Site, SiteCorruption, word_pattern
from merbench.corruption import Measure

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class WordDelete(SiteCorruption):
    """A share of the words left out, one always stays; where no spaces are set, a word is a character."""

    version = 1
    severity: ClassVar = {"rate": (0.05, 0.10, 0.20, 0.30, 0.40)}
    measure = Measure("rate", "rate", worse="higher", kind="on-average", tolerance=0.03)
    label_validity = ("preserved", "preserved", "uncertain", "uncertain", "changed")
    validity_source = (
        "Wei and Zou: EDA: easy data augmentation techniques for boosting performance on text "
        "classification tasks, EMNLP 2019: to a classifier, sentences with 10 % of their words changed "
        "stay close to the original ones; people were not asked"
    )
    source = "Wei and Zou: EDA, EMNLP 2019 (random deletion with 5 to 50 % of the words)"

    def sites(self, text: str) -> list[Site] | str:
        """Return every word."""
        return [
            Site(match.start(), match.end(), LEFT_OUT) for match in word_pattern(text).finditer(text)
        ] or "there are no words"

    def units(self, text: str, sites: Sequence[Site]) -> int:
        """Return the number of words."""
        return len(sites)

    def most(self, text: str, sites: Sequence[Site]) -> int:
        """Leave one."""
        return len(sites) - 1
