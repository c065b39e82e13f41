"""What a speech recogniser makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from corruptions.text._edits import LEFT_OUT, Site, SiteCorruption, words
from corruptions.text._english import function_words, homophones, like
from corruptions.text._keyboard import is_latin
from merbench.corruption import Measure

if TYPE_CHECKING:
    from collections.abc import Sequence

_ENDINGS = ("ing", "ed", "es", "s", "ly", "er")


@dataclass(frozen=True)
class Asr(SiteCorruption):
    """Words replaced by what sounds like them, function words dropped, endings lost, at a word error rate.

    Rule-based and for English. `compound/asr_of_corrupted_audio` runs a real recogniser instead.
    """

    version = 1
    severity: ClassVar = {"wer": (0.05, 0.10, 0.20, 0.30, 0.45)}
    measure = Measure("wer", "wer", worse="higher", kind="on-average", tolerance=0.03)
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = (
        "Li, Bell and Lai: Speech emotion recognition with ASR transcripts, SLT 2024: models lose "
        "accuracy as the word error rate grows; people were not asked, hence uncertain from 30 % on"
    )
    source = (
        "word error rates from read to spontaneous emotional speech; words that sound alike are "
        "confused as in Simonnet et al.: Simulating ASR errors for training SLU systems, LREC 2018, and "
        "short ones get lost"
    )

    def sites(self, text: str) -> list[Site] | str:
        """Return every word with what may be heard instead."""
        if not is_latin(text):
            return "it is not written in a Latin script"
        return [Site(start, end, *_heard(word)) for word, start, end in words(text)] or "there are no words"

    def units(self, text: str, sites: Sequence[Site]) -> int:
        """Return the number of words."""
        return len(sites)

    def most(self, text: str, sites: Sequence[Site]) -> int:
        """Leave something of a text of one word."""
        return len(sites) if len(sites) > 1 else int(sites[0].instead != LEFT_OUT)


@lru_cache(maxsize=4096)  # a few words make up most of every text
def _heard(word: str) -> tuple[tuple[str, ...], int]:
    """Return what may be heard instead of a word, and its rank: words lost for no reason come last."""
    plain = word.lower().replace("\u2019", "'")
    heard = [like(word, other) for other in homophones().get(plain, ())]
    if plain in function_words():
        heard.append("")
    if not heard and plain.isalpha():
        heard = [word[: -len(e)] for e in _ENDINGS if plain.endswith(e) and len(plain) > len(e) + 2]
    return (tuple(heard), 0) if heard else (LEFT_OUT, 1)
