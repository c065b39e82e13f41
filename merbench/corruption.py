"""What a corruption owes: a card, `draw` and `apply`.

`draw` decides what is random and does **not** see the severity; `apply` is deterministic and takes
the strength from the severity table. So severity 3 hides a superset of what severity 2 hides and
plays the same noise louder (common random numbers): curves are smooth and their order can be tested.

A corruption is one file below a plug-in package: a frozen dataclass deriving from `Corruption`,
whose fields are its options (`merbench.options`), with the card as class variables.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from merbench.hashing import canonical_json
from merbench.options import canonical
from merbench.registry import Registry
from merbench.rng import Stream, derive_key
from merbench.types import SEVERITIES, Achieved, Batch, Cell, Modality, Params, Pool, Sample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from merbench.device import DeviceBatch

Exactness = Literal["exact", "pinned", "model"]
"""``exact``: the same bytes on any machine. ``pinned``: the same bytes for the same library build.
``model``: identified by the hash of a model's weights."""

Validity = Literal["preserved", "uncertain", "changed"]
"""Whether people still hear, see or read the labelled emotion."""


@dataclass(frozen=True, slots=True)
class Measure:
    """How what really happened is held against the severity table.

    `achieved` names the figure that `apply` reports, `strength` the column of the severity table
    that it must meet, `worse` the direction in which a higher severity moves it. With `kind`
    ``per-sample`` every sample is within `tolerance` (in the figure's own unit); with ``on-average``
    the mean over at least 2 000 samples is within that share of the table's value (relative).
    """

    achieved: str
    strength: str
    worse: Literal["lower", "higher"]
    kind: Literal["per-sample", "on-average"]
    tolerance: float


class Corruption(ABC):
    """One way in which the real world spoils a recording, a picture, a transcript or a whole modality."""

    name: ClassVar[str]
    """Set by the registry from the file's path."""
    version: ClassVar[int]
    """Raised whenever the bytes change; belongs to this corruption alone."""
    changes: ClassVar[tuple[Modality, ...]]
    """The modalities it may touch; every other one is handed through untouched."""
    exactness: ClassVar[Exactness]
    severity: ClassVar[Mapping[str, tuple[float, float, float, float, float]]]
    """Strength per severity 1..5; the keys are the keyword arguments of `apply`."""
    measure: ClassVar[Measure]
    label_validity: ClassVar[tuple[Validity, Validity, Validity, Validity, Validity]]
    validity_source: ClassVar[str]
    source: ClassVar[str]
    """Where the kind of noise and the constants of the table come from."""
    uses_pool: ClassVar[bool] = False
    """Whether it takes partners from the pool (babble, mismatch): then the whole split's content is part of
    the recipe, and not only that of the samples chosen."""
    exchanges: ClassVar[bool] = False
    """Whether it puts another recording in the place of this one (mismatch) rather than spoil what is there:
    of frames that are cropped to the face, crops are exchanged."""
    is_random: ClassVar[bool] = True
    """Whether anything is drawn; if not, draws are empty, and a second seed or replicate says nothing new."""
    keeps_shape: ClassVar[bool] = True
    """Whether duration, frame count and size stay as they were (texts may change length)."""
    libraries: ClassVar[tuple[str, ...]] = ()
    """Distributions, as pip names them, on whose build the bytes depend: a manifest has their versions."""
    device_tolerance: ClassVar[int | None] = None
    """By how many levels of PCM16 or uint8 `apply_on_device` may differ from `apply`. 0: the same bytes.
    ``None``: there is no twin, and the host does the work."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Refuse a class whose `draw` asks for more than it may know.

        Raises:
            TypeError: its parameters are others than those of `Corruption.draw`.
        """
        super().__init_subclass__(**keywords)
        known, asked = (list(inspect.signature(c.draw).parameters) for c in (Corruption, cls))
        if asked != known:
            raise TypeError(
                f"{cls.__name__}.draw takes ({', '.join(asked)}), and may only take ({', '.join(known)}): "
                "what is drawn does not depend on the severity"
            )

    @abstractmethod
    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Return what is random for one sample as small plain JSON.

        The sample's content may be looked at for its extent (duration, size, number of graphemes);
        big arrays are left to a child key stored in the params.
        """

    @abstractmethod
    def apply(
        self, batch: Batch, params: Sequence[Params], pool: Pool, *_: Any, **strength: Any
    ) -> tuple[Batch, list[Achieved]]:
        """Return the corrupted batch and, per row, what really happened.

        A corruption declares its strengths by name, ``apply(self, batch, params, pool, *, snr_db)``; the
        catch-all ``*_`` is what makes that an override to a type checker and receives nothing.

        Each `achieved` holds ``applied`` (bool) and the figure that the card's `measure` names. A
        row to which the corruption does not apply passes unchanged with ``applied=False``. The input
        is never written to. Rows do not influence each other.
        """

    def apply_on_device(
        self, batch: DeviceBatch, params: Sequence[Params], pool: Pool, *_: Any, **strength: Any
    ) -> tuple[DeviceBatch, list[Achieved]]:
        """Do what `apply` does, from the same params, to media that lie on a device and stay there.

        A corruption without a twin has the host do it: the media are fetched and sent back.
        """
        spoilt, achieved = self.apply(batch.download(), params, pool, **strength)
        return batch.upload(spoilt, batch.device), achieved

    def content_hash(self) -> str | None:
        """Return the hash of outside data that the bytes depend on (a noise bank), or ``None``."""
        return None

    @classmethod
    def material(cls, options: Mapping[str, Any]) -> frozenset[str]:
        """Return names for the outside recordings that a cell with these `options` may take.

        What a model was hardened with and what it is tested with must not overlap. A name covers
        recordings that belong together: a fold of a noise bank, for its clips may share a source.
        """
        return frozenset()

    def strength(self, severity: int) -> dict[str, float]:
        """Return the row of the severity table for `severity` in 1..5."""
        return {key: values[severity - 1] for key, values in self.severity.items()}

    def cell(self, severity: int, *, seed: int = 0, replicate: int = 0) -> Cell:
        """Return the cell that this corruption fills at `severity`."""
        if severity not in SEVERITIES:
            raise ValueError(f"severity must be one of {SEVERITIES}, got {severity}")
        return Cell(
            corruption=self.name,
            version=self.version,
            severity=severity,
            options=canonical(self),
            seed=seed,
            replicate=replicate,
        )

    def key(self, dataset: str, sample_id: str, *, seed: int, replicate: int, slot: str = "") -> str:
        """Return the random key of one sample: never of its order, batch, worker or severity.

        `slot` is the place of this corruption within a compound.
        """
        return derive_key(
            f"{self.name}@{self.version}",
            self._draw_options,
            f"{dataset}:{sample_id}",
            str(seed),
            str(replicate),
            slot,
        )

    @cached_property
    def _draw_options(self) -> str:
        return canonical_json(canonical(self, draw_only=True))

    def draw_all(
        self, samples: Sequence[Sample], pool: Pool, dataset: str, *, seed: int = 0, replicate: int = 0
    ) -> list[Params]:
        """Draw for every sample, each from its own key."""
        return [
            self.draw(Stream(self.key(dataset, s.id, seed=seed, replicate=replicate)), s, pool)
            for s in samples
        ]


corruptions: Registry[Corruption] = Registry("corruption", "merbench.corruptions", Corruption)  # type: ignore[type-abstract]
