"""The report as one HTML page that needs nothing else: no network, no fonts, no libraries."""

from __future__ import annotations

import json
from html import escape
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING

from merbench.evaluation.metrics import NAMES, SUMMARY_METRICS
from merbench.report import _answer_figures as answers
from merbench.report import _score_figures as scores
from merbench.report import _tables as tables
from merbench.report._attacks import attack_reliability
from merbench.report._drawing import Dots, Drawing, svg
from merbench.report._palette import DARK, LIGHT, series

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from merbench.report._figure import Figure
    from merbench.report._study import Study
    from merbench.tables import Table


_NAMED = 3  # models that are named in the title


def page(study: Study, metric: str, failures: str) -> str:
    """Return the page.

    Args:
        study: the runs.
        metric: the metric that is shown first.
        failures: the section of the failures to inspect, as HTML.
    """
    models = [model.name for model in study.models]
    names = ", ".join(models) if len(models) <= _NAMED else f"{len(models)} models"
    title = f"Robustness of {names} on {study.panel.data['dataset']}"
    sections = [*_sections(study, metric), ("failures", "Failures to inspect", failures)]
    sections.append(("provenance", "Where the figures come from", tables.provenance(study).html()))
    links = "".join(f'<li><a href="#{name}">{escape(title)}</a></li>' for name, title, _ in sections)
    body = "".join(
        f'<section id="{name}" aria-labelledby="{name}-title">'
        f'<h2 id="{name}-title">{escape(heading)}</h2>{inner}</section>'
        for name, heading, inner in sections
    )
    resources = files("merbench.report")
    style = (resources / "page.css").read_text(encoding="utf-8")
    script = (resources / "page.js").read_text(encoding="utf-8")
    choices = "".join(
        f'<option value="{m}"{" selected" if m == metric else ""}>{NAMES[m]}</option>'
        for m in SUMMARY_METRICS
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="merbench {version("merbench")}">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>
{_themes()}{_shown()}{style}</style>
</head>
<body data-metric="{metric}">
<a class="skip" href="#overview">Skip to the figures</a>
<header><strong>merbench report</strong>
<label data-script>Metric <select id="metric" autocomplete="off">{choices}</select></label>
<button data-script id="theme" type="button">Light / dark</button></header>
<main>
<h1>{escape(title)}</h1>
<p class="lead">{escape(_lead(study))}</p>
{_warnings(study)}
<nav aria-label="Sections"><ul>{links}</ul></nav>
{body}
<footer>Written by merbench {version("merbench")} from predictions and nothing else.
Licence of the data: {escape(study.panel.data["licence"])}.</footer>
</main>
<div id="tip" role="status" hidden></div>
<script>
{script}</script>
</body>
</html>
"""


def _lead(study: Study) -> str:
    panel = study.panel
    units = f"{len(panel.units)} {panel.units.name}s"
    cells = f"{len(panel.cells) - 1} corrupted cells of {len(study.variants)} corruptions"
    return f"{tables.data_title(study)}, {units}, {len(panel.classes)} classes; {cells} and the clean one."


def _warnings(study: Study) -> str:
    """Return what a reader must know before believing any figure."""
    found = [
        f"{model.name}: {mark['kind']} ({mark['why']})"
        for model in study.models
        for mark in model.result["marks"]
    ]
    found += [
        f"{name} does not read {' and '.join(families)}: overall figures do not compare with models that do."
        for name, families in study.unread.items()
    ]
    found += [f"{name}: not applicable, {why}." for name, why in study.left_out.items()]
    items = "".join(f"<li>{escape(one)}</li>" for one in found)
    return f'<div class="warn" role="note"><ul>{items}</ul></div>' if found else ""


def _sections(study: Study, metric: str) -> Iterator[tuple[str, str, str]]:
    yield (
        "overview",
        "Overview",
        _by_metric(tables.overview(study, m).html(sortable=True) for m in SUMMARY_METRICS),
    )
    for make in (
        scores.severity_curves,
        scores.heat_maps,
        scores.family_overview,
        scores.clean_against_noisy,
    ):
        drawn = [make(study, m) for m in SUMMARY_METRICS]
        inner = _by_metric(_figure(figure, study) for figure in drawn)
        yield drawn[0].name, drawn[0].title, inner
    yield "confusions", "Confusions", _confusions(study, metric)
    yield "recall", "Recall by class and group", _recalls(study)
    figure = answers.reliability_diagrams(study)
    yield figure.name, figure.title, _figure(figure, study) + _more(tables.calibration(study))
    if (attacks := attack_reliability(study)) is not None:
        yield "attacks", "Attack reliability", attacks.html(sortable=True)
    yield "scores", "All scores", "".join(_more(table) for table in tables.scores(study, metric))
    yield "cost", "Cost", tables.cost(study).html(sortable=True)


def _by_metric(variants: Iterable[str]) -> str:
    parts = zip(SUMMARY_METRICS, variants, strict=True)
    return "".join(f'<div data-for="{metric}">{inner}</div>' for metric, inner in parts)


def _figure(figure: Figure, study: Study, *, caption: bool = True) -> str:
    told = f'<figcaption class="caption">{escape(figure.caption)}</figcaption>' if caption else ""
    kind = {1: " one", 2: " pairs"}.get(figure.columns, "")
    panels = "".join(svg(panel) for panel in figure.panels)
    return (
        f"<figure>{told}{_legend(study) if figure.legend else ''}"
        f'<div class="panels{kind}">{panels}</div></figure>'
    )


def _legend(study: Study) -> str:
    items = []
    for model in study.models:
        key = Drawing(14, 14, model.name, [Dots(((7, 7),), model.slot, series(model.slot), 4)])
        marker = svg(key).replace(' role="img" tabindex="0"', ' aria-hidden="true"')
        items.append(f"<li>{marker}<span>{escape(model.name)}</span></li>")
    return f'<ul class="legend">{"".join(items)}</ul>'


def _more(table: Table) -> str:
    """Return a table that is folded away until it is asked for."""
    return f"<details><summary>{escape(table.title)}</summary>{table.html(sortable=True)}</details>"


def _confusions(study: Study, metric: str) -> str:
    """Return the confusions with a choice of cells; the one with the largest mean drop is shown first."""
    cells = [k for k in range(len(study.panel.cells)) if k != study.panel.clean]
    worst = answers.worst_cell(study, metric)
    options = "".join(
        f"<option{' selected' if k == worst else ''}>{escape(study.cell_titles[k])}</option>" for k in cells
    )
    data = {
        "classes": study.classes,
        "names": [model.name for model in study.models],
        "cells": [study.cell_titles[k] for k in cells],
        "counts": [[study.confusion[m.slot, k].ravel().tolist() for k in cells] for m in study.models],
    }
    figure = _figure(answers.confusions(study, worst), study)
    figure = figure.replace('<div class="panels', '<div id="confusions-panels" class="panels')
    return (
        "<label data-script>Compare clean with "
        f'<select id="cell" autocomplete="off">{options}</select></label>{figure}'
        f'<script type="application/json" id="confusion-counts">{_json(data)}</script>'
    )


def _recalls(study: Study) -> str:
    """Return recall by class and UAR by every group, one below the other."""
    parts = []
    for group in ("class", *study.groups):
        figure = answers.recalls(study, group)
        parts.append(f"<h3>{escape(figure.title)}</h3>")
        parts.append(
            _figure(figure, study, caption=group == "class") + _more(tables.recall_table(study, group))
        )
    return "".join(parts)


def _json(value: object) -> str:
    """Return JSON that cannot end the script element that holds it, whatever its texts are."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _themes() -> str:
    """Return the colours as CSS variables; paper is always light."""

    def variables(colours: Mapping[str, str]) -> str:
        return "".join(f"--{name}:{colour};" for name, colour in colours.items())

    light, dark = variables(LIGHT), variables(DARK)
    return (
        f":root{{{light}color-scheme:light}}\n"
        f"@media screen{{:root[data-theme=dark]{{{dark}color-scheme:dark}}\n"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}color-scheme:dark}}}}}}\n"
    )


def _shown() -> str:
    """Return the rules by which only the chosen metric's figures are shown."""
    return "".join(
        f"body[data-metric={m}] [data-for]:not([data-for={m}]){{display:none}}\n" for m in SUMMARY_METRICS
    )
