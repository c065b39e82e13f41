"""Vowels left out, as in hasty messages: "c u tmrrw"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from merbench.corruption import Corruption, Measure
from merbench.options import option
from merbench.rng import Stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from merbench.types import Achieved, Batch, Params, Pool, Sample


@dataclass(frozen=True)
class LostVowels(Corruption):
    """A share of the vowels is missing; consonants, digits and signs stay."""

    version = 1
    changes = ("text",)
    exactness = "exact"
    severity: ClassVar = {"rate": (0.10, 0.25, 0.50, 0.75, 1.00)}
    measure = Measure("rate", "rate", worse="higher", kind="on-average", tolerance=0.02)
    label_validity = ("preserved", "preserved", "preserved", "uncertain", "uncertain")
    validity_source = "a worked example: nobody has measured what readers still understand"
    source = "a worked example; the rates are even steps up to losing every vowel"

    vowels: str = option("aeiou", "the letters that get lost, in small and in capital")

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Name the stream of priorities, one per character; the severity is not known here."""
        return {"stream": rng.child("priorities").key, "rounding": rng.one_uniform()}

    def apply(
        self, batch: Batch, params: Sequence[Params], pool: Pool, *, rate: float
    ) -> tuple[Batch, list[Achieved]]:
        """Leave out the vowels of the lowest priorities: a higher rate leaves out a superset."""
        texts, achieved = list(batch.text), []
        for i, row in enumerate(params):
            texts[i], report = self._shorten(texts[i], row, rate)
            achieved.append(report)
        return batch.replace(text=tuple(texts)), achieved

    def _shorten(self, text: str | None, params: Params, rate: float) -> tuple[str | None, Achieved]:
        sites = [i for i, letter in enumerate(text or "") if letter.lower() in self.vowels]
        if text is None or not sites:
            return text, {"applied": False, "rate": None, "reason": "there are no vowels to lose"}
        count = int(rate * len(sites) + params["rounding"])  # unbiased, and never fewer at a higher rate
        order = np.argsort(Stream(params["stream"]).words(len(text))[sites], kind="stable")
        lost = {sites[k] for k in order[:count]}
        kept = "".join(letter for i, letter in enumerate(text) if i not in lost)
        return kept, {"applied": True, "rate": count / len(sites)}
