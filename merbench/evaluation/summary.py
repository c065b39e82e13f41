"""From prediction rows to the figures of a result: every published number is made here, and only here.

The summary is plain JSON. ``robustness`` always maps a metric (`summary_metrics`) to its clean value,
its noisy value, the drop between them and the retention (`merbench.evaluation.robustness`).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np

from merbench.datasets._view import FOLD
from merbench.errors import MerbenchError
from merbench.evaluation import metrics, target_metrics
from merbench.evaluation.grid import STATUSES, Grid, read_grid
from merbench.evaluation.metrics import SUMMARY_METRICS, confusion_matrix, to_json
from merbench.evaluation.predictions import OUT_OF_SET, UNPARSED
from merbench.evaluation.robustness import (
    Score,
    area_under_severity,
    corruption_error,
    nested_weights,
    relative_corruption_error,
    robustness_score,
    weighted_mean,
)
from merbench.hashing import canonical_json

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    import numpy.typing as npt
    import pyarrow as pa

    from merbench.targets import Task
    from merbench.types import Cell

SCORED = "scored"
NOT_APPLICABLE = "not applicable"
_SCRIPTED = "the text is scripted"
_TO_NO_SAMPLE = "it applies to no sample"

GROUP_METRICS = ("uar", "accuracy")

Robustness = dict[str, Score]


def summarise(
    predictions: pa.Table | Iterable[pa.RecordBatch],
    cells: Sequence[Cell],
    classes: Sequence[str],
    *,
    text_informative: bool = True,
    reference: Mapping[str, Any] | None = None,
    task: Task | None = None,
) -> dict[str, Any]:
    """Compute the metrics part of a result.

    Args:
        predictions: rows of `merbench.evaluation.predictions.SCHEMA`, in any order.
        cells: the suite's cells, the clean one among them.
        classes: the scored classes; samples with another label are counted as ``unscored``.
        text_informative: whether the dataset's text carries emotion; if not, text cells are ``not
            applicable``, have no metrics and enter no aggregate. Neither does a cell that applied to no
            sample.
        reference: the summary of a reference model over the same cells, for CE and mCE.
        task: what is asked beside the label; its metrics (`merbench.evaluation.target_metrics`) stand beside
            those of the labels, null where the model does not answer it.

    Returns:
        ``classes``, ``n``, ``unscored``; ``cells`` (one entry each, with its metrics over all samples
        and over those to which the corruption applied); ``corruptions`` (one per corruption and
        options, seeds and replicates averaged, with every severity), ``families``, ``overall``;
        ``worst_corruption`` by metric; ``groups``: the same robustness by expressed intensity, gender
        and speaker, and by fold where a protocol has folds, with the gap between the best and the worst
        group; ``relative``: CE and relative CE by corruption, and their means, null without a reference.
        Undefined figures are null.

    Raises:
        MerbenchError: the rows are not a full grid of the cells (`read_grid`), or the reference lacks
            a corruption.
    """
    results = _Results(
        scored_grid(predictions, cells, classes, text_informative=text_informative), tuple(classes), task
    )
    position = {cell.cell_id: k for k, cell in enumerate(results.grid.cells)}
    corruptions = [_corruption(results, members) for members in results.variants.values()]
    return {
        "classes": list(classes),
        "n": len(results.grid.truth),
        "unscored": results.grid.unscored,
        "cells": [
            _cell(results, position[cell.cell_id])
            if cell.cell_id in position
            else _not_applicable(cell, _SCRIPTED)
            for cell in cells
        ],
        "corruptions": corruptions,
        "families": [
            {"family": family, "robustness": results.robustness(members)}
            for family, members in results.families.items()
        ],
        "overall": results.robustness(results.noisy),
        "worst_corruption": {metric: _worst(corruptions, metric) for metric in results.names},
        "groups": _groups(results),
        "relative": None
        if reference is None
        else _relative(corruptions, reference["corruptions"], results.names),
    }


def summary_metrics(task: Task | None) -> tuple[str, ...]:
    """Return the metrics that robustness scores are made of: those of the labels, then the task's."""
    return (*SUMMARY_METRICS, *target_metrics.metrics_of(task))


def is_error(metric: str) -> bool:
    """Tell whether less of a metric is better."""
    return metric in target_metrics.METRICS and target_metrics.METRICS[metric].is_error


def scored_grid(
    predictions: pa.Table | Iterable[pa.RecordBatch],
    cells: Sequence[Cell],
    classes: Sequence[str],
    *,
    text_informative: bool,
) -> Grid:
    """Read prediction rows as a grid of the cells that are scored: all, or all but the text cells.

    Raises:
        MerbenchError: the rows are not a full grid of the cells (`read_grid`).
    """
    scored = [cell for cell in cells if text_informative or cell.family != "text"]
    ignored = {cell.cell_id for cell in cells} - {cell.cell_id for cell in scored}
    return read_grid(predictions, scored, classes, ignore=ignored)


def noisy_cells(grid: Grid) -> list[int]:
    """Return the corrupted cells that apply to any sample: one that hides nothing is not harmless."""
    return [k for k, cell in enumerate(grid.cells) if not cell.is_clean and grid.applied[k].any()]


@dataclass(frozen=True, eq=False)
class _Results:
    """A grid with its confusion matrices and the tree in which its cells are averaged."""

    grid: Grid
    classes: tuple[str, ...]
    task: Task | None

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics that robustness scores are made of."""
        return summary_metrics(self.task)

    @cached_property
    def confusion(self) -> metrics.Counts:
        return confusion_matrix(self.grid.truth, self.grid.answer, len(self.classes))

    @cached_property
    def scalars(self) -> dict[str, metrics.Floats]:
        return self.scalars_of(self.confusion, slice(None), slice(None))

    def scalars_of(self, confusion: metrics.Counts, cells: Any, rows: Any) -> dict[str, metrics.Floats]:
        """Return every metric of these cells over these samples, whose confusions are given."""
        found = metrics.scalars(confusion)
        if self.task is None:
            return found
        truth, values = self.grid.target[rows], self.grid.values[cells][:, rows]
        return found | target_metrics.scalars(self.task, truth, values, found["weighted_f1"])

    @cached_property
    def noisy(self) -> list[int]:
        return noisy_cells(self.grid)

    @cached_property
    def variants(self) -> dict[str, list[int]]:
        """The corrupted cells by corruption, version and options."""
        return _grouped(self.noisy, [variant(cell) for cell in self.grid.cells])

    @cached_property
    def families(self) -> dict[str, list[int]]:
        """The corrupted cells by family."""
        return _grouped(self.noisy, [cell.family for cell in self.grid.cells])

    def weights(self, members: Sequence[int]) -> npt.NDArray[np.float64]:
        """Return the weights in a mean over draws, severities, options, corruptions and families."""
        return nested_weights([tree_path(self.grid.cells[k]) for k in members])

    def robustness(self, members: Sequence[int]) -> Robustness:
        """Return the robustness over some corrupted cells; nothing is averaged over no cells."""
        return {name: self._score(name, self.scalars[name], members) for name in self.names}

    def _score(self, name: str, values: metrics.Floats, members: Sequence[int]) -> Score:
        noisy = weighted_mean(values[members].tolist(), self.weights(members)) if members else nan
        return robustness_score(float(values[self.grid.clean]), noisy, is_error=is_error(name))

    def group_robustness(self, groups: npt.NDArray[np.int64], count: int) -> list[Robustness]:
        """Return the overall robustness within each group of samples; `groups` is -1 for "in none"."""
        confusion = confusion_matrix(self.grid.truth, self.grid.answer, len(self.classes), groups, count)
        values = {"uar": metrics.uar(confusion), "accuracy": metrics.accuracy(confusion)}
        return [
            {name: self._score(name, values[name][:, group], self.noisy) for name in GROUP_METRICS}
            for group in range(count)
        ]


def variant(cell: Cell) -> str:
    """Return what cells share whose corruption and options are the same, whatever severity or draw."""
    return canonical_json([cell.corruption, cell.version, dict(cell.options)])


def tree_path(cell: Cell) -> tuple[Hashable, ...]:
    """Return the cell's place in the tree of every mean: family, corruption, variant, severity, draw."""
    return cell.family, cell.corruption, variant(cell), cell.severity, cell.cell_id


def _grouped(members: Sequence[int], names: Sequence[Any]) -> dict[Any, list[int]]:
    found: dict[Any, list[int]] = defaultdict(list)
    for k in members:
        found[names[k]].append(k)
    return dict(found)


def _describe(cell: Cell) -> dict[str, Any]:
    return {"cell_id": cell.cell_id, **cell.to_json(), "family": cell.family}


def _not_applicable(cell: Cell, why: str) -> dict[str, Any]:
    return {
        **_describe(cell),
        "status": NOT_APPLICABLE,
        "why": why,
        "n": None,
        "n_applied": None,
        "metrics": None,
        "robustness": None,
        "applied": None,
    }


def _cell(results: _Results, k: int) -> dict[str, Any]:
    grid = results.grid
    cell, status, confusion = grid.cells[k], grid.status[k], results.confusion[k]
    if not cell.is_clean and k not in results.noisy:
        return _not_applicable(cell, _TO_NO_SAMPLE)
    return {
        **_describe(cell),
        "status": SCORED,
        "n": len(grid.truth),
        "n_applied": int(grid.applied[k].sum()),
        "metrics": {
            **{name: to_json(values[k]) for name, values in results.scalars.items()},
            "ece": metrics.expected_calibration_error(grid.confidence[k], grid.answer[k] == grid.truth),
            "out_of_set_rate": float(np.mean(status == STATUSES.index(OUT_OF_SET))),
            "parse_failure_rate": float(np.mean(status == STATUSES.index(UNPARSED))),
            "agreement": _agreement(grid.agrees[k]),
            "per_class": metrics.per_class(confusion, results.classes),
            "confusion": confusion.tolist(),
            **({} if results.task is None else {"per_target": _per_target(results, results.task, k)}),
        },
        "robustness": None if cell.is_clean else results.robustness([k]),
        "applied": None if cell.is_clean else _applied(results, k),
    }


def _per_target(results: _Results, task: Task, k: int) -> dict[str, dict[str, float | None]]:
    """Return a cell's metrics of every target of its own."""
    found = target_metrics.by_target(task, results.grid.target, results.grid.values[k])
    return {
        target: {name: to_json(figure[t]) for name, figure in found.items()}
        for t, target in enumerate(task.targets)
    }


def _agreement(agrees: npt.NDArray[np.int8]) -> float | None:
    """Return how often a text answer and the logits beside it name the same class."""
    both = agrees[agrees >= 0]
    return float(both.mean()) if len(both) else None


def _applied(results: _Results, k: int) -> Robustness:
    """Return the cell's robustness over the samples to which it applied, clean on the same ones."""
    grid = results.grid
    rows = grid.applied[k]
    pair = [grid.clean, k]
    answers = grid.answer[pair][:, rows]
    values = results.scalars_of(confusion_matrix(grid.truth[rows], answers, len(results.classes)), pair, rows)
    return {name: robustness_score(*values[name], is_error=is_error(name)) for name in results.names}


def _corruption(results: _Results, members: list[int]) -> dict[str, Any]:
    cell = results.grid.cells[members[0]]
    by_severity = _grouped(members, [cell.severity for cell in results.grid.cells])
    severities = [
        {
            "severity": severity,
            "cells": [results.grid.cells[k].cell_id for k in draws],
            "robustness": results.robustness(draws),
        }
        for severity, draws in sorted(by_severity.items())
    ]
    return {
        "corruption": cell.corruption,
        "version": cell.version,
        "options": dict(cell.options),
        "family": cell.family,
        "severities": severities,
        "robustness": results.robustness(members),
        "area": {name: _area(severities, name) for name in results.names},
    }


def _area(severities: Sequence[Mapping[str, Any]], metric: str) -> float | None:
    scores = {s["severity"]: s["robustness"][metric] for s in severities}
    if any(score["noisy"] is None for score in scores.values()):
        return None
    clean = next(iter(scores.values()))["clean"]
    return area_under_severity(clean, {severity: score["noisy"] for severity, score in scores.items()})


def _worst(corruptions: Sequence[Mapping[str, Any]], metric: str) -> dict[str, Any] | None:
    dropped = [c for c in corruptions if c["robustness"][metric]["drop"] is not None]
    if not dropped:
        return None
    worst = max(dropped, key=lambda c: c["robustness"][metric]["drop"])
    drop = worst["robustness"][metric]["drop"]
    return {"corruption": worst["corruption"], "options": worst["options"], "drop": drop}


def _relative(
    corruptions: Sequence[Mapping[str, Any]], reference: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> dict[str, Any]:
    """Return CE and relative CE by corruption, and their means over corruptions (mCE)."""
    known = {_identity(entry): entry["robustness"] for entry in reference}
    entries = []
    for entry in corruptions:
        theirs = known.get(_identity(entry))
        if theirs is None or not theirs.keys() >= set(names):
            raise MerbenchError(
                f"the reference result has no {entry['corruption']} with the same options and severities",
                fix="evaluate the reference model over the same cells",
            )
        pairs = {name: (entry["robustness"][name], theirs[name]) for name in names}
        entries.append(
            {
                "corruption": entry["corruption"],
                "options": entry["options"],
                "ce": {
                    name: corruption_error(*pair, is_error=is_error(name)) for name, pair in pairs.items()
                },
                "relative_ce": {name: relative_corruption_error(*pair) for name, pair in pairs.items()},
            }
        )
    weights = nested_weights([(entry["corruption"], _identity(entry)) for entry in corruptions])
    return {
        "corruptions": entries,
        "mce": {name: _mean([e["ce"][name] for e in entries], weights) for name in names},
        "relative_mce": {name: _mean([e["relative_ce"][name] for e in entries], weights) for name in names},
    }


def _identity(entry: Mapping[str, Any]) -> str:
    """Return what two corruption entries must share to be compared."""
    severities = [s["severity"] for s in entry["severities"]]
    return canonical_json([entry["corruption"], entry["version"], entry["options"], severities])


def _mean(values: Sequence[float | None], weights: npt.NDArray[np.float64]) -> float | None:
    """Return the weighted mean, ``None`` unless every value is defined."""
    return to_json(weighted_mean([nan if v is None else v for v in values], weights)) if values else None


def _groups(results: _Results) -> dict[str, Any]:
    extra = results.grid.extra
    facts: dict[str, list[Any]] = {
        "intensity": intensity_levels(extra),
        "gender": [e.get("gender") for e in extra],
        "speaker": list(results.grid.speakers),
    }
    if any(FOLD in e for e in extra):
        facts["fold"] = [e.get(FOLD) for e in extra]
    return {name: _group(results, values) for name, values in facts.items()}


def _group(results: _Results, values: Sequence[Any]) -> dict[str, Any] | None:
    """Return robustness by group and the gaps between groups; ``None`` for fewer than two groups."""
    names = sorted({str(value) for value in values if value is not None})
    if len(names) < 2:
        return None
    code = {name: g for g, name in enumerate(names)}
    groups = np.array([-1 if value is None else code[str(value)] for value in values], dtype=np.int64)
    found = results.group_robustness(groups, len(names))
    counts = np.bincount(groups[groups >= 0], minlength=len(names))
    return {
        "groups": {
            name: {"n": int(n), "robustness": scores}
            for name, n, scores in zip(names, counts, found, strict=True)
        },
        "gap": {
            metric: {p: _gap([scores[metric][p] for scores in found]) for p in ("clean", "noisy", "drop")}
            for metric in GROUP_METRICS
        },
    }


def _gap(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return max(defined) - min(defined) if len(defined) == len(values) else None


def intensity_levels(extra: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Return the expressed intensity of samples with these further facts, ``None`` where nobody knows it.

    Named levels stay as they are, a continuous scale is divided into thirds.
    """
    values = [facts.get("intensity") for facts in extra]
    numbers = [v for v in values if isinstance(v, float)]
    if not numbers:
        return values
    edges = np.quantile(numbers, [1 / 3, 2 / 3])
    thirds = ("1 low", "2 middle", "3 high")
    return [thirds[np.searchsorted(edges, v)] if isinstance(v, float) else None for v in values]
