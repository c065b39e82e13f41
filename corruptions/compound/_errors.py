"""How many words a transcript has wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corruptions.text._edits import words

if TYPE_CHECKING:
    from collections.abc import Sequence


def word_error_rate(reference: str, hypothesis: str) -> float | None:
    """Return insertions, deletions and substitutions per word of `reference`; ``None`` if it has no words.

    Words are compared without capitals, punctuation and the shape of apostrophes. In scripts that set no
    spaces a word is a character, so that this is the character error rate there. It may exceed 1.
    """
    wanted = _normal(reference)
    return edit_distance(wanted, _normal(hypothesis)) / len(wanted) if wanted else None


def _normal(text: str) -> list[str]:
    return [word.text.casefold().replace("\u2019", "'") for word in words(text)]


def edit_distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Return the least number of insertions, deletions and substitutions that turn `a` into `b`.

    Levenshtein 1966, by the row-wise recurrence of Wagner and Fischer 1974.
    """
    above = list(range(len(b) + 1))
    for i, left in enumerate(a, start=1):
        row = [i]
        for j, right in enumerate(b, start=1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (left != right)))
        above = row
    return above[-1]
