"""What a model owes.

An adapter sees media only, in an order that is a hash and not the dataset's. It says what it wants
(`wants`: sample rate, frame size); the runner converts, the same way whether a suite is streamed or
built. Split adapters separate `encode` (one modality each) from `fuse`, so that a cell which touches
only the audio never runs the visual encoder again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, final

import numpy as np

from merbench.registry import Registry
from merbench.types import MODALITIES, Batch, Modality

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class Wants:
    """The media an adapter is to be given: Hz and pixels; ``None`` takes what the suite has."""

    sample_rate: int | None = None
    frame_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecord:
    """What a model has seen, so that evaluation can tell contamination from generalisation.

    `dataset` is a dataset's name; `samples` holds the ids trained (or tuned) on and `speakers` their
    speakers; ``None`` means "not recorded, assume everything". `options` are the dataset's options
    that decide its content (the seed of the synthetic set): with others it is another dataset. `noise`
    names the noise it was hardened with, as `Corruption.material` does.
    """

    dataset: str
    samples: frozenset[str] | None = None
    speakers: frozenset[str] | None = None
    noise: frozenset[str] = frozenset()
    options: Mapping[str, object] = field(default_factory=dict)


UNRECORDED = TrainingRecord(dataset="(unrecorded)")
"""Among other records: nobody knows what a part of the model was trained on."""


class Answered(NamedTuple):
    """What a model that both scores and speaks answers: logits [N, C], and one text per row.

    The prediction is made from the logits; what the text names is kept beside it, so that the agreement
    of the two is part of every result.
    """

    logits: npt.NDArray[np.floating]
    texts: Sequence[str]


class Adapter(ABC):
    """A model behind one interface. Subclasses are dataclasses whose fields are their options."""

    name: str
    """Set by the registry from the file's name, or by whoever loads a file or a checkpoint."""
    labels: tuple[str, ...]
    """The model's own labels, in the order of its logits."""
    uses: tuple[Modality, ...] = MODALITIES
    """The modalities it reads; the others are not given to it."""
    wants: Wants = Wants()
    trained_on: tuple[TrainingRecord, ...] | None = None
    """What it was trained on; ``()`` means "on nothing", ``None`` "nobody knows"."""
    batch_size: int = 32
    """Rows per call when the user says ``--batch-size auto``."""
    device: str = "cpu"
    """Where to compute, as torch names it; set before the first call, and ignored by what needs no torch."""
    precision: str = "float32"
    """What to compute in: ``float32``, ``bfloat16`` or ``float16``; set before the first call."""

    @abstractmethod
    def predict(self, batch: Batch) -> npt.NDArray[np.floating] | Sequence[str] | Answered:
        """Return logits [N, C] over `labels`, one text answer per row, or both.

        Rows may lack any modality, all of them included. A row's answer must not depend on the other
        rows of its batch.
        """

    def learn_prior(self, counts: Mapping[str, int]) -> None:  # noqa: B027 - most models need none
        """Take the label counts of the data's training split, once, before anything is predicted.

        Only for models that answer a prior and nothing else (``majority``): all others know theirs.
        """

    def parse(self, answer: str) -> str | None:
        """Return the label that a text answer names, or ``None`` when it names none.

        A returned label need not be one of `labels`: the runner counts out-of-set answers apart.
        """
        text = answer.strip().casefold().rstrip(".!")
        return text or None

    def fingerprint(self) -> str | None:
        """Return a hash over weights, configuration and adapter code.

        Without one (``None``) nothing is cached and nothing can be resumed.
        """
        return None

    def parameters(self) -> int | None:
        """Return how many weights it has, loading them if need be; ``None`` where nobody can tell."""
        return None


class SplitAdapter(Adapter):
    """An adapter whose modalities are encoded apart and then fused."""

    @abstractmethod
    def encode(self, modality: Modality, batch: Batch) -> npt.NDArray[np.float32]:
        """Return encodings [N, ...] of one modality.

        The batch holds only this modality, and every row has it.
        """

    @abstractmethod
    def fuse(
        self,
        encodings: Mapping[Modality, npt.NDArray[np.float32]],
        present: Mapping[Modality, npt.NDArray[np.bool_]],
    ) -> npt.NDArray[np.floating] | Sequence[str] | Answered:
        """Return logits [N, C], one text answer per row, or both.

        Rows of `encodings` where `present` is false hold zeros and must not be read. A modality that
        no row has is missing from `encodings`.
        """

    @final
    def predict(self, batch: Batch) -> npt.NDArray[np.floating] | Sequence[str] | Answered:
        """Return ``fuse(encode(...))``."""
        present = {m: batch.present(m) for m in self.uses}
        encodings = {m: self.encode_present(m, batch) for m in self.uses if present[m].any()}
        return self.fuse(encodings, present)

    @final
    def encode_present(self, modality: Modality, batch: Batch) -> npt.NDArray[np.float32]:
        """Encode the rows that have `modality`; the others get zeros."""
        rows = np.flatnonzero(batch.present(modality))
        media = batch.only(modality)
        part = media if len(rows) == len(batch) else media.take(rows)
        return scatter(self.encode(modality, part), rows, len(batch))


def scatter(encoded: npt.NDArray[np.float32], rows: npt.NDArray[np.int64], n: int) -> npt.NDArray[np.float32]:
    """Return [n, ...] with `encoded` at `rows` and zeros elsewhere."""
    if len(rows) == n:
        return encoded
    out = np.zeros((n, *encoded.shape[1:]), dtype=encoded.dtype)
    out[rows] = encoded
    return out


models: Registry[Adapter] = Registry("model", "merbench.models", Adapter, separator="-")  # type: ignore[type-abstract]
