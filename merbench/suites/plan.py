"""What a suite is going to be, known in full before anything is decoded: its recipe."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from merbench.corruption import Corruption, corruptions
from merbench.errors import MerbenchError
from merbench.hashing import combine, hash_json
from merbench.options import build, canonical, has_option, read_ranges, split_spec
from merbench.suites.faces import FILMED_ROWS, report_of
from merbench.suites.source import Chunk, Facts, prefetched
from merbench.suites.watch import apply, draw_all, require_repeatable
from merbench.types import SEVERITIES, Batch, Cell, Modality, Pool, Sample, Utterance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from merbench.datasets import Dataset
    from merbench.suites.faces import Faces
    from merbench.suites.overlay import Overlay
    from merbench.types import JSON

FORMAT = 1
"""Version of the recipe and of the folder layout; a suite of another one is refused."""

SHARD_ROWS = 256
"""Samples per shard: the unit of resuming, for building and for evaluating."""

CHUNK_ROWS = 32
"""Samples decoded and held at once (about 80 MB of frames at 16 x 224 x 224)."""


@dataclass(frozen=True)
class Variant:
    """One corruption with its options, seed and replicate: everything that shares a draw."""

    corruption: Corruption
    severities: tuple[int, ...]
    seed: int = 0
    replicate: int = 0

    @property
    def cells(self) -> tuple[Cell, ...]:
        """One cell per severity."""
        return tuple(
            self.corruption.cell(s, seed=self.seed, replicate=self.replicate) for s in self.severities
        )

    def to_json(self) -> dict[str, Any]:
        """Return the variant as it enters the recipe, outside data identified by content."""
        return {
            "corruption": self.corruption.name,
            "version": self.corruption.version,
            "options": canonical(self.corruption),
            "severities": list(self.severities),
            "seed": self.seed,
            "replicate": self.replicate,
            "content": self.corruption.content_hash(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], shared: Mapping[str, Any]) -> Variant:
        """Read a variant back from a recipe; `shared` says where outside data lies, as in `make_corruption`.

        Raises:
            MerbenchError: the installed corruption is of another version or has other options.
        """
        name, version = value["corruption"], value["version"]
        installed = corruptions[name].version
        if installed != version:
            raise MerbenchError(
                f"the recipe was made with version {version} of '{name}', and version {installed} is here",
                fix="install the merbench or the plug-in that has that version, or make a new suite",
            )
        return cls(
            make_corruption(name, value["options"], shared),
            tuple(value["severities"]),
            value["seed"],
            value["replicate"],
        )


@dataclass(frozen=True)
class Plan:
    """A streamed suite: cells applied on the fly. Building it writes the same content to disk.

    `protocol` is what the protocol that was followed, if any, says of itself; it is no part of the recipe.
    """

    dataset: Dataset
    split: str | None
    utterances: tuple[Utterance, ...]
    pool: Pool
    variants: tuple[Variant, ...]
    faces: Faces | None = None
    overlay: Overlay | None = None
    protocol: Mapping[str, JSON] | None = None

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The clean cell first, then every variant's."""
        return (Cell.clean(), *(cell for variant in self.variants for cell in variant.cells))

    @cached_property
    def recipe(self) -> dict[str, Any]:
        """Return the canonical specification; equal recipes mean equal bytes."""
        return {
            "format": FORMAT,
            "dataset": self.dataset.identity(),
            "media": self.dataset.media.to_json(),
            "samples": {
                "split": self.split,
                "count": len(self.utterances),
                "ids": combine(u.id for u in self.utterances),
                "source": self.dataset.source_hash(self.utterances),
            },
            "pool": self.dataset.source_hash(self.pool.utterances) if self._uses_pool else None,
            "variants": [variant.to_json() for variant in self.variants],
            **({} if self.faces is None else {"faces": self.faces.to_json()}),
            **({} if self.overlay is None else {"labels": self.overlay.sha256}),
        }

    @property
    def cropping(self) -> Mapping[str, Any] | None:
        """How frames are cropped to faces, ``None`` if nobody looks for any."""
        return None if self.faces is None else self.faces.to_json()

    @property
    def _uses_pool(self) -> bool:
        return any(variant.corruption.uses_pool for variant in self.variants)

    @cached_property
    def recipe_id(self) -> str:
        """The hash of the recipe."""
        return hash_json(self.recipe)

    @cached_property
    def facts(self) -> Facts:
        """What a reader of results must know about the data."""
        card = self.dataset.card
        return Facts(
            dataset=self.dataset.name,
            options=self.dataset.identity()["options"],  # type: ignore[arg-type]
            split=self.split,
            labels=self.dataset.labels,
            label_counts=self.dataset.label_counts(),
            text_informative=self.dataset.text_informative,
            unit=card.unit if self.protocol is None else str(self.protocol["unit"]),
            restricted=card.restricted,
            licence=card.licence,
            task=self.dataset.task,
            target_means=self.dataset.target_means(),
            protocol=self.protocol,
        )

    @property
    def content_root(self) -> str | None:
        """Unknown before the media are made; evaluation computes it on request."""
        return None

    @property
    def size(self) -> int:
        """How many samples every cell has."""
        return len(self.utterances)

    @property
    def shards(self) -> int:
        """How many shards of `SHARD_ROWS` samples there are."""
        return -(-len(self.utterances) // SHARD_ROWS)

    def index(self) -> tuple[Utterance, ...]:
        """Return every utterance in keyed order."""
        return self.utterances

    def chunks(self, shard: int, *, workers: int = 2) -> Iterator[Chunk]:
        """Yield the shard's chunks in order; each is decoded once, the next one while this one is used."""
        rows = self.utterances[shard * SHARD_ROWS : (shard + 1) * SHARD_ROWS]
        step = CHUNK_ROWS if self.faces is None or self.faces.crop is None else FILMED_ROWS
        parts = [rows[i : i + step] for i in range(0, len(rows), step)]
        for i, samples in enumerate(prefetched(parts, self._load, workers)):
            whole = Batch.of(samples)
            clean = whole if self.faces is None else self.faces.clean(samples, whole)
            yield Chunk(
                utterances=tuple(s.utterance for s in samples),
                clean=clean,
                achieved=[report_of(s) for s in samples],
                cells=self._corrupted(samples, whole, clean, workers, watched=i == 0),
            )

    def _corrupted(
        self, samples: Sequence[Sample], whole: Batch, clean: Batch, workers: int, *, watched: bool
    ) -> Iterator[Any]:
        """Yield every cell's version of a chunk: made of `whole`, and then what `clean` is of that."""
        for variant in self.variants:
            corruption = variant.corruption
            draw = partial(
                draw_all,
                corruption,
                samples,
                self.pool,
                self.dataset.name,
                seed=variant.seed,
                replicate=variant.replicate,
            )
            params = draw()
            given, pool = (clean, self._pool_of_crops) if corruption.exchanges else (whole, self.pool)
            if watched:
                require_repeatable(corruption, draw, given, pool, max(variant.severities))
            for severity, cell in zip(variant.severities, variant.cells, strict=True):
                batch, achieved = apply(corruption, given, params, pool, severity)
                if self.faces is not None and given is whole:
                    batch, achieved = self.faces.finish(samples, whole, clean, batch, achieved, workers)
                yield cell, batch, params, achieved

    @cached_property
    def _recorded(self) -> Dataset:
        """The dataset with frames as they are to be corrupted."""
        if self.faces is None:
            return self.dataset
        return replace(self.dataset, media=self.faces.recorded(self.dataset.media))

    def load(self, utterance: Utterance) -> Sample:
        """Return any utterance of the dataset as the clean cell would have it."""
        sample = self._load(utterance)
        return sample if self.faces is None else self.faces.cropped(sample)

    def _load(self, utterance: Utterance) -> Sample:
        sample = self._recorded.load(utterance)
        return sample if self.faces is None else self.faces.see(sample)

    @cached_property
    def _pool_of_crops(self) -> Pool:
        return self.pool if self.faces is None else Pool(self.pool.utterances, self.load)

    def changed(self, cell: Cell) -> tuple[Modality, ...]:
        """Return the modalities that a cell may touch."""
        return () if cell.is_clean else self._changes[cell.cell_id]

    @cached_property
    def _changes(self) -> dict[str, tuple[Modality, ...]]:
        return {c.cell_id: v.corruption.changes for v in self.variants for c in v.cells}


def parse_severities(text: str) -> tuple[int, ...]:
    """Read ``3``, ``1-5`` or ``1,3,5``.

    Raises:
        MerbenchError: it is none of these or leaves 1..5.
    """
    found = read_ranges(text)
    if not found or not set(found) <= set(SEVERITIES):
        raise MerbenchError(
            f"--severity cannot be '{text}'", fix="write 3, 1-5 or 1,3,5, with severities from 1 to 5"
        )
    return found


def parse_corruption(spec: str, shared: Mapping[str, Any]) -> Corruption:
    """Make a corruption from ``name:key=value,...``.

    `shared` are options given once for all (the noise root, the noise folds); each goes to every
    corruption that has it, and what the spec itself says wins.
    """
    return make_corruption(*split_spec(spec), shared)


def make_corruption(name: str, values: Mapping[str, Any], shared: Mapping[str, Any]) -> Corruption:
    """Make a corruption from its option values and the `shared` ones that it has."""
    if name.startswith("adversarial/"):
        raise MerbenchError(
            f"'{name}' is made against one model, and a suite is the same for every model",
            fix=f"attack the model while it is scored: merbench eval --model M --attack "
            f"{name.partition('/')[2]}",
        )
    cls = corruptions[name]
    common = {key: value for key, value in shared.items() if value is not None and has_option(cls, key)}
    return build(cls, cls.name, {**common, **values})


def make_plan(
    dataset: Dataset,
    corruption_list: Sequence[Corruption],
    severities: Sequence[int],
    *,
    split: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    replicates: int = 1,
    faces: Faces | None = None,
    protocol: Mapping[str, JSON] | None = None,
) -> Plan:
    """Plan a suite: `corruption_list` x `severities` x `replicates`, and the clean cell.

    Raises:
        MerbenchError: the split is empty, or two corruptions would fill the same cell.
    """
    variants = tuple(
        Variant(corruption, tuple(severities), seed, replicate)
        for corruption in corruption_list
        for replicate in range(replicates if corruption.is_random else 1)
    )
    return plan_variants(dataset, variants, split=split, limit=limit, faces=faces, protocol=protocol)


def plan_variants(
    dataset: Dataset,
    variants: tuple[Variant, ...],
    *,
    split: str | None = None,
    limit: int | None = None,
    faces: Faces | None = None,
    protocol: Mapping[str, JSON] | None = None,
) -> Plan:
    """Plan a suite of the clean cell and these variants' cells.

    Raises:
        MerbenchError: the split is empty, or two variants would fill the same cell.
    """
    utterances, pool = dataset.select(split, limit)
    if not utterances:
        raise MerbenchError(
            f"dataset '{dataset.name}' has no utterances in split '{split}'", fix="choose another --split"
        )
    # Where no split was named, the recipe names the one that was taken, or none if it was everything.
    splits = {u.split for u in pool.utterances}
    taken = splits.pop() if len(splits) == 1 else None
    plan = Plan(dataset, taken, utterances, pool, variants, faces, protocol=protocol)
    twice = [cell_id for cell_id, n in Counter(c.cell_id for c in plan.cells).items() if n > 1]
    if twice:
        raise MerbenchError(
            f"the cell {twice[0]} is asked for twice", fix="give each corruption and its options once"
        )
    return plan
