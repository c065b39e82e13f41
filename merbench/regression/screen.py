"""What the gate found, for a terminal and for the summary of a CI job; both say the same in one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from merbench.evaluation.metrics import NAMES
from merbench.regression.words import interval_text, points
from merbench.tables import Row, Table

if TYPE_CHECKING:
    from rich.console import Group

    from merbench.regression.gate import Report

_COLOURS = {"held": "green", "regressed": "red", "could not tell": "yellow"}
_SIGNS = {"held": "✅", "regressed": "❌", "could not tell": "❔"}


def render(report: Report) -> Group:
    """Return the report for a rich console."""
    from rich.console import Group
    from rich.text import Text

    headline = Text(f"{report.verdict.upper()}: ", style=f"bold {_COLOURS[report.verdict]}")
    headline.append(f"{report.why}.\n", style="not bold default")
    return Group(headline, *(table.rich() for table in _tables(report)))


def to_markdown(report: Report) -> str:
    """Return the report in GitHub-flavoured Markdown."""
    head = f"### {_SIGNS[report.verdict]} Robustness: {report.verdict}\n\n{report.why}.\n"
    return "\n".join([head, *(table.markdown() for table in _tables(report))])


def _tables(report: Report) -> list[Table]:
    return [table for table in (_comparisons(report), _worst_cells(report), _flips(report)) if table.rows]


def _comparisons(report: Report) -> Table:
    new, old = report.models
    media = "the same media by hash" if report.hashed else "media of one recipe, not hashed in both runs"
    rule = "any drop fails" if report.strict else f"accepted: a drop of {100 * report.tolerance:.1f} points"
    return Table(
        name="check",
        title=f"{NAMES[report.metric]} of {new} against {old}",
        columns=("", "verdict", "baseline", "new", "change", "lost", "won"),
        rows=tuple(
            Row(
                (
                    comparison.name,
                    comparison.verdict,
                    _score(comparison.before),
                    _score(comparison.after),
                    f"{points(comparison.change)} {interval_text(comparison.pointwise)}",
                    str(comparison.lost),
                    str(comparison.won),
                )
            )
            for comparison in report.comparisons
        ),
        caption=(
            f"{report.samples} samples, {report.units} {report.unit}s, paired; {media}; change in points "
            f"with its 95 % interval; lost, won: answers turned wrong, right; {rule}"
        ),
        left=2,
    )


def _worst_cells(report: Report) -> Table:
    return Table(
        name="cells",
        title="Cells that fell most",
        columns=("cell", "baseline", "new", "change"),
        rows=tuple(
            Row((cell.cell_id, _score(cell.before), _score(cell.after), points(cell.after - cell.before)))
            for cell in report.worst_cells
        ),
    )


def _flips(report: Report) -> Table:
    return Table(
        name="samples",
        title=f"Samples lost in most of their {report.cells} cells",
        columns=("sample", "label", "answer now", "lost", "won"),
        rows=tuple(
            Row((flip.sample_id, flip.label, flip.answer, str(flip.lost), str(flip.won)))
            for flip in report.flips
        ),
        left=3,
    )


def _score(value: float) -> str:
    return f"{value:.3f}"
