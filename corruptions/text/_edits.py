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
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from corruptions.text._graphemes import compiled
from merbench.corruption import Corruption
from merbench.rng import Stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from merbench.types import Achieved, Batch, Params, Pool, Sample

_PART = r"[\p{L}\p{N}][\p{L}\p{M}\p{N}]*"
_WORD = rf"\p{{Han}}|[\p{{Hiragana}}\p{{Katakana}}\p{{Thai}}]\p{{M}}*|{_PART}(?:['\u2019-]{_PART})*"
"""A word as a reader sees it; in scripts that set no spaces, a character."""


_ASCII_WORD = re.compile("[A-Za-z0-9]+(?:['-][A-Za-z0-9]+)*")
_BLANKS = re.compile(" {2,}")
_BLANK_BEFORE_MARK = re.compile(" +([.,!?;:])")


class Site(NamedTuple):
    """A stretch ``text[start:end]``, and what may stand there instead, all equally likely.

    Sites of a greater `rank` come after all others: what is done where nothing better can be.
    """

    start: int
    end: int
    instead: tuple[str, ...]
    rank: int = 0


class Span(NamedTuple):
    """A word and where it stands."""

    text: str
    start: int
    end: int


def words(text: str) -> list[Span]:
    """Return the words of a text."""
    # The same words, found three times as fast, where nothing is needed that only `regex` knows.
    pattern = _ASCII_WORD if text.isascii() else compiled(_WORD)
    return [Span(match[0], *match.span()) for match in pattern.finditer(text)]


def are_exchangeable(text: str, a: Span, b: Span) -> bool:
    """Tell whether two neighbouring words differ and have nothing but blanks between them."""
    return a.text.casefold() != b.text.casefold() and not text[a.end : b.start].strip()


@dataclass(frozen=True)
class SiteCorruption(Corruption):
    """Edits a share of a text's units; a text without them passes unchanged, with the reason."""

    changes = ("text",)
    exactness = "exact"

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
        name = self.measure.achieved
        texts, achieved = list(batch.text), []
        for i, (text, row) in enumerate(zip(batch.text, params, strict=True)):
            done = (
                "there is no text" if text is None else self._edit(text, row, strength[self.measure.strength])
            )
            if isinstance(done, str):
                achieved.append({"applied": False, name: None, "reason": done})
            else:
                texts[i], report = done
                achieved.append(report)
        return batch.replace(text=tuple(texts)), achieved

    def _edit(self, text: str, params: Params, rate: float) -> tuple[str, Achieved] | str:
        if not text.strip():
            return "the text is empty"
        sites = self.sites(text)
        if isinstance(sites, str):
            return sites
        chance = Stream(params["stream"])
        units = self.units(text, sites)
        wanted = int(rate * units + chance.one_uniform())
        order = chance.permutation(len(sites)).tolist()
        if any(site.rank for site in sites):
            order.sort(key=lambda s: sites[s].rank)
        picks = chance.uniform(len(sites))
        most = min(wanted, self.most(text, sites))
        taken: list[tuple[Site, str]] = []
        free = np.ones(len(text) + 1, dtype=bool)
        for s in order:
            if len(taken) == most:
                break
            site = sites[s]
            if free[site.start : site.end].all():
                free[site.start : site.end] = False
                taken.append((site, site.instead[int(picks[s] * len(site.instead))]))
        edited = unicodedata.normalize("NFC", _replaced(text, taken))
        report = {"applied": True, self.measure.achieved: round(len(taken) / units, 6), "edits": len(taken)}
        return edited, {**report, "saturated": len(taken) < wanted}


def _replaced(text: str, edits: list[tuple[Site, str]]) -> str:
    """Return the text with its edits."""
    if not edits:
        return text
    pieces: list[str] = []
    at = 0
    for site, instead in sorted(edits):
        pieces += [text[at : site.start], instead]
        at = site.end
    return _tidied("".join([*pieces, text[at:]]), text)


def _tidied(edited: str, text: str) -> str:
    """Return a text without the blanks that words have left behind; those that it had before stay."""
    if not text.startswith(" "):
        edited = edited.lstrip(" ")
    if not text.endswith(" "):
        edited = edited.rstrip(" ")
    for untidy, instead in ((_BLANKS, " "), (_BLANK_BEFORE_MARK, r"\1")):
        if untidy.search(edited) and not untidy.search(text):
            edited = untidy.sub(instead, edited)
    return edited
