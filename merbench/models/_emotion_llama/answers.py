"""What a generated answer says: its last word, and whether that is one of the labels."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_WORD = re.compile(r"[^\W_]+(?:[-'][^\W_]+)*")
FALLBACK = "neutral"


def named_label(answer: str, labels: Sequence[str], *, else_neutral: bool = False) -> str | None:
    """Return the label that an answer ends with, else its last word, or ``None`` without a word.

    The paper reads the last word and calls everything that is not among its labels neutral, valid emotions
    included; `else_neutral` does the same. Labels of several words are looked for first.
    """
    words = _WORD.findall(answer.casefold())
    for label in sorted(labels, key=len, reverse=True):
        spelled = _WORD.findall(label.casefold())
        if spelled and words[-len(spelled) :] == spelled:
            return label
    if else_neutral:
        return FALLBACK
    return words[-1] if words else None
