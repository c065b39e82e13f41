"""A platform that does not show emoji."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from corruptions.text._edits import LEFT_OUT, Site, SiteCorruption
from corruptions.text._graphemes import compiled, graphemes
from merbench.corruption import Measure

if TYPE_CHECKING:
    from collections.abc import Sequence

_EMOJI = r"(?=\X)(?:\p{Regional_Indicator}{2}|\p{Emoji_Presentation}|\p{Emoji}\uFE0F)"
_EMOTICON = r"(?<![\w:;=8])[:;=8xX][-o*'^]?[)(\]\[DPpOo/\\|3}{]+(?!\w)|<3"


@dataclass(frozen=True)
class EmojiStrip(SiteCorruption):
    """A share of the emoji and emoticons left out; a text without any passes unchanged."""

    version = 1
    severity: ClassVar = {"rate": (0.20, 0.40, 0.60, 0.80, 1.00)}
    measure = Measure("rate", "rate", worse="higher", kind="on-average", tolerance=0.03)
    label_validity = ("preserved", "uncertain", "uncertain", "uncertain", "uncertain")
    validity_source = (
        "Felbo et al.: Using millions of emoji occurrences to learn any-domain representations for detecting "
        "sentiment, emotion and sarcasm, EMNLP 2017: emoji carry the emotion of short texts"
    )
    source = "Unicode Technical Standard 51 (what an emoji is); shares from some to all of them"

    def sites(self, text: str) -> list[Site] | str:
        """Return every emoji, whatever it is made of, and every emoticon."""
        found = [
            Site(start, end, LEFT_OUT)
            for start, end in graphemes(text)
            if not text[start:end].isascii() and compiled(_EMOJI).match(text, start, end)
        ]
        found += [Site(match.start(), match.end(), LEFT_OUT) for match in compiled(_EMOTICON).finditer(text)]
        return found or "there are no emoji"

    def units(self, text: str, sites: Sequence[Site]) -> int:
        """Return the number of emoji."""
        return len(sites)
