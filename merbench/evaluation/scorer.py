"""Answers for a clean chunk, and for its corrupted versions at the price of what they changed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from merbench.errors import MerbenchError
from merbench.media.conform import conform
from merbench.models import Adapter, SplitAdapter, scatter
from merbench.models._validate import blamed, check_output, choose, join, out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from merbench.models._validate import Answers
    from merbench.types import Achieved, Batch, Modality

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
    """Calls a model with at most `size` rows at once, halved for good when memory runs out."""

    def __init__(self, size: int) -> None:
        self.size = size

    def map(self, call: Callable[[npt.NDArray[np.int64]], R], order: npt.NDArray[np.int64]) -> list[R]:
        """Return ``call(rows)`` of consecutive parts of `order`.

        Raises:
            MerbenchError: not even one row fits into memory.
        """
        results: list[R] = []
        start = 0
        while start < len(order):
            rows = order[start : start + self.size]
            try:
                results.append(call(rows))
            except Exception as error:
                if not out_of_memory(error):
                    raise
                if self.size == 1:
                    raise MerbenchError(
                        "memory ran out on a single sample",
                        fix="choose a smaller model or frame size, --precision bfloat16, or --device cpu",
                    ) from error
                self.size = max(1, self.size // 2)
                continue
            start += len(rows)
        return results


class Scorer:
    """One model on one clean chunk and then on that chunk's cells."""

    def __init__(self, adapter: Adapter, clean: Batch, batcher: Batcher, passes: Passes) -> None:
        self._adapter = adapter
        self._clean = clean
        self._batcher = batcher
        self._passes = passes
        self._encodings: dict[Modality, npt.NDArray[Any]] = {}
        everything = np.arange(len(clean))
        if isinstance(adapter, SplitAdapter):
            for modality in adapter.uses:
                rows = np.flatnonzero(clean.present(modality))
                if len(rows):
                    encoded = self._encode(adapter, modality, clean, rows)
                    self._encodings[modality] = scatter(encoded, rows, len(clean))
                passes.count(modality, len(rows), 0)
            self.clean_answers = self._fuse(adapter, self._encodings, clean, everything)
        else:
            self.clean_answers = self._predict(clean, everything)
            passes.count("model", len(clean), 0)

    def answers(self, batch: Batch, achieved: Sequence[Achieved]) -> Answers:
        """Return the model's answers for a corrupted version of the clean chunk.

        A row in which nothing that the model reads has changed keeps its clean answer.
        """
        applied = np.array([a["applied"] for a in achieved], dtype=bool)
        touched = {
            m: applied & batch.present(m) & (not batch.shares(self._clean, m)) for m in self._adapter.uses
        }
        changed = np.zeros(len(batch), dtype=bool)
        for modality, altered in touched.items():
            changed |= altered | (self._clean.present(modality) & ~batch.present(modality))
        rows = np.flatnonzero(changed)
        if isinstance(self._adapter, SplitAdapter):
            encodings = self._encodings_of(self._adapter, batch, touched)
            fresh = self._fuse(self._adapter, encodings, batch, rows) if len(rows) else None
        else:
            self._passes.count("model", len(rows), len(batch) - len(rows))
            fresh = self._predict(batch, rows) if len(rows) else None
        if fresh is None:
            return self.clean_answers
        place = np.arange(len(batch))
        place[rows] = len(batch) + np.arange(len(rows))
        return choose(join([self.clean_answers, fresh]), place)

    def _encodings_of(
        self, adapter: SplitAdapter, batch: Batch, touched: Mapping[Modality, npt.NDArray[np.bool_]]
    ) -> dict[Modality, npt.NDArray[Any]]:
        encodings: dict[Modality, npt.NDArray[Any]] = {}
        for modality, clean in self._encodings.items():
            present = batch.present(modality)
            rows = np.flatnonzero(touched[modality])
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
        return encodings

    def _encode(
        self, adapter: SplitAdapter, modality: Modality, batch: Batch, rows: npt.NDArray[np.int64]
    ) -> npt.NDArray[Any]:
        def encode(part: Batch) -> npt.NDArray[Any]:
            encoded = adapter.encode(modality, part)
            if len(encoded) != len(part):
                raise MerbenchError(
                    f"{adapter.name} encoded the {modality} of {len(part)} rows as {len(encoded)}",
                    fix="mend the adapter's encode()",
                )
            return encoded

        media = batch.only(modality)
        order, parts = self._in_batches(media if len(rows) == len(media) else media.take(rows), encode)
        return np.concatenate(parts)[_inverse(order)]

    def _fuse(
        self,
        adapter: SplitAdapter,
        encodings: Mapping[Modality, npt.NDArray[Any]],
        batch: Batch,
        rows: npt.NDArray[np.int64],
    ) -> Answers:
        present = {m: batch.present(m) for m in adapter.uses}

        def fuse(part: npt.NDArray[np.int64]) -> Answers:
            there = {m: rows[part] for m, rows in present.items()}
            mine = {m: encoded[part] for m, encoded in encodings.items() if there[m].any()}
            return check_output(adapter.fuse(mine, there), len(part), adapter.labels, adapter.targets)

        with blamed(adapter):
            return join(self._batcher.map(fuse, rows))

    def _predict(self, batch: Batch, rows: npt.NDArray[np.int64]) -> Answers:
        adapter = self._adapter

        def predict(part: Batch) -> Answers:
            return check_output(adapter.predict(part), len(part), adapter.labels, adapter.targets)

        # take() leaves the bytes of hidden rows behind: what is absent cannot be peeked at.
        order, parts = self._in_batches(batch.only(*adapter.uses).take(rows), predict)
        return choose(join(parts), _inverse(order))

    def _in_batches(self, media: Batch, call: Callable[[Batch], R]) -> tuple[npt.NDArray[np.int64], list[R]]:
        """Call with parts of `media`, as the adapter wants them; return the rows' order, and the results.

        More rows than fit into one batch go by length: models that pad shall do so as little as they can.
        """
        wants = self._adapter.wants
        wanted = conform(media, sample_rate=wants.sample_rate, frame_size=wants.frame_size)
        order = _by_length(wanted) if len(wanted) > self._batcher.size else np.arange(len(wanted))
        with blamed(self._adapter):
            return order, self._batcher.map(
                lambda rows: call(wanted if len(rows) == len(wanted) else wanted.take(rows)), order
            )


def _by_length(batch: Batch) -> npt.NDArray[np.int64]:
    texts = np.array([len(text or "") for text in batch.text])
    return np.lexsort([texts, np.diff(batch.frames.offsets), np.diff(batch.audio.offsets)])


def _inverse(order: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    inverse = np.empty_like(order)
    inverse[order] = np.arange(len(order))
    return inverse
