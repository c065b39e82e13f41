"""What a model owes to be trained by the loop, and how the loop finds it."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from merbench.errors import MerbenchError
from merbench.models import Wants
from merbench.models._python import import_file
from merbench.options import build

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor, nn

    from merbench.models import TensorMedia
    from merbench.rng import Stream
    from merbench.training.recipe import Model, Stage
    from merbench.types import Batch, Utterance


class Row(NamedTuple):
    """One utterance as it enters a step.

    `inputs` is what `Trainable.prepare` made of it, `label` the place of its label, and `chance` its own
    random stream, which depends on the utterance and the epoch and not on the batch it is in. `noisy` is
    whether natural noise corrupted it; then `clean` is what was made of the utterance without, if the
    `Trainable` compares.
    """

    inputs: Any
    label: int
    chance: Stream
    noisy: bool = False
    clean: Any = None


class Outputs(NamedTuple):
    """What a network makes of N rows.

    The mean `loss`, a scalar; `logits` [N, C]; `representation` [N, D]: what its encoders found in sound and
    pictures.
    """

    loss: Tensor
    logits: Tensor
    representation: Tensor


@dataclass(eq=False)
class Trainable(ABC):
    """A network with what training must know of it. Subclasses are dataclasses; their options are fields."""

    labels: tuple[str, ...]
    """The classes, in the order of the logits."""

    wants: ClassVar[Wants] = Wants()
    """The media that `prepare` is to be given."""

    @property
    def compares(self) -> bool:
        """Whether a noisy row comes with its clean version."""
        return False

    @property
    @abstractmethod
    def network(self) -> nn.Module:
        """The network, always the same object; made with torch's generator seeded by the recipe."""

    @abstractmethod
    def prepare(self, batch: Batch, utterances: Sequence[Utterance]) -> Sequence[Any]:
        """Return per row what the network reads: small, for it is kept in memory.

        Called from several threads. The result must not depend on trained weights or on other rows.
        """

    def varied(self, inputs: Any, chance: Stream) -> Any:
        """Return what a training step is shown of a row: cut, mirrored, with a part left out, or as it is."""
        return inputs

    @abstractmethod
    def loss(self, rows: Sequence[Row]) -> Tensor:
        """Return the mean loss of `rows`, which have been varied, a scalar with a gradient."""

    @abstractmethod
    def logits(self, inputs: Sequence[Any]) -> Tensor:
        """Return logits [N, C] of prepared inputs."""

    @abstractmethod
    def save(self, folder: Path, record: Mapping[str, Any]) -> None:
        """Write a checkpoint folder that `load_model` reads, with `record` in its ``checkpoint.json``."""

    def groups(self) -> Mapping[str, Sequence[str]]:
        """Return names of parameters by group, for recipes; ``all`` is always there besides."""
        return {}

    def survey(self, inputs: Callable[[], Sequence[Any]]) -> None:  # noqa: B027 - most models need none
        """Take statistics of what is trained on, once, before the first step.

        Args:
            inputs: prepares every training utterance, uncorrupted, and returns what `prepare` made of it.
        """

    def begin(self, stage: Stage) -> None:  # noqa: B027 - most models treat all stages alike
        """Get ready for a stage."""

    def checkpoint_gradients(self) -> None:
        """Trade computation for memory in the backward pass."""
        raise MerbenchError(
            f"{type(self).__name__} cannot checkpoint gradients", fix="set gradient_checkpointing = false"
        )


class Attackable(Trainable):
    """A network whose inputs an attack can move, so that it can be trained on what the attack makes."""

    @property
    @abstractmethod
    def representation_size(self) -> int:
        """D of `Outputs.representation`."""

    @abstractmethod
    def media(self, inputs: Sequence[Any]) -> Batch:
        """Return the sounds and pictures that the network reads, in the whole levels of canonical media."""

    @abstractmethod
    def with_media(self, inputs: Sequence[Any], media: TensorMedia) -> list[Any]:
        """Return the rows with these sounds and pictures, which may carry a gradient, and their own text."""

    @abstractmethod
    def outputs(self, rows: Sequence[Row]) -> Outputs:
        """Return everything that is made of `rows`; the loss is that of `loss`."""


TRAINABLES = {
    "emollama": "merbench.training.emotion_llama:TrainableEmotionLlama",
    "emollama-recovery": "merbench.training.emotion_llama_recovery:TrainableRecovery",
}
"""What a recipe may name as its model, and where it lives."""


def load_trainable(model: Model, labels: tuple[str, ...]) -> Trainable:
    """Return what ``[model]`` of a recipe describes.

    Raises:
        MerbenchError: there is no such model, file, class or option.
    """
    place, _, name = TRAINABLES.get(model.name, model.name).rpartition(":")
    if not place:
        known = ", ".join(sorted(TRAINABLES))
        raise MerbenchError(
            f"no model named '{model.name}' can be trained", fix=f"write {known}, or path/to/file.py:Class"
        )
    module = import_file(Path(place)) if place.endswith(".py") else import_module(place)
    cls = getattr(module, name, None)
    if not (inspect.isclass(cls) and issubclass(cls, Trainable)):
        raise MerbenchError(
            f"{place} has no class '{name}' that can be trained",
            fix="derive it from merbench.training.Trainable",
        )
    return build(cls, model.name, model.options, labels=labels)
