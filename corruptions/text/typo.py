"""Slips of a hurried typist."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from corruptions.text._graphemes import Graphemes
from corruptions.text._keyboard import is_latin, keys, neighbours
from merbench.corruption import Corruption, Measure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from merbench.rng import Stream
    from merbench.types import Achieved, Batch, Params, Pool, Sample


@dataclass(frozen=True)
class Typo(Corruption):
    """Wrong neighbouring keys, swapped, left out and doubled letters, at a share of the graphemes.

    The four kinds are equally likely; two letters that cannot be swapped give a wrong key instead. Edits
    never overlap. Texts that are not written on a Latin keyboard pass unchanged with ``applied=False``;
    one with fewer letters than it should have edits says ``saturated``.
    """

    version = 1
    changes = ("text",)
    exactness = "exact"
    severity: ClassVar = {"rate": (0.02, 0.05, 0.10, 0.15, 0.25)}
    measure = Measure("rate", "rate", worse="higher", kind="on-average", tolerance=0.03)
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = (
        "Hahn, Keller, Bisk and Belinkov: Character-based surprisal as a model of reading difficulty in the "
        "presence of errors, CogSci 2019: readers understand texts in which every second word has an error, "
        "about 10 % of its graphemes"
    )
    source = (
        "Damerau: A technique for computer detection and correction of spelling errors, Communications of "
        "the ACM 7(3), 1964 (one wrong, missing or extra letter, or two swapped)"
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Name the stream that gives every grapheme its turn and its edit."""
        return {"stream": rng.key}

    def apply(
        self, batch: Batch, params: Sequence[Params], pool: Pool, *, rate: float
    ) -> tuple[Batch, list[Achieved]]:
        """Mistype every text."""
        reasons = [_unfit(text) for text in batch.text]
        rows = [i for i, reason in enumerate(reasons) if reason is None]
        if not rows:
            return batch, [_not_applied(reason) for reason in reasons]
        typed, done = _mistyped(
            [batch.text[i] or "" for i in rows], [params[i]["stream"] for i in rows], rate
        )
        if len(rows) == len(batch):
            return batch.replace(text=tuple(typed)), done
        texts, achieved = list(batch.text), [_not_applied(reason) for reason in reasons]
        for i, text, what in zip(rows, typed, done, strict=True):
            texts[i], achieved[i] = text, what
        return batch.replace(text=tuple(texts)), achieved


def _unfit(text: str | None) -> str | None:
    """Return why a text cannot be mistyped, or ``None``."""
    if text is None:
        return "there is no text"
    if not text:
        return "the text is empty"
    return None if is_latin(text) else "it is not written on a Latin keyboard"


def _not_applied(reason: str | None) -> Achieved:
    return {"applied": False, "rate": None, "reason": reason}


def _mistyped(texts: list[str], streams: list[str], rate: float) -> tuple[list[str], list[Achieved]]:
    """Return the texts with their errors, and what was done to each."""
    from corruptions.text._typos import mistype
    from merbench.compiled import halves

    graphemes = Graphemes.of(texts)
    out = np.empty(2 * len(graphemes.code), dtype=np.uint32)
    ends, edits, wanted, letters = mistype(
        graphemes.code,
        graphemes.starts,
        graphemes.first,
        halves(streams),
        rate,
        keys(),
        *neighbours(),
        out,
    )
    typed = out[: ends[-1]].tobytes().decode("utf-32-le", "surrogatepass")
    borders = [0, *ends.tolist()]
    pieces = [typed[start:end] for start, end in pairwise(borders)]
    # An omission may bring together what Unicode composes.
    pieces = [piece if piece.isascii() else unicodedata.normalize("NFC", piece) for piece in pieces]
    lengths = np.diff(graphemes.first)
    achieved = [
        {"applied": True, "rate": share, "edits": count, "saturated": count < target}
        if there
        else _not_applied("there are no letters")
        for share, count, target, there in zip(
            np.round(edits / lengths, 6).tolist(),
            edits.tolist(),
            wanted.tolist(),
            letters.tolist(),
            strict=True,
        )
    ]
    return pieces, achieved
