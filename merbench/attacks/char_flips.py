"""A few letters replaced, one after the other, each where it hurts most."""

from __future__ import annotations

import string
from dataclasses import dataclass
from operator import ne
from typing import TYPE_CHECKING

import numpy as np

from merbench.attacks._attack import ABSENT, Attack, Outcome
from merbench.attacks._queries import Queries
from merbench.attacks._scores import ENOUGH, Judge
from merbench.errors import MerbenchError
from merbench.options import option

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from merbench.attacks._attack import Budget, Victims
    from merbench.rng import Stream
    from merbench.types import Achieved, Batch, Modality


@dataclass(frozen=True)
class CharFlips(Attack):
    """Greedy character flips; what a smaller budget flips, a larger one flips as well.

    Every letter is tried with `candidates` others of its alphabet: a to z in a text that has any of them, or
    else the letters that the text itself is written in.
    """

    changes = ("text",)
    knows = "answers"
    source = (
        "greedy flips as in Ebrahimi et al., 'HotFlip: white-box adversarial examples for text "
        "classification', ACL 2018, chosen by asking the model instead of by its gradient"
    )

    candidates: int = option(2, "other letters tried at each place")

    def __post_init__(self) -> None:
        if self.candidates < 1:
            raise MerbenchError(
                f"'{self.name}' cannot have candidates={self.candidates}", fix="give at least 1"
            )

    def perturb(self, victims: Victims, budget: Budget) -> Outcome:
        """Return the texts after ``budget.flips`` flips, or fewer where those are enough."""
        self.alters(victims.target.adapter.uses)
        if self not in victims.memo:
            victims.memo[self] = _Paths(self, victims)
        paths = victims.memo[self]
        texts = [paths.flipped(i, budget.flips) for i in range(len(victims))]
        achieved: list[Achieved] = [
            {} if text is None or old is None else {"flips": sum(map(ne, old, text))}
            for old, text in zip(victims.clean.text, texts, strict=True)
        ]
        return Outcome(victims.clean.replace(text=tuple(texts)), achieved, np.zeros(len(texts), dtype=bool))

    def why_not(self, clean: Batch, uses: Sequence[Modality], budget: Budget) -> list[str | None]:
        """Return for each row why it cannot be altered within `budget`, ``None`` if it can."""
        return [
            ABSENT
            if text is None
            else None
            if budget.flips and any(character.isalpha() for character in text)
            else "there is no letter to flip"
            for text in clean.text
        ]


class _Paths:
    """Each text after 0, 1, 2 ... flips, as far as anybody has asked."""

    def __init__(self, attack: CharFlips, victims: Victims) -> None:
        self._attack = attack
        self._victims = victims
        target = victims.target
        self._judge = Judge(target.adapter, target.labels)
        self._queries = Queries(target.adapter, victims.clean, ("text",))
        self._rngs = victims.streams(attack)
        self._texts = [[text] for text in victims.clean.text]
        margins = self._judge.margins(self._queries.answers(victims.clean), victims.truth)
        self._margins = margins.tolist()

    def flipped(self, row: int, flips: int) -> str | None:
        """Return one row's text after at most so many flips."""
        path = self._texts[row]
        while len(path) <= flips and self._margins[row] <= ENOUGH and self._flip(row):
            pass
        return path[min(flips, len(path) - 1)]

    def _flip(self, row: int) -> bool:
        """Add the flip after which the right answer leads least; tell whether there was any to try."""
        victims, path = self._victims, self._texts[row]
        now, original = path[-1], path[0]
        tried = list(_edits(now, original, self._attack.candidates, self._rngs[row]))
        if not tried:
            return False
        rows = [row] * len(tried)
        batch = victims.clean.take(rows).replace(text=tuple(tried))
        margins = self._judge.margins(self._queries.answers(batch, rows), [victims.truth[row]] * len(tried))
        chosen = int(margins.argmax())
        path.append(tried[chosen])
        self._margins[row] = float(margins[chosen])
        return True


def _edits(now: str | None, original: str | None, candidates: int, rng: Stream) -> Iterator[str]:
    """Yield the text with one more letter replaced, for every letter that is still the original one."""
    if now is None or original is None:
        return
    letters = sorted({c for c in original.casefold() if c.isalpha()})
    if any(c in string.ascii_lowercase for c in letters):
        letters = list(string.ascii_lowercase)
    for place, character in enumerate(original):
        if not character.isalpha() or now[place] != character:
            continue
        others = [c for c in letters if c != character.casefold()]
        for pick in rng.child(str(place)).permutation(len(others))[:candidates]:
            other = others[pick].upper() if character.isupper() else others[pick]
            if len(other) == 1:  # some capitals are two letters
                yield now[:place] + other + now[place + 1 :]
