"""What differs between two texts, word by word; by character where words are not parted or are no words."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Literal

import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

Change = Literal["same", "new", "gone"]

_UNIT = regex.compile(r"\p{Han}|\s+|[\p{L}\p{M}\p{N}'\u2019-]+|\X")


def changes(before: str, after: str) -> Iterator[tuple[Change, str]]:
    """Yield `after` in pieces that are the same or new, and between them what is gone without a successor.

    Blanks around a piece count as the same, and so do those around what is gone.
    """
    old, new = _UNIT.findall(before), _UNIT.findall(after)
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        kind: Change = "same" if tag == "equal" else "gone" if tag == "delete" else "new"
        piece = "".join(old[i:j] if kind == "gone" else new[k:m])
        core = piece.strip()
        start = piece.index(core)
        pieces: tuple[tuple[Change, str], ...] = (
            ("same", piece[:start]),
            (kind, core),
            ("same", piece[start + len(core) :]),
        )
        yield from (part for part in pieces if part[1])
