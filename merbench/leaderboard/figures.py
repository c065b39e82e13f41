"""From a record's answers to what a board shows; the figures themselves are made by `evaluation.summary`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from merbench.evaluation.metrics import SUMMARY_METRICS
from merbench.evaluation.summary import NOT_APPLICABLE, summarise
from merbench.leaderboard.row import Figures
from merbench.record.store import as_run
from merbench.statistics.intervals import LEVEL, single_interval
from merbench.statistics.panel import OVERALL, make_panel

if TYPE_CHECKING:
    import pyarrow as pa

    from merbench.record.facts import Record
    from merbench.statistics.panel import Panel

INTERVALS = 1
"""Version of how the intervals are made; raised when `merbench.statistics` changes what they are."""

_CLEAN = (*SUMMARY_METRICS, "ece", "out_of_set_rate", "parse_failure_rate")
_QUANTITIES = ("clean", "noisy", "drop")


def compute_figures(record: Record, rows: pa.Table, metric: str) -> Figures:
    """Return the figures of a record's answers.

    Args:
        record: whose suite the answers are of.
        rows: the answers.
        metric: the board's, which gets the intervals.

    Raises:
        MerbenchError: the answers are not a full grid of the suite's cells.
    """
    summary = summarise(
        rows, record.cells, record.suite.classes, text_informative=record.suite.text_informative
    )
    panel = make_panel([[as_run(record.model.name, record, rows)]])
    noisy = panel.of_kind("overall")
    clean = next(cell for cell in summary["cells"] if cell["corruption"] == "clean")["metrics"]
    skipped = {cell["corruption"] for cell in summary["cells"] if cell["status"] == NOT_APPLICABLE}
    method = single_interval(panel, 0, metric=metric, quantity="clean")
    figures = {
        "clean": {name: clean[name] for name in _CLEAN},
        "overall": summary["overall"],
        "overall_spread": _spread(panel, metric, OVERALL if noisy else None),
        "families": [
            {**entry, "spread": _spread(panel, metric, entry["family"])} for entry in summary["families"]
        ],
        "corruptions": [
            {
                **{key: value for key, value in entry.items() if key != "severities"},
                "severities": [
                    {"severity": point["severity"], "robustness": point["robustness"]}
                    for point in entry["severities"]
                ],
            }
            for entry in summary["corruptions"]
        ],
        "worst_corruption": summary["worst_corruption"],
        "not_applicable": sorted(skipped),
        "intervals": {
            "version": INTERVALS,
            "metric": metric,
            "level": LEVEL,
            "unit": method.unit,
            "units": method.n_units,
            "method": method.method,
        },
    }
    return Figures.model_validate(figures)


def _spread(panel: Panel, metric: str, scope: str | None) -> dict[str, Any]:
    """Return the intervals over a scope; of nothing but clean where no noise applied."""
    return {
        quantity: _interval(panel, metric, quantity, scope)
        if scope is not None or quantity == "clean"
        else {"low": None, "high": None}
        for quantity in _QUANTITIES
    }


def _interval(panel: Panel, metric: str, quantity: Any, scope: str | None) -> dict[str, float | None]:
    found = single_interval(panel, 0, metric=metric, quantity=quantity, scope=scope or OVERALL)
    return {"low": found.low, "high": found.high}
