"""Scores against the labels that people gave to the corrupted clips (`merbench.suites.overlay`).

Both figures are over the same answers to the same clips, so that what moves between them is the label
alone. A clip on which people do not agree on one label, or whose new label is none of the scored
classes, is in neither and is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from merbench.evaluation import metrics
from merbench.evaluation.metrics import NAMES, SUMMARY_METRICS, confusion_matrix, to_json
from merbench.suites.overlay import winner
from merbench.tables import Row, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from merbench.evaluation.grid import Grid
    from merbench.suites.overlay import Overlay, Votes


def score_relabelled(grid: Grid, classes: Sequence[str], overlay: Overlay) -> list[dict[str, Any]]:
    """Return, per cell with new labels, the scores against the old and against the new ones.

    Each entry has ``cell_id``, ``corruption``, ``severity``; ``n`` clips scored, ``undecided`` and
    ``outside`` ones left out; ``changed``, the share of the n whose label is another one; ``original`` and
    ``relabelled``, the summary metrics; and ``ratings``: how many there are, and which share of them,
    averaged over clips, the model's answer and the majority's label meet. The latter is the best that any
    single answer can do.
    """
    return [
        _score_cell(grid, k, classes, overlay.votes[cell.cell_id])
        for k, cell in enumerate(grid.cells)
        if cell.cell_id in overlay.votes
    ]


def _score_cell(grid: Grid, k: int, classes: Sequence[str], votes: Mapping[str, Votes]) -> dict[str, Any]:
    cell = grid.cells[k]
    there = [(i, votes[id], winner(votes[id])) for i, id in enumerate(grid.ids) if id in votes]
    kept = [(i, given, classes.index(label)) for i, given, label in there if label in classes]
    rows = np.array([i for i, _, _ in kept], dtype=np.int64)
    new = np.array([label for _, _, label in kept], dtype=np.int64)
    old, answer = grid.truth[rows], grid.answer[k, rows]
    answered = [[*classes, ""][code] for code in answer]
    shares = [
        (given.get(name, 0) / sum(given.values()), max(given.values()) / sum(given.values()))
        for (_, given, _), name in zip(kept, answered, strict=True)
    ]
    met = np.array(shares).reshape(-1, 2).mean(axis=0) if shares else (np.nan, np.nan)
    return {
        "cell_id": cell.cell_id,
        "corruption": cell.corruption,
        "severity": cell.severity,
        "n": len(kept),
        "undecided": sum(label is None for _, _, label in there),
        "outside": sum(label is not None and label not in classes for _, _, label in there),
        "changed": to_json(float((old != new).mean()) if kept else np.nan),
        "original": _scores(old, answer, len(classes)),
        "relabelled": _scores(new, answer, len(classes)),
        "ratings": {
            "n": sum(sum(given.values()) for _, given, _ in kept),
            "model": to_json(float(met[0])),
            "majority": to_json(float(met[1])),
        },
    }


def _scores(
    truth: npt.NDArray[np.int64], answer: npt.NDArray[np.int64], classes: int
) -> dict[str, float | None]:
    values = metrics.scalars(confusion_matrix(truth, answer[None], classes))
    return {name: to_json(values[name][0]) for name in SUMMARY_METRICS}


def relabelled_table(result: Mapping[str, Any], metric: str) -> Table:
    """Return a run's scores, by a metric of labels, against old and new ones."""

    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:z.3f}"

    name = NAMES[metric]
    return Table(
        name="relabelled",
        title="The same answers against the labels of the clean clips and against new labels",
        columns=("cell", "n", "tied", "changed", f"{name} old", f"{name} new", "ratings met", "at best"),
        rows=tuple(
            Row(
                (
                    cell["cell_id"],
                    str(cell["n"]),
                    str(cell["undecided"]),
                    number(cell["changed"]),
                    number(cell["original"][metric]),
                    number(cell["relabelled"][metric]),
                    number(cell["ratings"]["model"]),
                    number(cell["ratings"]["majority"]),
                )
            )
            for cell in result["relabelled"]["cells"]
        ),
        caption="tied = left out, for people do not agree on one label; changed = share of clips with "
        "another label; ratings met = share of people who agree with the answer; at best = with the majority",
    )
