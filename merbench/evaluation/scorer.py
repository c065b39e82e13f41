"""Answers for a clean chunk, and for its corrupted versions at the price of what they changed."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from merbench.errors import MerbenchError
from merbench.media.conform import conform
from merbench.models import Adapter, SplitAdapter, scatter
from merbench.models._validate import check_output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from merbench.types import Achieved, Batch, Modality

Answers = np.ndarray | list[str]
R = TypeVar("R")


class Passes:
    """How many rows went through each encoder (or the whole model), and how many did not need to."""

    def __init__(self) -> None:
        self.run: Counter[str] = Counter()
        self.reused: Counter[str] = Counter()

    def count(self, what: str, run: int, reused: int) -> None:
        """Add rows that were computed and rows whose clean result was taken again."""
        self.run[what] += run
        self.reused[what] += reused

    def to_json(self) -> dict[str, dict[str, int]]:
        """Return both counts per encoder."""
        return {what: {"run": self.run[what], "reused": self.reused[what]} for what in sorted(self.run)}


class Batcher:
    """Calls a model in batches of at most `size` rows, halved for good when memory runs out."""

    def __init__(self, size: int) -> None:
        self.size = size

    def map(self, call: Callable[[Batch], R], batch: Batch) -> list[R]:
        """Return ``call`` of consecutive parts of `batch`."""
        results: list[R] = []
        start = 0
        while start < len(batch):
            rows = range(start, min(start + self.size, len(batch)))
            try:
                results.append(call(batch if len(rows) == len(batch) else batch.take(rows)))
            except Exception as error:
                if not _out_of_memory(error) or self.size == 1:
                    raise
                self.size = max(1, self.size // 2)
                continue
            start = rows.stop
        return results


class Scorer:
    """One model on one clean chunk and then on that chunk's cells."""

    def __init__(self, adapter: Adapter, clean: Batch, batcher: Batcher, passes: Passes) -> None:
        self._adapter = adapter
        self._clean = clean
        self._batcher = batcher
        self._passes = passes
        self._encodings: dict[Modality, npt.NDArray[Any]] = {}
        if isinstance(adapter, SplitAdapter):
            for modality in adapter.uses:
                rows = np.flatnonzero(clean.present(modality))
                if len(rows):
                    encoded = self._encode(adapter, modality, clean, rows)
                    self._encodings[modality] = scatter(encoded, rows, len(clean))
                passes.count(modality, len(rows), 0)
            self.clean_answers = self._fuse(adapter, self._encodings, clean)
        else:
            self.clean_answers = self._predict(clean, np.arange(len(clean)))
            passes.count("model", len(clean), 0)

    def answers(self, batch: Batch, achieved: Sequence[Achieved]) -> Answers:
        """Return the model's answers for a corrupted version of the clean chunk."""
        applied = np.array([a["applied"] for a in achieved], dtype=bool)
        if isinstance(self._adapter, SplitAdapter):
            return self._split_answers(self._adapter, batch, applied)
        changed = np.zeros(len(batch), dtype=bool)
        for modality in self._adapter.uses:
            gone = self._clean.present(modality) & ~batch.present(modality)
            changed |= gone | (applied & batch.present(modality) & (not batch.shares(self._clean, modality)))
        rows = np.flatnonzero(changed)
        self._passes.count("model", len(rows), len(batch) - len(rows))
        return (
            _merged(self.clean_answers, rows, self._predict(batch, rows)) if len(rows) else self.clean_answers
        )

    def _split_answers(self, adapter: SplitAdapter, batch: Batch, applied: npt.NDArray[np.bool_]) -> Answers:
        encodings: dict[Modality, npt.NDArray[Any]] = {}
        for modality, clean in self._encodings.items():
            present = batch.present(modality)
            touched = applied & present & (not batch.shares(self._clean, modality))
            rows = np.flatnonzero(touched)
            self._passes.count(modality, len(rows), int(present.sum()) - len(rows))
            if not present.any():
                continue
            mine = clean
            if len(rows) or not present.all():
                mine = clean.copy()
                mine[~present] = 0
            if len(rows):
                mine[rows] = self._encode(adapter, modality, batch, rows)
            encodings[modality] = mine
        return self._fuse(adapter, encodings, batch)

    def _encode(
        self, adapter: SplitAdapter, modality: Modality, batch: Batch, rows: npt.NDArray[np.int64]
    ) -> npt.NDArray[Any]:
        media = batch.only(modality)
        part = media if len(rows) == len(batch) else media.take(rows)
        wanted = conform(part, sample_rate=adapter.wants.sample_rate, frame_size=adapter.wants.frame_size)
        with _blamed(adapter):
            encoded = np.concatenate(self._batcher.map(lambda b: adapter.encode(modality, b), wanted))
        if len(encoded) != len(rows):
            raise MerbenchError(
                f"{adapter.name} encoded the {modality} of {len(rows)} rows as {len(encoded)}",
                fix="mend the adapter's encode()",
            )
        return encoded

    def _fuse(
        self, adapter: SplitAdapter, encodings: dict[Modality, npt.NDArray[Any]], batch: Batch
    ) -> Answers:
        with _blamed(adapter):
            logits = adapter.fuse(encodings, {m: batch.present(m) for m in adapter.uses})
        return check_output(logits, len(batch), adapter.labels)

    def _predict(self, batch: Batch, rows: npt.NDArray[np.int64]) -> Answers:
        # take() leaves the bytes of hidden rows behind: what is absent cannot be peeked at.
        part = batch.only(*self._adapter.uses).take(rows)
        wants = self._adapter.wants
        wanted = conform(part, sample_rate=wants.sample_rate, frame_size=wants.frame_size)
        with _blamed(self._adapter):
            answered = self._batcher.map(lambda b: (b, self._adapter.predict(b)), wanted)
        parts = [check_output(output, len(b), self._adapter.labels) for b, output in answered]
        if isinstance(parts[0], np.ndarray):
            return np.concatenate(parts)
        return [answer for part in parts for answer in part]


def _merged(clean: Answers, rows: npt.NDArray[np.int64], fresh: Answers) -> Answers:
    if isinstance(clean, np.ndarray):
        merged = clean.copy()
        merged[rows] = fresh
        return merged
    answers = list(clean)
    for row, answer in zip(rows, fresh, strict=True):
        answers[row] = answer
    return answers


@contextmanager
def _blamed(adapter: Adapter) -> Iterator[None]:
    """Say that it is the model that failed, and how: somebody's adapter is input, and may be wrong."""
    try:
        yield
    except MerbenchError:
        raise
    except Exception as error:
        raise MerbenchError(
            f"{adapter.name} failed: {type(error).__name__}: {error}",
            fix="mend the adapter; --debug shows where",
        ) from error


def _out_of_memory(error: Exception) -> bool:
    """Tell a MemoryError, or torch's own, without importing torch."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
