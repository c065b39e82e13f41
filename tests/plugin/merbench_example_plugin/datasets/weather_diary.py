"""Diary lines about the weather and the mood that came with it: a dataset that needs no files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from merbench.datasets import Card, CheckReport, Dataset
from merbench.hashing import hash_json
from merbench.types import Sample, Utterance

if TYPE_CHECKING:
    from collections.abc import Sequence

_SKIES = ("morning sun", "evening light", "first snow", "warm wind")
_LINES = {
    "glad": "What a lovely {}, I could not stop smiling",
    "low": "The {} only made me miss everybody more",
    "calm": "I watched the {} and thought of nothing",
}


@dataclass(frozen=True)
class WeatherDiary(Dataset):
    """Twelve lines in three moods, by four writers."""

    card: ClassVar[Card] = Card(
        title="Weather diary (a worked example)",
        labels=("calm", "glad", "low"),
        modalities=("text",),
        text_informative=True,
        licence="CC0-1.0",
        licence_url="https://creativecommons.org/publicdomain/zero/1.0/",
        restricted=False,
        bibtex="",
        layout="nothing: the lines are in its source",
        expected={"utterances": 12},
        needs_root=False,
    )

    def utterances(self) -> tuple[Utterance, ...]:
        """Return every line, sorted by id; `source` is this reader's own handle on it."""
        rows = [
            Utterance(
                id=f"{mood}-{i}", label=mood, split="test", speaker=f"writer{i}", source=line.format(sky)
            )
            for mood, line in _LINES.items()
            for i, sky in enumerate(_SKIES)
        ]
        return tuple(sorted(rows, key=lambda row: row.id))

    def load(self, utterance: Utterance) -> Sample:
        """Return the line; the modalities that it lacks stay ``None``."""
        return Sample(utterance=utterance, text=utterance.source)

    def source_hash(self, utterances: Sequence[Utterance]) -> str:
        """Return a hash over the lines and their labels."""
        return hash_json([[u.id, u.label, u.source] for u in utterances])

    def check(self) -> CheckReport:
        """Count; there is no file that could be broken."""
        rows = self.utterances()
        counts = {
            name: dict(Counter(getattr(u, name) for u in rows)) for name in ("label", "split", "speaker")
        }
        return CheckReport(findings=(), counts=counts)
