"""Some samples of a suite, as a suite of their own: the test part of one fold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from merbench.hashing import combine, hash_json
from merbench.suites.plan import SHARD_ROWS, Plan
from merbench.suites.source import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from merbench.suites.overlay import Overlay
    from merbench.suites.source import Facts, Source
    from merbench.types import Achieved, Batch, Cell, Packed, Params, Utterance


@dataclass(frozen=True)
class Part:
    """A suite without its other samples; every sample has the bytes that it has in the whole.

    A streamed suite decodes only these samples. Of a built one whole row groups are read, because that is
    how they lie on the disk, and the other rows are left out.
    """

    whole: Source
    utterances: tuple[Utterance, ...]

    @property
    def facts(self) -> Facts:
        """What a reader of results must know about the data: that of the whole."""
        return self.whole.facts

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The whole's cells."""
        return self.whole.cells

    @property
    def cropping(self) -> Mapping[str, Any] | None:
        """How frames are cropped to faces."""
        return self.whole.cropping

    @property
    def overlay(self) -> Overlay | None:
        """No labels: those laid over the whole are scored on the whole."""
        return None

    @cached_property
    def recipe_id(self) -> str:
        """The hash of the whole's recipe and of which samples these are."""
        return hash_json(["part", self.whole.recipe_id, combine(u.id for u in self.utterances)])

    @cached_property
    def content_root(self) -> str | None:
        """The same of its content, where that is known."""
        root = self.whole.content_root
        return None if root is None else hash_json(["part", root, combine(u.id for u in self.utterances)])

    @property
    def size(self) -> int:
        """How many samples every cell has."""
        return len(self.utterances)

    @property
    def shards(self) -> int:
        """How many shards hold any of the samples."""
        return len(self._places)

    def index(self) -> tuple[Utterance, ...]:
        """Return every utterance in keyed order."""
        return self.utterances

    def chunks(self, shard: int, *, workers: int = 2) -> Iterator[Chunk]:
        """Yield a shard's chunks, in keyed order."""
        if self._streamed is not None:
            yield from self._streamed.chunks(shard, workers=workers)
            return
        for chunk in self.whole.chunks(self._places[shard], workers=workers):
            rows = [i for i, u in enumerate(chunk.utterances) if u.id in self._ids]
            if rows:
                clean = chunk.clean.take(rows)
                yield Chunk(
                    utterances=tuple(chunk.utterances[i] for i in rows),
                    clean=clean,
                    achieved=[chunk.achieved[i] for i in rows],
                    cells=_cells(chunk, rows, clean),
                )

    @cached_property
    def _streamed(self) -> Plan | None:
        return replace(self.whole, utterances=self.utterances) if isinstance(self.whole, Plan) else None

    @cached_property
    def _ids(self) -> frozenset[str]:
        return frozenset(u.id for u in self.utterances)

    @cached_property
    def _places(self) -> list[int]:
        """The shards to read, by their place in the whole."""
        if self._streamed is not None:
            return list(range(self._streamed.shards))
        index = enumerate(self.whole.index())
        return sorted({i // SHARD_ROWS for i, u in index if u.id in self._ids})


def _cells(
    chunk: Chunk, rows: Sequence[int], clean: Batch
) -> Iterator[tuple[Cell, Batch, list[Params], list[Achieved]]]:
    for cell, batch, params, achieved in chunk.cells:
        taken = _take(batch, rows, chunk.clean, clean)
        yield cell, taken, [params[i] for i in rows], [achieved[i] for i in rows]


def _take(batch: Batch, rows: Sequence[int], whole: Batch, clean: Batch) -> Batch:
    """Return some rows of a cell; what it shares with `whole`, they share with `clean`, these rows of it."""
    taken = batch.take(rows)

    def shared(own: Packed, others: Packed) -> Packed:
        return others.hide(~own.present)

    if batch.shares(whole, "audio"):
        taken = taken.replace(audio=shared(taken.audio, clean.audio))
    if batch.shares(whole, "vision"):
        taken = taken.replace(
            frames=shared(taken.frames, clean.frames),
            timestamps=tuple(
                None if own is None else other
                for own, other in zip(taken.timestamps, clean.timestamps, strict=True)
            ),
        )
    return taken.replace(text=clean.text) if batch.shares(whole, "text") else taken
