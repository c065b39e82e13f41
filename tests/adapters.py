"""Small models for tests, as a user would hand them in: ``tests/adapters.py:Name``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from merbench.hashing import hash_text
from merbench.models import Adapter, Answered, SplitAdapter, Valued
from merbench.options import option

EMOTIONS = ("neutral", "happy", "sad", "angry", "fear", "surprise")


@dataclass
class Statistics(SplitAdapter):
    """A deterministic split model on simple statistics of each modality."""

    labels: tuple[str, ...] = EMOTIONS

    def encode(self, modality, batch):
        rows = {
            "audio": lambda: [np.abs(a.astype(np.int64)).mean() / 500 for a in batch.audio],
            "vision": lambda: [f.mean() / 16 for f in batch.frames],
            "text": lambda: [len(set(t)) / 3 for t in batch.text],
        }[modality]()
        return np.array(rows, dtype=np.float32)[:, None]

    def fuse(self, encodings, present):
        n = len(next(iter(present.values())))
        total = np.zeros(n, dtype=np.float32)
        for modality, encoded in encodings.items():
            total += np.where(present[modality], encoded[:, 0], 0)
        return np.cos(total[:, None] * np.arange(1, len(self.labels) + 1, dtype=np.float32))

    def fingerprint(self):
        return hash_text("statistics-1")


@dataclass
class Whole(Adapter):
    """The same model as one piece, to check that reuse changes nothing."""

    labels: tuple[str, ...] = EMOTIONS

    def predict(self, batch):
        return Statistics().predict(batch)

    def fingerprint(self):
        return hash_text("whole-1")


@dataclass
class TextOnly(Adapter):
    """Counts vowels; for text tables with the labels calm, glad, low."""

    labels: tuple[str, ...] = ("calm", "glad", "low")
    uses: tuple[str, ...] = ("text",)

    def predict(self, batch):
        vowels = np.array([sum(c in "aeiou" for c in text or "") for text in batch.text])
        return np.eye(3)[vowels % 3]

    def fingerprint(self):
        return hash_text("text-only-1")


@dataclass
class Talker(TextOnly):
    """Answers in words: one valid label, one outside the set, and one that says nothing."""

    def predict(self, batch):
        answers = ["Calm.", "furious", "   "]
        return [answers[len(text or "") % 3] for text in batch.text]


class NotANumber(TextOnly):
    def predict(self, batch):
        return np.full((len(batch), 3), np.nan)


class WrongShape(TextOnly):
    def predict(self, batch):
        return np.zeros((len(batch), 4))


class TooFewRows(TextOnly):
    def predict(self, batch):
        return np.zeros((1, 3))


class NotText(TextOnly):
    def predict(self, batch):
        return [7] * len(batch)


class Crashes(TextOnly):
    def predict(self, batch):
        return {}["logits"]


class Forgetful(TextOnly):
    """Has no fingerprint, so nothing of it may be resumed."""

    def fingerprint(self):
        return None


class Greedy(TextOnly):
    """Runs out of memory above four rows."""

    def predict(self, batch):
        if len(batch) > 4:
            raise MemoryError("no room")
        return super().predict(batch)


class Cheat(TextOnly):
    """Knows that labels go round in the dataset's order (id 0 is calm, 1 glad, 2 low) and counts rows."""

    seen = 0

    def predict(self, batch):
        rows = np.arange(Cheat.seen, Cheat.seen + len(batch))
        Cheat.seen += len(batch)
        return np.eye(3)[rows % 3]

    def fingerprint(self):
        return None


class Peeper(TextOnly):
    """Looks for anything in a batch that names the sample."""

    def predict(self, batch):
        for name in ("id", "ids", "label", "labels", "speaker", "path", "utterances", "params", "cell"):
            assert not hasattr(batch, name)
        return super().predict(batch)


class Breaks(TextOnly):
    def __init__(self):
        raise RuntimeError("no weights here")


class NoModel:
    """Not an adapter."""


class Hungry(Greedy):
    """Has no room for a single row."""

    def predict(self, batch):
        raise MemoryError("no room")


class Both(Talker):
    """Scores the labels and talks as well; the two agree where the text says ``Calm``."""

    def predict(self, batch):
        return Answered(np.tile([1.0, 0.0, 0.0], (len(batch), 1)), super().predict(batch))


@dataclass
class Prompted(TextOnly):
    """Answers what its prompt says."""

    prompt: str = option("calm", "the label to answer")

    def predict(self, batch):
        return [self.prompt] * len(batch)

    def fingerprint(self):
        return hash_text(self.prompt)


@dataclass
class Padded(TextOnly):
    """Remembers how much it padded its batches."""

    padding: ClassVar[int] = 0

    def predict(self, batch):
        sizes = [len(text or "") for text in batch.text]
        Padded.padding += sum(max(sizes) - size for size in sizes)
        return super().predict(batch)


@dataclass
class Feeling(SplitAdapter):
    """A deterministic sentiment from simple statistics of each modality; no labels."""

    labels: tuple[str, ...] = ()
    targets: tuple[str, ...] = ("sentiment",)

    def encode(self, modality, batch):
        return Statistics().encode(modality, batch)

    def fuse(self, encodings, present):
        total = sum(np.where(present[m], encoded[:, 0], 0) for m, encoded in encodings.items())
        return Valued(3 * np.cos(np.broadcast_to(total, len(present["text"])))[:, None])

    def fingerprint(self):
        return hash_text("feeling-1")


@dataclass
class Several(Feeling):
    """Answers the probabilities of six emotions that may be present together."""

    targets: tuple[str, ...] = ("happy", "sad", "anger", "surprise", "disgust", "fear")

    def fuse(self, encodings, present):
        one = super().fuse(encodings, present).values
        return Valued((1 + np.cos(one * np.arange(1, 7))) / 2)

    def fingerprint(self):
        return hash_text("several-1")


@dataclass
class Affect(Feeling):
    """Answers valence, arousal and dominance beside four emotions."""

    labels: tuple[str, ...] = ("angry", "happy", "neutral", "sad")
    targets: tuple[str, ...] = ("arousal", "valence", "dominance")

    def fuse(self, encodings, present):
        one = super().fuse(encodings, present).values
        return Valued(3 + np.sin(one * np.arange(1, 4)), np.cos(one * np.arange(1, 5)))

    def fingerprint(self):
        return hash_text("affect-1")


@dataclass
class Votes(Statistics):
    """Has the labels of CREMA-D."""

    labels: tuple[str, ...] = ("anger", "disgust", "fear", "happiness", "neutral", "sadness")

    def fingerprint(self):
        return hash_text("votes-1")
