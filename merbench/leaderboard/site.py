"""The pages of a leaderboard: an index, a page per entry, and the rows as data.

The pages need no server, no network and no library. Names and texts come from strangers: templates escape
everything, data are embedded as JSON that cannot end its element, links must be http(s), and the content
security policy lets no script run but the page's own.
"""

from __future__ import annotations

import json
from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import merbench
from merbench.evaluation.metrics import NAMES
from merbench.evaluation.robustness import nested_weights, weighted_mean
from merbench.evaluation.table import variant_names
from merbench.files import atomic
from merbench.leaderboard.board import open_board, require_place, require_same_suite, row_files, row_name
from merbench.leaderboard.drawings import family_intervals, severity_curves
from merbench.leaderboard.row import Row
from merbench.leaderboard.verify import flags_of
from merbench.record.reading import read_record
from merbench.report._palette import DARK, LIGHT, drop_step, text_on
from merbench.types import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jinja2 import Environment

    from merbench.leaderboard.row import Board, CorruptionFigures, Interval

_PAGES = Path(__file__).with_name("pages")
_PICKED = 5
"""Models whose curves the index draws at first."""

_FULL = 0.4
"""The drop that gets the darkest colour, unless there is a larger one."""

_NOISE = "noise"
"""The name of all families together."""

_CITATION = """@software{{merbench,
  title   = {{merbench: robustness benchmarks for multimodal emotion recognition}},
  author  = {{{{The merbench authors}}}},
  version = {{{version}}},
  year    = {{2026}}
}}"""


def build_site(folders: Sequence[Path], out: Path) -> int:
    """Write the pages of these boards into `out`, and return how many entries they have.

    Rows are read and held against their board's suite; whether they follow from their answers is for
    `merbench.leaderboard.verify`.

    Raises:
        MerbenchError: a board or a row cannot be read, or a row is of another suite.
    """
    boards = [_read(folder) for folder in folders]
    shown = [_shown(board, rows) for board, rows in boards]
    recipes = {row["recipe"] for board in shown for row in board["rows"]} - {None}
    families = dict.fromkeys(family for board in shown for family in board["families"])
    _write(
        out / "index.html",
        "index.html",
        home="",
        boards=shown,
        picked=_PICKED,
        families=list(families),
        recipes=sorted(recipes),
        metrics=NAMES,
        data=_embedded(shown),
        script=_raw(_script()),
    )
    for board, rows in boards:
        for row in rows:
            _write(out / _address(row), "entry.html", home="../", **_entry(board, row))
    _save(out / "data.json", f"[{','.join(_data(board, rows) for board, rows in boards)}]")
    return sum(len(rows) for _, rows in boards)


def _data(board: Board, rows: Sequence[Row]) -> str:
    """Return a board as JSON; its suite is said once, and not in every row again."""
    each = ",".join(row.model_dump_json(exclude={"suite"}) for row in rows)
    return f'{{"board":{board.model_dump_json()},"rows":[{each}]}}'


def _read(folder: Path) -> tuple[Board, list[Row]]:
    """Return a board and its rows, the best first."""
    board = open_board(folder)
    rows = []
    for path in row_files(folder):
        row = read_record(path, Row)
        require_place(path, row, board)
        require_same_suite(row.suite, board.suite, str(path))
        rows.append(row)
    return board, sorted(
        rows, key=lambda row: (-(row.figures.overall[board.metric].noisy or 0), row.model.name)
    )


def _address(row: Row) -> str:
    return f"{row.board}/{row_name(row.model)}.html"


def _shown(board: Board, rows: Sequence[Row]) -> dict[str, Any]:
    """Return what the index says about a board; all of it is plain JSON."""
    suite = board.suite
    drops = [f.robustness[board.metric].drop or 0.0 for row in rows for f in row.figures.families]
    first = rows[0].figures.intervals if rows else None
    return {
        "name": board.name,
        "title": board.title,
        "about": board.about,
        "metric": board.metric,
        "evaluate": board.evaluate,
        "samples": suite.samples,
        "cells": len(suite.cells),
        "classes": suite.classes,
        "chance": 1 / len(suite.classes),
        "unit": suite.unit if first is None else first.unit,
        "units": 0 if first is None else first.units,
        "level": 0.95 if first is None else first.level,
        "licence": suite.licence,
        "content_root": suite.content_root or "",
        "families": list(dict.fromkeys(f.family for row in rows for f in row.figures.families)),
        "largest": max([*drops, _FULL]),
        "rows": [_summary(row, board.metric) for row in rows],
    }


def _summary(row: Row, metric: str) -> dict[str, Any]:
    """Return what the index says about a row: by metric and family (or all noise) its scores and curve."""
    figures = row.figures
    scopes = {_NOISE: (figures.overall, figures.overall_spread, figures.corruptions)}
    for family in figures.families:
        inside = [corruption for corruption in figures.corruptions if corruption.family == family.family]
        scopes[family.family] = (family.robustness, family.spread, inside)
    scores: dict[str, dict[str, Any]] = {name: {} for name in NAMES}
    for scope, (robustness, spread, corruptions) in scopes.items():
        curves = _curves(corruptions)
        for name, score in robustness.items():
            scores[name][scope] = {
                "clean": _round(score.clean),
                "noisy": _round(score.noisy),
                "drop": _round(score.drop),
                "kept": _round(score.retention),
                "low": _round(spread.noisy.low) if name == metric else None,
                "high": _round(spread.noisy.high) if name == metric else None,
                "curve": [_round(value) for value in (score.clean, *curves[name])],
            }
    return {
        "name": row.model.name,
        "href": _address(row),
        "recipe": row.statement.recipe,
        "uses": row.model.uses,
        "marks": [mark.model_dump() for mark in row.marks],
        "scores": scores,
    }


def _curves(corruptions: Sequence[CorruptionFigures]) -> dict[str, list[float | None]]:
    """Return every metric at severity 1 to 5: corruptions averaged within families, then families."""
    curves: dict[str, list[float | None]] = {name: [] for name in NAMES}
    points = [{point.severity: point.robustness for point in c.severities} for c in corruptions]
    for severity in SEVERITIES:
        there = [i for i, at in enumerate(points) if severity in at]
        weights = nested_weights([(corruptions[i].family, corruptions[i].corruption, i) for i in there])
        for name, curve in curves.items():
            values = [points[i][severity][name].noisy for i in there]
            known = [value for value in values if value is not None]
            curve.append(weighted_mean(known, weights) if known and len(known) == len(values) else None)
    return curves


def _entry(board: Board, row: Row) -> dict[str, Any]:
    """Return what an entry's page says."""
    figures, metric = row.figures, board.metric
    names = variant_names([{"corruption": c.corruption, "options": c.options} for c in figures.corruptions])
    named = list(zip(names, figures.corruptions, strict=True))
    severities = sorted({point.severity for c in figures.corruptions for point in c.severities})
    lines = []
    for name, corruption in named:
        at = {point.severity: point.robustness[metric] for point in corruption.severities}
        lines.append((name, [at.get(severity) for severity in severities], corruption.robustness[metric]))
    drops = [score.drop for _, scores, _ in lines for score in scores if score and score.drop is not None]
    worst = figures.worst_corruption[metric]
    return {
        "board": board,
        "row": row,
        "flags": flags_of(row),
        "metric": metric,
        "metric_name": NAMES[metric],
        "worst": worst,
        "worst_name": next(
            (
                name
                for name, c in named
                if worst and (c.corruption, c.options) == (worst["corruption"], worst["options"])
            ),
            None,
        ),
        "intervals": _raw(family_intervals(figures, metric)),
        "curves": [_raw(c) for c in severity_curves(figures, names, metric, 1 / len(board.suite.classes))],
        "severities": severities,
        "lines": lines,
        "largest": max([*drops, _FULL]),
    }


def _write(path: Path, template: str, **values: Any) -> None:
    _save(path, _templates().get_template(template).render(**values))


def _save(path: Path, text: str) -> None:
    with atomic(path, durable=False) as handle:
        handle.write(text.encode())


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    found = Environment(
        loader=FileSystemLoader(_PAGES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    found.filters |= {"percent": _percent, "number": _number, "interval": _interval, "heat": _heat}
    found.globals |= {
        "style": _raw(_colours() + (_PAGES / "style.css").read_text(encoding="utf-8")),
        "script_hash": _raw(f"'sha256-{b64encode(sha256(_script().encode()).digest()).decode()}'"),
        "citation": _CITATION.format(version=merbench.__version__),
        "version": merbench.__version__,
    }
    return found


@cache
def _script() -> str:
    return (_PAGES / "index.js").read_text(encoding="utf-8")


def _colours() -> str:
    def rules(colours: Mapping[str, str]) -> str:
        return "".join(f"--{name}:{colour};" for name, colour in colours.items())

    return f":root{{{rules(LIGHT)}}}@media(prefers-color-scheme:dark){{:root{{{rules(DARK)}}}}}"


def _raw(text: str) -> Any:
    """Mark what we wrote ourselves as HTML."""
    from markupsafe import Markup

    return Markup(text)


def _embedded(value: Any) -> Any:
    """Return JSON that may stand in a script element: nothing in it can end the element."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return _raw(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:z.1f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return "no interval: one unit only"
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


def _heat(drop: float | None, largest: float) -> Any:
    if drop is None:
        return ""
    step = drop_step(drop, largest)
    return _raw(f' style="background:var(--{step});color:var(--{text_on(step)})"')
