"""A classifier of the transformers library, as it lies in a folder or on the hub."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from merbench import pretrained
from merbench.errors import MerbenchError
from merbench.hashing import combine, hash_file, hash_json
from merbench.models import _probabilities
from merbench.models._adapter import Adapter, TrainingRecord
from merbench.models._transformers import inputs
from merbench.options import option
from merbench.pretrained import first_line, quiet

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from merbench.types import Batch

__all__ = ["Options", "Task", "TransformersModel", "quiet"]

Task = Literal["audio", "image", "video", "text"]

_HOME = Path(__file__).parent
_CODE = (*sorted(_HOME.glob("*.py")), Path(_probabilities.__file__), Path(pretrained.__file__))
_NAMELESS = re.compile(r"(label|class)?[ _-]?\d+")
_BATCH = {"audio": 16, "image": 4, "video": 4, "text": 32}
_LONGEST_TO_SHORTEST = 1.25  # of the rows padded into one batch: at most a fifth of it is padding
_FAMILIES = {"audio": "AUDIO", "image": "IMAGE", "video": "VIDEO", "text": "SEQUENCE"}


@dataclass(frozen=True)
class Options:
    """What a user may say about a checkpoint."""

    labels: tuple[str, ...] = option(
        (), "its classes in the order of its logits, where the configuration names none; equal names merge"
    )
    task: Task | None = option(None, "what it classifies, where the configuration does not say")
    frames: inputs.Frames = option("mean", "images: the first or middle frame, or the mean logits over all")
    trained_on: tuple[str, ...] | None = option(None, "names of the datasets it was trained on")
    revision: str | None = option(None, "a branch, tag or commit of the hub's repository")


class TransformersModel(Adapter):
    """Any audio, image, video or text classifier of the transformers library.

    The configuration tells the task and the labels. Weights are read as tensors and never executed: from
    safetensors, or from a pickle of which torch accepts tensors only. Where its modality is missing a
    model knows nothing, and every label gets the same probability.

    Args:
        checkpoint: a folder that ``save_pretrained()`` wrote, or ``owner/model`` on the hub.
        options: what the user says about it.

    Raises:
        MerbenchError: there is no such checkpoint, it classifies nothing, or its labels have no names.
    """

    def __init__(self, checkpoint: str, options: Options) -> None:
        self._options = options
        self._folder = pretrained.find_checkpoint(checkpoint, options.revision)
        local = Path(checkpoint).is_dir()
        self.name = self._folder.resolve().name if local else checkpoint
        self._config = pretrained.read_config(self._folder, self.name)
        self._task = options.task or _task_of(self._config, self.name)
        self._columns = _label_columns(self._config, options.labels, self.name)
        self.labels = tuple(dict.fromkeys(self._columns))
        with quiet():
            self._inputs = self._make_inputs()
        self.uses = (self._inputs.modality,)
        self.wants = self._inputs.wants
        self.batch_size = _BATCH[self._task]
        if options.trained_on is not None:
            self.trained_on = tuple(TrainingRecord(dataset=d) for d in options.trained_on)

    def predict(self, batch: Batch) -> npt.NDArray[np.float64]:
        """Return log-probabilities [N, C]; uniform where the modality is missing."""
        probabilities = np.full((len(batch), len(self.labels)), 1 / len(self.labels))
        rows = np.flatnonzero(batch.present(self._inputs.modality))
        made = [self._inputs(batch, int(row)) for row in rows]
        merge = _probabilities.merging(self._columns, self.labels)
        for bucket in _buckets(made, self._inputs.padding):
            logits = self._logits([made[i] for i in bucket])
            probabilities[rows[bucket]] = self._distribution(logits) @ merge
        return _probabilities.log(probabilities)

    def fingerprint(self) -> str:
        """Return a hash over weights, configuration, vocabulary, options and merbench's part in it."""
        files = pretrained.content(self._folder)
        said = hash_json({"labels": self._columns, "task": self._task, "frames": self._options.frames})
        return combine([*(f"{file.name} {hash_file(file)}" for file in files), said, *map(hash_file, _CODE)])

    def parameters(self) -> int:
        """Return the number of weights; loads them."""
        return sum(int(weight.numel()) for weight in self._network.parameters())

    def _make_inputs(self) -> inputs.Inputs:
        try:
            if self._task == "audio":
                return inputs.AudioInputs(self._folder, self._config)
            if self._task == "text":
                return inputs.TextInputs(self._folder, self._config)
            if self._task == "image":
                return inputs.ImageInputs(self._folder, self._options.frames)
            main = "pixel_values_videos" if self._config.model_type == "vjepa2" else "pixel_values"
            return inputs.VideoInputs(self._folder, self._config, main)
        except MerbenchError:
            raise
        except Exception as error:
            raise MerbenchError(
                f"the preprocessing of '{self.name}' cannot be read: {first_line(error)}",
                fix="put its preprocessor_config.json or tokenizer files beside its config.json",
            ) from error

    def _logits(self, rows: Sequence[inputs.Arrays]) -> npt.NDArray[np.float64]:
        """Return logits [N, C] of rows whose arrays have equal shapes or may be padded."""
        import torch

        tensors = {}
        for key, array in _stacked(rows, self._inputs.padding).items():
            tensor = torch.from_numpy(array).to(self.device)
            tensors[key] = tensor.to(self._network.dtype) if tensor.is_floating_point() else tensor
        with torch.inference_mode():
            logits = self._network(**tensors).logits.double().cpu().numpy()
        pictures = np.cumsum([0, *(len(next(iter(row.values()))) for row in rows)])
        return np.stack([logits[a:b].mean(axis=0) for a, b in itertools.pairwise(pictures)])

    def _distribution(self, logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return probabilities [N, C]; of several labels that may hold together, their shares."""
        if self._config.problem_type == "multi_label_classification":
            chances = 1 / (1 + np.exp(-logits))
            return np.asarray(chances / chances.sum(axis=1, keepdims=True))
        return _probabilities.softmax(logits)

    @cached_property
    def _network(self) -> Any:
        import transformers

        auto = {
            "audio": transformers.AutoModelForAudioClassification,
            "image": transformers.AutoModelForImageClassification,
            "video": transformers.AutoModelForVideoClassification,
            "text": transformers.AutoModelForSequenceClassification,
        }[self._task]
        network = pretrained.load_network(
            auto,
            self._folder,
            self._config,
            self.name,
            kind="a fine-tuned classifier",
            precision=self.precision,
        )
        return network.to(self.device)


def _task_of(config: Any, name: str) -> Task:
    """Tell from the architecture what a checkpoint classifies."""
    from transformers.models.auto import modeling_auto

    architecture = next(iter(config.architectures or ()), None)
    for task, family in _FAMILIES.items():
        known = getattr(modeling_auto, f"MODEL_FOR_{family}_CLASSIFICATION_MAPPING_NAMES")
        classes = known.get(config.model_type, ())
        if architecture in ((classes,) if isinstance(classes, str) else classes):
            return task  # type: ignore[return-value]
    what = "names no architecture" if architecture is None else f"is a {architecture}"
    raise MerbenchError(
        f"the configuration of '{name}' {what}, and that classifies neither audio, images, videos nor texts",
        fix="name a checkpoint fine-tuned for classification, or say what it classifies with task=",
    )


def _label_columns(config: Any, given: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Return the label of every logit: those given, or the configuration's in lower case and one spacing."""
    count = int(config.num_labels)
    if count < 2 or config.problem_type == "regression":
        raise MerbenchError(
            f"'{name}' answers a number and not a class", fix="name a classifier of at least two labels"
        )
    if given:
        if len(given) != count:
            raise MerbenchError(
                f"labels= gives {len(given)} names, and '{name}' has {count} classes",
                fix="give one for every logit, in its order; equal names merge",
            )
        return given
    named = tuple(" ".join(str(config.id2label[i]).casefold().split()) for i in range(count))
    nameless = next((label for label in named if not label or _NAMELESS.fullmatch(label)), None)
    if nameless is not None:
        raise MerbenchError(
            f"the configuration of '{name}' does not say what its classes mean ('{config.id2label[0]}' ...)",
            fix=f"give their {count} names in order, as its model card has them: {name}:labels=a+b+c",
        )
    return named


def _buckets(rows: Sequence[inputs.Arrays], padding: Any) -> list[list[int]]:
    """Group rows that go through the network together: of equal shapes, or of similar length if padded."""
    if padding is None:
        groups: dict[Any, list[int]] = {}
        for i, row in enumerate(rows):
            groups.setdefault(tuple(array.shape[1:] for array in row.values()), []).append(i)
        return list(groups.values())
    lengths = [next(iter(row.values())).shape[1] for row in rows]
    buckets: list[list[int]] = []
    for i in sorted(range(len(rows)), key=lengths.__getitem__):
        if buckets and lengths[i] <= _LONGEST_TO_SHORTEST * lengths[buckets[-1][0]]:
            buckets[-1].append(i)
        else:
            buckets.append([i])
    return buckets


def _stacked(rows: Sequence[inputs.Arrays], padding: Any) -> inputs.Arrays:
    """Return every array of the rows along axis 0, filled up along axis 1 where rows may be padded."""
    stacked = {}
    for key in rows[0]:
        parts = [row[key] for row in rows]
        if padding is not None:
            longest = max(part.shape[1] for part in parts)
            parts = [
                np.pad(part, ((0, 0), (0, longest - part.shape[1])), constant_values=padding[key])
                for part in parts
            ]
        stacked[key] = np.concatenate(parts)
    return stacked
