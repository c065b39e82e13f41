"""A summary as a table: for a terminal, for a log file, for a README.

One row per corruption and severity, then the means; the clean score stands beside every drop, because
a model that is always wrong drops by nothing. What a reader must know before believing a row
(contaminated, out of domain) is in the title, not in a footnote that gets lost.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from merbench.errors import MerbenchError
from merbench.evaluation.metrics import SUMMARY_METRICS
from merbench.evaluation.summary import NOT_APPLICABLE, Robustness

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.table import Table

    Summary = Mapping[str, Any]

_NAMES = {"uar": "UAR", "accuracy": "acc", "macro_f1": "F1", "weighted_f1": "wF1"}
_NOTE = "drop = clean - noisy; kept = noisy / clean"
_MEANS = "means over severities, then corruptions, then families"
_UNDEFINED = "-"


@dataclass(frozen=True, slots=True)
class _Row:
    """One line: its cells, and whether a rule is drawn above it."""

    cells: tuple[str, ...]
    starts_section: bool = False


def render(result: Mapping[str, Any], *, metric: str = SUMMARY_METRICS[0]) -> Table:
    """Return a table for a rich console.

    Args:
        result: a run's ``result.json``.
        metric: the metric with clean, noisy, drop and retention, one of `SUMMARY_METRICS`.

    Raises:
        MerbenchError: there is no such metric.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(_title(result)),
        caption=Text(_caption(result["metrics"])),
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        title_justify="left",
        caption_justify="left",
    )
    name, *figures = _header(metric)
    table.add_column(name, overflow="fold")
    for heading in figures:
        table.add_column(heading.replace(" ", "\n"), justify="right", no_wrap=True)
    for row in _rows(result["metrics"], metric):
        if row.starts_section:
            table.add_section()
        table.add_row(*map(Text, row.cells))
    return table


def to_text(result: Mapping[str, Any], *, metric: str = SUMMARY_METRICS[0], width: int = 100) -> str:
    """Return the table as plain text, at most `width` columns wide."""
    from rich.console import Console

    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None, force_terminal=False, highlight=False)
    console.print(render(result, metric=metric))
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def to_markdown(result: Mapping[str, Any], *, metric: str = SUMMARY_METRICS[0]) -> str:
    """Return the table in GitHub-flavoured Markdown."""
    header = _header(metric)
    rule = ("---", *["---:"] * (len(header) - 1))
    rows = (header, rule, *(row.cells for row in _rows(result["metrics"], metric)))
    lines = [f"| {' | '.join(cells)} |" for cells in rows]
    return "\n".join([f"**{_title(result)}**", "", *lines, "", _caption(result["metrics"]), ""])


def _title(result: Mapping[str, Any]) -> str:
    data, n = result["data"], result["metrics"]["n"]
    split = f" ({data['split']})" if data["split"] else ""
    marks = "".join(f"; {mark['kind'].upper()}: {mark['why']}" for mark in result["marks"])
    return f"{result['model']['name']} on {data['dataset']}{split}, {n} samples{marks}"


def _caption(summary: Summary) -> str:
    parts = [_NOTE, _MEANS]
    if summary["unscored"]:
        parts.append(f"{summary['unscored']} samples have a label outside {', '.join(summary['classes'])}")
    draws = {len(s["cells"]) for corruption in summary["corruptions"] for s in corruption["severities"]}
    if draws and draws != {1}:
        parts.append(f"up to {max(draws)} draws averaged")
    return "; ".join(parts)


def _others(metric: str) -> list[str]:
    return [name for name in ("uar", "accuracy", "macro_f1") if name != metric]


def require_metric(metric: str) -> None:
    """Check that a table can show this metric; a long run asks before it starts.

    Raises:
        MerbenchError: there is no such metric.
    """
    if metric not in SUMMARY_METRICS:
        raise MerbenchError(
            f"there is no metric '{metric}'", fix=f"choose one of {', '.join(SUMMARY_METRICS)}"
        )


def _header(metric: str) -> tuple[str, ...]:
    require_metric(metric)
    name = _NAMES[metric]
    return (
        "corruption",
        "sev",
        "n",
        f"{name} clean",
        "noisy",
        "drop",
        "kept",
        *(_NAMES[m] for m in _others(metric)),
    )


def _rows(summary: Summary, metric: str) -> Iterator[_Row]:
    n = str(summary["n"])
    clean = next(cell for cell in summary["cells"] if cell["corruption"] == "clean")["metrics"]
    figures = [clean[name] for name in (metric, *_others(metric))]
    yield _Row(("clean", "0", n, _number(figures[0]), "", "", "", *map(_number, figures[1:])))
    for entry, name in zip(summary["corruptions"], _variant_names(summary["corruptions"]), strict=True):
        for i, severity in enumerate(entry["severities"]):
            cells = _figures(severity["robustness"], metric)
            yield _Row((name if i == 0 else "", str(severity["severity"]), n, *cells), starts_section=i == 0)
        if len(entry["severities"]) > 1:
            yield _Row(("", "mean", n, *_figures(entry["robustness"], metric)))
    for name, severities, why in _left_out(summary):
        blank = [""] * (len(_header(metric)) - 2)
        yield _Row((f"{name}: {NOT_APPLICABLE}, {why}", severities, *blank), starts_section=True)
    for i, family in enumerate(summary["families"]):
        cells = _figures(family["robustness"], metric)
        yield _Row((f"all of {family['family']}", "", n, *cells), starts_section=i == 0)
    if summary["families"]:
        yield _Row(("overall", "", n, *_figures(summary["overall"], metric)))


def _left_out(summary: Summary) -> Iterator[tuple[str, str, str]]:
    """Yield corruption, severities and reason of the cells that are not applicable."""
    found: dict[tuple[str, str], list[str]] = {}
    for cell in summary["cells"]:
        if cell["status"] == NOT_APPLICABLE:
            found.setdefault((cell["corruption"], cell["why"]), []).append(str(cell["severity"]))
    for (name, why), severities in found.items():
        yield name, ",".join(dict.fromkeys(severities)), why


def _figures(robustness: Robustness, metric: str) -> tuple[str, ...]:
    score = robustness[metric]
    kept = score["retention"]
    return (
        *(_number(score[part]) for part in ("clean", "noisy", "drop")),
        _UNDEFINED if kept is None else f"{100 * kept:.0f}%",
        *(_number(robustness[name]["noisy"]) for name in _others(metric)),
    )


def _number(value: float | None) -> str:
    return _UNDEFINED if value is None else f"{value:z.3f}"


def _variant_names(corruptions: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return each corruption's name, with the options in which it differs from its namesakes."""
    names = []
    for entry in corruptions:
        namesakes = [other["options"] for other in corruptions if other["corruption"] == entry["corruption"]]
        told = [
            f"{key}={_plain(value)}"
            for key, value in entry["options"].items()
            if any(options.get(key) != value for options in namesakes)
        ]
        names.append(f"{entry['corruption']} {','.join(told)}".rstrip())
    return names


def _plain(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)
