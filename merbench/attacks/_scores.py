"""From a model's logits to what an attack climbs: the same reading of labels as in every result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from merbench.attacks._loop import Losses
from merbench.models import Answered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from merbench.labels import LabelMap
    from merbench.models import Adapter
    from merbench.models._validate import Answers

ENOUGH = 1e-3
"""The margin, in nats, at which an attack stops: more than rounding takes back (float32, another batch)."""


class Judge:
    """Reads answers as a result does: labels that go to one class add up, others compete on their own."""

    def __init__(self, adapter: Adapter, labels: LabelMap) -> None:
        self._adapter = adapter
        self._labels = labels
        outside = [label for label, target in labels.table.items() if target is None]
        self._answers = [*labels.classes, *outside]
        self._columns = [
            [j for j, (label, target) in enumerate(labels.table.items()) if (target or label) == answer]
            for answer in self._answers
        ]
        self._reachable = [k for k, columns in enumerate(self._columns) if columns]

    def scores(self, logits: Tensor) -> Tensor:
        """Return log-probabilities [N, A] of every answer that the model can give."""
        known = logits.log_softmax(dim=1)
        if all(columns == [k] for k, columns in enumerate(self._columns)):
            return known
        return torch.stack([known[:, self._columns[k]].logsumexp(dim=1) for k in self._reachable], dim=1)

    def losses(self, logits: Tensor, truth: Sequence[str]) -> Losses:
        """Return cross-entropy, and by how much the best wrong answer leads over the right one."""
        scores = self.scores(logits)
        right = torch.tensor([self._place(label) for label in truth], device=scores.device)
        own = scores.gather(1, right.clamp(min=0)[:, None])[:, 0]
        others = scores.scatter(1, right.clamp(min=0)[:, None], -torch.inf).amax(dim=1)
        # A class that the model cannot answer is wrong already.
        margin = torch.where(right < 0, torch.inf, others - own)
        return Losses(-own, margin)

    def margins(self, answers: Answers, truth: Sequence[str]) -> Tensor:
        """Return the margins [N] of ordinary answers; a text is right (-1) or wrong (1)."""
        if isinstance(answers, Answered):
            answers = answers.logits
        if isinstance(answers, list):
            parsed = [self._adapter.parse(answer) for answer in answers]
            read = [None if label is None else self._labels.read_answer(label) for label in parsed]
            return torch.tensor([-1.0 if r == t else 1.0 for r, t in zip(read, truth, strict=True)])
        return self.losses(torch.from_numpy(np.asarray(answers, dtype=np.float64)), truth).margin

    def _place(self, label: str) -> int:
        place = self._answers.index(label)
        return self._reachable.index(place) if place in self._reachable else -1
