"""How well a network does on a split while it is being trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accelerate import Accelerator

    from merbench.training._trainable import Trainable
    from merbench.training.data import Examples
    from merbench.types import Utterance


def score(
    trainable: Trainable,
    examples: Examples,
    items: Sequence[tuple[Utterance, int]],
    accelerator: Accelerator,
    batch_size: int,
) -> dict[str, float]:
    """Return ``loss`` (cross-entropy, nats), ``accuracy`` and ``uar``; the same in every process.

    `uar` is the mean recall over the classes that are there.
    """
    from accelerate.utils import gather_object
    from sklearn.metrics import accuracy_score, recall_score

    trainable.network.eval()
    answers: list[tuple[int, list[float]]] = []
    mine = list(range(len(items)))[accelerator.process_index :: accelerator.num_processes]
    for start in range(0, len(mine), batch_size):
        part = mine[start : start + batch_size]
        with torch.inference_mode(), accelerator.autocast():
            logits = trainable.logits(examples.inputs([items[i] for i in part]))
        answers += zip(part, logits.float().tolist(), strict=True)
    everyone: list[tuple[int, list[float]]] = sorted(gather_object(answers))
    logits = torch.tensor([row for _, row in everyone], dtype=torch.float64)
    truth = torch.tensor([trainable.labels.index(u.label) for u, _ in items])
    named: Any = logits.argmax(dim=1).numpy()
    classes = sorted(set(truth.tolist()))
    return {
        "loss": round(float(F.cross_entropy(logits, truth)), 6),
        "accuracy": round(float(accuracy_score(truth.numpy(), named)), 6),
        "uar": round(
            float(recall_score(truth.numpy(), named, labels=classes, average="macro", zero_division=0)), 6
        ),
    }
