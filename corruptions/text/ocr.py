"""What a scanner reads in a subtitle."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from corruptions.text._edits import Site, SiteCorruption
from corruptions.text._graphemes import count_graphemes
from corruptions.text._keyboard import is_latin
from merbench.corruption import Measure

if TYPE_CHECKING:
    from collections.abc import Sequence

_CONFUSED = """
a o | e c | i l | i 1 | l 1 | l I | I 1 | o 0 | O 0 | s 5 | S 5 | b 6 | B 8 | g 9 | g q | z 2 | Z 2 | h b
| n u | n r | t f | t l | u v | v y | k lc | d cl | m rn | w vv | H I-I | p n | D O | E F | G 6 | T I | . ,
"""


@dataclass(frozen=True)
class Ocr(SiteCorruption):
    """Letters and digits that look alike taken for each other, at a share of the graphemes."""

    version = 2
    severity: ClassVar = {"rate": (0.02, 0.05, 0.10, 0.15, 0.25)}
    measure = Measure("rate", "rate", worse="higher", kind="on-average", tolerance=0.03)
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = (
        "Hahn, Keller, Bisk and Belinkov: Character-based surprisal as a model of reading difficulty in "
        "the presence of errors, CogSci 2019: readers understand texts in which every second word has "
        "an error, about 10 % of its graphemes; beyond, we know of no figures"
    )
    source = (
        "character error rates and confusions as in Rigaud et al.: ICDAR 2019 competition on post-OCR text "
        "correction"
    )

    def sites(self, text: str) -> list[Site] | str:
        """Return every place where something else could be read."""
        if not is_latin(text):
            return "it is not written in a Latin script"
        found, confused = [], _confused_from()
        for i, letter in enumerate(text):
            for read, instead in confused.get(letter, ()):
                if text.startswith(read, i) and not _is_joined(text, i + len(read)):
                    found.append(Site(i, i + len(read), instead))
                    break
        return found or "there is nothing that looks like something else"

    def units(self, text: str, sites: Sequence[Site]) -> int:
        """Return the number of graphemes."""
        return count_graphemes(text)


def _is_joined(text: str, i: int) -> bool:
    """Tell whether the mark at `i` belongs to the letter before it: half a keycap is no reading error."""
    return i < len(text) and text[i] > "\x7f" and unicodedata.category(text[i])[0] == "M"


@cache
def _confusions() -> dict[str, tuple[str, ...]]:
    """Return what every character or pair of characters may be taken for, both ways round."""
    found: dict[str, tuple[str, ...]] = {}
    for pair in _CONFUSED.split("|"):
        one, other = pair.split()
        found[one] = (*found.get(one, ()), other)
        found[other] = (*found.get(other, ()), one)
    return {key: tuple(dict.fromkeys(values)) for key, values in found.items()}


@cache
def _confused_from() -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    """Return by first character what may be taken for something else, the longest first, and for what."""
    found: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for read, instead in sorted(_confusions().items(), key=lambda item: len(item[0]), reverse=True):
        found.setdefault(read[0], []).append((read, instead))
    return found
