"""What streamed and built suites have in common, as seen by whoever reads them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from merbench.types import JSON, Achieved, Batch, Cell, Params, Utterance

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a reader of results must know about the data behind a suite."""

    dataset: str
    options: Mapping[str, JSON]
    split: str | None
    labels: tuple[str, ...]
    label_counts: Mapping[str, Mapping[str, int]]
    text_informative: bool
    unit: str
    restricted: bool
    licence: str

    def to_json(self) -> dict[str, Any]:
        """Return the facts as they enter a manifest or a result."""
        return {**asdict(self), "labels": list(self.labels)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Facts:
        """Read the facts back."""
        return cls(**{**value, "labels": tuple(value["labels"])})


@dataclass(frozen=True, slots=True)
class Chunk:
    """A few utterances, clean, and each cell's version of them, made (or read) when asked for."""

    utterances: tuple[Utterance, ...]
    clean: Batch
    cells: Iterator[tuple[Cell, Batch, list[Params], list[Achieved]]]


class Source(Protocol):
    """A suite, streamed (`suites.plan.Plan`) or built (`suites.store.Suite`)."""

    @property
    def facts(self) -> Facts: ...  # noqa: D102
    @property
    def cells(self) -> tuple[Cell, ...]: ...  # noqa: D102
    @property
    def recipe_id(self) -> str: ...  # noqa: D102
    @property
    def content_root(self) -> str | None: ...  # noqa: D102
    @property
    def size(self) -> int: ...  # noqa: D102
    @property
    def shards(self) -> int: ...  # noqa: D102

    def index(self) -> tuple[Utterance, ...]:
        """Return every utterance in keyed order, without media."""
        ...

    def chunks(self, shard: int, *, workers: int = 2) -> Iterator[Chunk]:
        """Yield a shard's chunks, in keyed order."""
        ...


def prefetched(parts: Iterable[Sequence[T]], load: Callable[[T], R], workers: int) -> Iterator[list[R]]:
    """Yield each part loaded, in order, with the next one being loaded by a thread pool meanwhile.

    Decoders release the GIL, so threads decode on all cores. At most two parts are in memory.
    """
    with ThreadPoolExecutor(max_workers=workers) as pool:
        submitted = ([pool.submit(load, item) for item in part] for part in parts)
        ahead = next(submitted, None)
        while ahead is not None:
            loaded = [future.result() for future in ahead]
            ahead = next(submitted, None)
            yield loaded
