"""Slips in Chinese: the wrong character of the right sound, or of nearly the right shape."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from corruptions.text._edits import Site, SiteCorruption
from corruptions.text._graphemes import compiled
from merbench.corruption import Measure
from merbench.options import option

if TYPE_CHECKING:
    from collections.abc import Sequence

_FILES = {"sound": "_chinese.txt", "shape": "_shapes.txt"}


@dataclass(frozen=True)
class Chinese(SiteCorruption):
    """Characters replaced by others of the same pinyin or of a like shape, and blanks where none belong.

    The rate is a share of the Chinese characters. A character that no table has takes a blank after it (a
    word cut in two), which is done only where nothing else can be.
    """

    version = 1
    severity: ClassVar = {"rate": (0.05, 0.10, 0.15, 0.25, 0.35)}
    measure = Measure("rate", "rate", worse="higher", kind="on-average", tolerance=0.03)
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = (
        "Wang et al.: A hybrid approach to automatic corpus generation for Chinese spelling check, "
        "EMNLP 2018: such errors are those of recognisers of print and of speech; how many a reader "
        "forgives was not measured"
    )
    source = (
        "Liu et al.: Visually and phonologically similar characters in incorrect simplified Chinese "
        "words, COLING 2010: 83 % of 621 errors had to do with sound and 48 % with shape; the tables "
        "are merbench's"
    )

    kind: Literal["both", "sound", "shape"] = option("both", "what the wrong character shares with the right")

    def sites(self, text: str) -> list[Site] | str:
        """Return every Chinese character with what may stand there instead."""
        found = []
        for match in compiled(r"\p{Han}").finditer(text):
            others = confusable(self.kind).get(match[0], ())
            inner = match.end() < len(text) and text[match.end()] != " "
            if others:
                found.append(Site(match.start(), match.end(), others))
            elif inner:
                found.append(Site(match.start(), match.end(), (match[0] + " ",), rank=1))
        return found or "there are no Chinese characters"

    def units(self, text: str, sites: Sequence[Site]) -> int:
        """Return the number of Chinese characters."""
        return len(compiled(r"\p{Han}").findall(text))


@cache
def confusable(kind: str) -> dict[str, tuple[str, ...]]:
    """Return the characters that every character may be taken for."""
    found: dict[str, tuple[str, ...]] = {}
    for name in _FILES if kind == "both" else (kind,):
        for line in Path(__file__).with_name(_FILES[name]).read_text(encoding="utf-8").splitlines():
            group = [word for word in line.split() if len(word) == 1 and not word.isascii()]
            if line.startswith("#"):
                continue
            for character in group:
                others = (*found.get(character, ()), *(c for c in group if c != character))
                found[character] = tuple(dict.fromkeys(others))
    return found
