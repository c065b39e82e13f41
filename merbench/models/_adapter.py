"""What a model owes.

An adapter sees media only, in an order that is a hash and not the dataset's. It says what it wants
(`wants`: sample rate, frame size); the runner converts, the same way whether a suite is streamed or
built. Split adapters separate `encode` (one modality each) from `fuse`, so that a cell which touches
only the audio never runs the visual encoder again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, final

import numpy as np

from merbench.registry import Registry
from merbench.types import MODALITIES, Batch, Modality

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    from torch import Tensor

    Output: TypeAlias = "npt.NDArray[np.floating] | Sequence[str] | Answered | Valued"


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

    @classmethod
    def from_json(cls, seen: Mapping[str, Any]) -> TrainingRecord:
        """Return one entry of ``trained_on`` in a ``checkpoint.json``, as `merbench train` writes it."""
        samples, speakers = (
            None if names is None else frozenset(names)
            for names in (seen.get("samples"), seen.get("speakers"))
        )
        return cls(
            dataset=seen["dataset"],
            samples=samples,
            speakers=speakers,
            noise=frozenset(seen.get("noise", ())),
            options=seen.get("options", {}),
        )


UNRECORDED = TrainingRecord(dataset="(unrecorded)")
"""Among other records: nobody knows what a part of the model was trained on."""


class Answered(NamedTuple):
    """What a model that both scores and speaks answers: logits [N, C], and one text per row.

    The prediction is made from the logits; what the text names is kept beside it, so that the agreement
    of the two is part of every result.
    """

    logits: npt.NDArray[np.floating]
    texts: Sequence[str]


class Valued(NamedTuple):
    """What a model with `Adapter.targets` answers: their values [N, K], and logits [N, C] if it has labels.

    A value is what the dataset's task asks for (`merbench.targets`): a real number, the probability of a
    label that may be present beside others, or a share of a distribution over the labels.
    """

    values: npt.NDArray[np.floating]
    logits: npt.NDArray[np.floating] | None = None


class Adapter(ABC):
    """A model behind one interface. Subclasses are dataclasses whose fields are their options."""

    name: str
    """Set by the registry from the file's name, or by whoever loads a file or a checkpoint."""
    labels: tuple[str, ...]
    """The model's own labels, in the order of its logits; empty if it answers values alone."""
    targets: tuple[str, ...] = ()
    """What its values are of, in their order: names of a task's targets (`merbench.targets.Task`)."""
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
    def predict(self, batch: Batch) -> Output:
        """Return logits [N, C] over `labels`, one text answer per row, both, or values of `targets`.

        Rows may lack any modality, all of them included. A row's answer must not depend on the other
        rows of its batch.
        """

    def learn_prior(self, counts: Mapping[str, int]) -> None:  # noqa: B027 - most models need none
        """Take the label counts of the data's training split, once, before anything is predicted.

        Only for models that answer a prior and nothing else (``majority``): all others know theirs.
        """

    def learn_means(self, means: Mapping[str, float]) -> None:  # noqa: B027 - most models need none
        """Take the mean of every target in the data's training split, once, before anything is predicted.

        Only for models that answer a prior and nothing else (``target-mean``).
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
    ) -> Output:
        """Return logits [N, C], one text answer per row, both, or values.

        Rows of `encodings` where `present` is false hold zeros and must not be read. A modality that
        no row has is missing from `encodings`.
        """

    @final
    def predict(self, batch: Batch) -> Output:
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


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TensorMedia:
    """What `Batch` holds, as tensors that a gradient flows through: float32, in `merbench.types`' units.

    `audio` rows are [T], in PCM16 levels -32768..32767; `frames` rows [F, H, W, 3], in 0..255. Values need
    not be whole. ``None`` is a missing modality.
    """

    audio: tuple[Tensor | None, ...]
    sample_rates: tuple[int | None, ...]
    frames: tuple[Tensor | None, ...]
    timestamps: tuple[npt.NDArray[np.float64] | None, ...]
    text: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.text)

    def rows(self, modality: Modality) -> tuple[Any, ...]:
        """Return one modality of every row: `audio`, `frames` or `text`."""
        return {"audio": self.audio, "vision": self.frames, "text": self.text}[modality]


class Differentiable(ABC):
    """What an adapter offers besides, so that gradient attacks and adversarial training can reach its media.

    The path must answer as `Adapter.predict` does: it is held against it before any attack, and a model
    whose two ways disagree is refused (`merbench.attacks`).
    """

    @abstractmethod
    def differentiable(self, media: TensorMedia) -> Tensor:
        """Return logits [N, C] over `Adapter.labels`, with a gradient to every sound and picture.

        The media come as the adapter `wants` them. Nothing here may cut the gradient: rounding, codecs and
        what else has none is passed straight through.
        """


def scatter(encoded: npt.NDArray[np.float32], rows: npt.NDArray[np.int64], n: int) -> npt.NDArray[np.float32]:
    """Return [n, ...] with `encoded` at `rows` and zeros elsewhere."""
    if len(rows) == n:
        return encoded
    out = np.zeros((n, *encoded.shape[1:]), dtype=encoded.dtype)
    out[rows] = encoded
    return out


models: Registry[Adapter] = Registry("model", "merbench.models", Adapter, separator="-")  # type: ignore[type-abstract]
