"""From what a model answers to the columns that a task adds to a prediction row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from merbench.errors import MerbenchError
from merbench.labels import LabelMap, counterpart, map_labels
from merbench.models import Valued
from merbench.targets import map_targets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from merbench.labels import Mode
    from merbench.models import Adapter
    from merbench.models._validate import Answers
    from merbench.suites.source import Facts
    from merbench.targets import Task
    from merbench.types import Utterance


def map_answers(adapter: Adapter, facts: Facts, mode: Mode) -> LabelMap:
    """Return where a model's labels go.

    The labels of a model that has none, or that has emotions where the dataset's labels are steps of
    sentiment, follow from its values. Then nothing of its own goes anywhere.

    Raises:
        MerbenchError: labels do not fit (`map_labels`), or the model has none and they do not follow.
    """
    known = map_targets(adapter.targets, facts.task)
    follow = known is not None and known.names_labels and known.task.label_names <= set(facts.labels)
    if adapter.labels and not (follow and _strangers(adapter, facts)):
        return map_labels(adapter.labels, facts.labels, mode)
    if known is None:
        asked = f"asks for {', '.join(facts.task.targets)}" if facts.task else "asks for labels alone"
        raise MerbenchError(
            f"{adapter.name} answers {', '.join(adapter.targets)}, and {facts.dataset} {asked}",
            fix="choose another model, or another target of the dataset: 'merbench show dataset' lists them",
        )
    if not follow:
        raise MerbenchError(
            f"{adapter.name} answers no labels, and the labels of {facts.dataset} do not follow from what it "
            "answers",
            fix="let it answer logits too: return merbench.models.Valued(values, logits)",
        )
    return LabelMap(mode, facts.labels, {})


def _strangers(adapter: Adapter, facts: Facts) -> bool:
    """Tell whether a model's labels and a dataset's have nothing to do with each other."""
    return not any(counterpart(label, facts.labels) for label in adapter.labels)


def labels_of(answers: Valued, adapter: Adapter, task: Task | None, labels: LabelMap) -> list[str]:
    """Return the labels that follow from a model's values."""
    known = map_targets(adapter.targets, task)
    if known is None:  # `map_answers` has refused it
        raise ValueError("no label follows from these values")
    return known.task.label(known.read(answers.values), labels.classes)


def target_columns(
    answers: Answers,
    columns: Mapping[str, Any],
    utterances: Sequence[Utterance],
    adapter: Adapter,
    task: Task,
    labels: LabelMap,
) -> dict[str, Any]:
    """Return what rows hold besides on a dataset with a task: what it asks for, and the model's values.

    Where the task asks for a distribution over the labels, the probabilities of a model that answers
    logits over all of them are its values. Any other model that answers none of the targets has none.

    Args:
        answers: the model's.
        columns: what was made of them so far; its ``probabilities`` are read.
        utterances: whose answers they are.
        adapter: the model.
        task: what the dataset asks.
        labels: where the model's labels go.

    Raises:
        MerbenchError: the task asks for probabilities, and the values are none.
    """
    known = map_targets(adapter.targets, task)
    values: Any = pa.nulls(len(utterances), pa.list_(pa.float64()))
    if isinstance(answers, Valued) and known is not None:
        values = _lists(known.read(answers.values))
    elif task.kind == "soft" and labels.classes == task.targets and not isinstance(answers, list):
        values = columns["probabilities"].cast(pa.list_(pa.float64()))
    return {"target": [list(u.targets) for u in utterances], "values": values}


def _lists(values: npt.NDArray[np.float64]) -> pa.Array:
    """Return rows [N, T] as a column of lists, in which what the model does not answer is null."""
    flat = pa.array(values.reshape(-1), pa.float64(), from_pandas=True)
    offsets = pa.array(np.arange(len(values) + 1) * values.shape[1], pa.int32())
    return pa.ListArray.from_arrays(offsets, flat)
