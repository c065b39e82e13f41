"""Whose media an utterance is given instead of its own."""

from __future__ import annotations

import threading
from bisect import bisect_left
from typing import TYPE_CHECKING

from merbench.rng import derive_key

if TYPE_CHECKING:
    from merbench.types import Pool, Utterance


class Ring:
    """The utterances of a pool by a hash of their ids, on a ring. Thread-safe.

    An utterance's partner is the next one after a place drawn for it (consistent hashing, Karger et al.,
    STOC 1997): found by bisection, and another pool member that comes or goes changes few partners.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: tuple[Utterance, ...] | None = None
        self._places: list[str] = []
        self._ring: list[Utterance] = []

    def partner(self, place: str, of: Utterance, pool: Pool) -> Utterance | None:
        """Return the first utterance from `place`, 32 hexadecimal digits, on that is not `of`."""
        with self._lock:
            if self._pool is not pool.utterances:
                placed = sorted((derive_key("ring", u.id), i) for i, u in enumerate(pool.utterances))
                self._places = [key for key, _ in placed]
                self._ring = [pool.utterances[i] for _, i in placed]
                self._pool = pool.utterances
            places, ring = self._places, self._ring
        first = bisect_left(places, place)
        for step in range(min(2, len(ring))):
            found = ring[(first + step) % len(ring)]
            if found.id != of.id:
                return found
        return None
