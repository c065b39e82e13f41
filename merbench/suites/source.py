"""What streamed and built suites have in common, as seen by whoever reads them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from merbench.targets import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from merbench.suites.overlay import Overlay
    from merbench.types import JSON, Achieved, Batch, Cell, Params, Utterance

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a reader of results must know about the data behind a suite.

    `target_means` are those of every target in each split, for models that answer nothing but a prior.
    `protocol` is what a protocol says of itself (`merbench.protocols.Protocol.facts`), if one was followed.
    """

    dataset: str
    options: Mapping[str, JSON]
    split: str | None
    labels: tuple[str, ...]
    label_counts: Mapping[str, Mapping[str, int]]
    text_informative: bool
    unit: str
    restricted: bool
    licence: str
    task: Task | None = None
    target_means: Mapping[str, Sequence[float]] = field(default_factory=dict)
    protocol: Mapping[str, JSON] | None = None

    @property
    def named_means(self) -> dict[str, dict[str, float]]:
        """The mean of every target by its name, in each split."""
        names = () if self.task is None else self.task.targets
        return {split: dict(zip(names, means, strict=True)) for split, means in self.target_means.items()}

    @property
    def folds(self) -> int:
        """How many folds the protocol has; 0 without any."""
        folds: Any = (self.protocol or {}).get("folds")
        return len(folds["members"]) if folds else 0

    @property
    def shares_speakers(self) -> bool:
        """Whether the protocol's split lets speakers be trained on and tested."""
        return bool((self.protocol or {}).get("share_speakers"))

    def to_json(self) -> dict[str, Any]:
        """Return the facts as they enter a manifest or a result; what nobody asks for is not in there."""
        facts = {**asdict(self), "labels": list(self.labels)}
        if self.protocol is None:
            del facts["protocol"]
        del facts["task"]
        means = facts.pop("target_means")
        return facts if self.task is None else {**facts, "task": self.task.to_json(), "target_means": means}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Facts:
        """Read the facts back."""
        task = {"task": Task.from_json(value["task"])} if "task" in value else {}
        return cls(**{**value, "labels": tuple(value["labels"]), **task})


@dataclass(frozen=True, slots=True)
class Chunk:
    """A few utterances, clean, and each cell's version of them, made (or read) when asked for.

    `achieved` is the clean cell's report of each: that nothing is applied, and where the face is if known.
    """

    utterances: tuple[Utterance, ...]
    clean: Batch
    achieved: list[Achieved]
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
    @property
    def cropping(self) -> Mapping[str, Any] | None:
        """How frames are cropped to faces (`merbench.suites.faces`), ``None`` if nobody looks for any."""
        ...

    @property
    def overlay(self) -> Overlay | None:
        """The labels that people gave to the corrupted clips, if any are laid over the suite."""
        ...

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
