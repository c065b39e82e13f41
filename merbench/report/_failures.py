"""The failures worth a look: samples that models got right when clean and wrong, but surely, under noise."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from merbench.report._study import Study

COUNT = 12
"""How many failures a report shows."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said: the class, ``None`` if it was no class, and its probability where there is one."""

    label: str | None
    confidence: float | None
    right: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """One sample in one cell of the panel, with every model's answers, clean and noisy."""

    sample: int
    cell: int
    answers: tuple[tuple[Answer, Answer], ...]


def worst_failures(study: Study, count: int = COUNT) -> tuple[Failure, ...]:
    """Return the failures of most models, then the most confident ones, then those at the lowest severity.

    A failure is a sample answered rightly when clean and wrongly in a cell that applied to it. Every
    sample is shown once, and corruptions take turns, so that one of them does not fill the list.
    """
    panel = study.panel
    right = panel.answer == panel.truth
    flipped = right[:, [panel.clean]] & ~right & panel.applied
    models = flipped.sum(axis=0)
    sure = np.where(flipped, np.nan_to_num(panel.confidence, nan=0.0), 0.0).sum(axis=0) / np.maximum(
        models, 1
    )
    severity = np.array([cell.severity for cell in panel.cells])
    cells, samples = np.nonzero(models)
    order = np.lexsort((samples, cells, severity[cells], -sure[cells, samples], -models[cells, samples]))
    shown: list[tuple[int, int]] = []
    for share in _shares(count, len(study.variants)):
        taken = Counter(panel.cells[k].corruption for k, _ in shown)
        seen = {i for _, i in shown}
        for k, i in zip(cells[order].tolist(), samples[order].tolist(), strict=True):
            if len(shown) < count and i not in seen and taken[panel.cells[k].corruption] < share:
                shown.append((k, i))
                seen.add(i)
                taken[panel.cells[k].corruption] += 1
    return tuple(Failure(i, k, tuple(_answers(study, i, k))) for k, i in shown)


def _shares(count: int, corruptions: int) -> tuple[int, int]:
    """Return how many each corruption may have: its part at first, then whatever places are left."""
    return -(-count // corruptions), count


def _answers(study: Study, sample: int, cell: int) -> Iterator[tuple[Answer, Answer]]:
    panel = study.panel
    names = [*study.classes, None]
    for model in study.models:
        clean, noisy = (
            Answer(
                label=names[panel.answer[model.slot, k, sample]],
                confidence=None if np.isnan(c := panel.confidence[model.slot, k, sample]) else float(c),
                right=bool(panel.answer[model.slot, k, sample] == panel.truth[sample]),
            )
            for k in (panel.clean, cell)
        )
        yield clean, noisy
