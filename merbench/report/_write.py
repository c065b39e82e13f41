"""From run folders to a page, its figures and its tables on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from merbench.errors import MerbenchError
from merbench.evaluation.table import require_metric
from merbench.files import atomic
from merbench.report import _answer_figures as answers
from merbench.report import _score_figures as scores
from merbench.report._drawing import png, svg
from merbench.report._failures import worst_failures
from merbench.report._failures_html import failures_section, key_of
from merbench.report._figure import joined
from merbench.report._media import (
    ADVERSARIAL,
    Pair,
    pairs_from_plan,
    pairs_from_suite,
    plan_of,
    recipe_with_attacks,
)
from merbench.report._page import page
from merbench.report._palette import LIGHT
from merbench.report._study import read_study
from merbench.report._tables import all_tables
from merbench.suites.store import Suite
from merbench.tables import SUFFIX
from merbench.types import MediaSpec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from merbench.report._failures import Failure
    from merbench.report._figure import Figure
    from merbench.report._study import Study
    from merbench.tables import Format


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """Whether a report holds media, and where to get them.

    `wanted` is ``None`` for "if the licence allows it and they are here". `suite` is the built suite
    that the runs answered; without it the cells are made anew from the dataset at `root`.
    """

    wanted: bool | None = None
    suite: Path | None = None
    root: Path | None = None
    noise_root: Path | None = None
    face_detector: Path | None = None
    spec: MediaSpec = field(default_factory=MediaSpec)


def write_report(
    runs: Sequence[Path],
    out: Path,
    *,
    metric: str = "uar",
    unit: str | None = None,
    media: Media | None = None,
    figures_folder: Path | None = None,
    tables_folder: Path | None = None,
) -> list[str]:
    """Write one self-contained HTML page about 1 to 10 runs, and on request its figures and tables.

    Args:
        runs: folders written by ``merbench eval``, over the same suite.
        out: the page.
        metric: the metric shown first, one of `merbench.evaluation.metrics.SUMMARY_METRICS`.
        unit: the unit of analysis of the intervals, by default the dataset card's.
        media: whether the failures come with media, and from where.
        figures_folder: where every figure goes as SVG and PNG.
        tables_folder: where every table goes as CSV and LaTeX.

    Returns:
        What the reader of the page should be told, one line each.

    Raises:
        MerbenchError: the runs do not match, or media were asked for and cannot be made.
        WriteError: the disk refuses.
    """
    require_metric(metric)
    study = read_study(runs, unit=unit)
    failures = worst_failures(study)
    pairs, private, why_not = _pairs(study, failures, media or Media())
    section = failures_section(study, failures, pairs, private=private, why_not=why_not)
    with atomic(out) as handle:
        handle.write(page(study, metric, section).encode())
    if figures_folder is not None:
        write_figures(study, metric, figures_folder)
    if tables_folder is not None:
        write_tables(study, metric, tables_folder, ("csv", "latex"))
    return [f"no media: {why_not}"] if why_not else []


def all_figures(study: Study, metric: str) -> tuple[Figure, ...]:
    """Return every figure of a report for one metric."""
    return (
        scores.severity_curves(study, metric),
        scores.heat_maps(study, metric),
        scores.family_overview(study, metric),
        scores.clean_against_noisy(study, metric),
        answers.confusions(study, answers.worst_cell(study, metric)),
        *(answers.recalls(study, group) for group in ("class", *study.groups)),
        answers.reliability_diagrams(study),
    )


def write_figures(study: Study, metric: str, folder: Path) -> None:
    """Write every figure as SVG and as PNG, on white."""
    for figure in all_figures(study, metric):
        sheet = joined(figure, study.models)
        for suffix, data in ((".svg", svg(sheet, LIGHT).encode()), (".png", png(sheet))):
            with atomic(folder / f"{figure.name}{suffix}") as handle:
                handle.write(data)


def write_tables(study: Study, metric: str, folder: Path, forms: Sequence[Format]) -> None:
    """Write every table in some formats."""
    for table in all_tables(study, metric):
        for form in forms if table.name != "intervals" else ("csv",):
            with atomic(folder / f"{table.file_name}{SUFFIX[form]}") as handle:
                handle.write(table.to(form).encode())


def _pairs(
    study: Study, failures: Sequence[Failure], media: Media
) -> tuple[dict[tuple[str, str], Pair], bool, str]:
    """Return the failures' media, whether they are private, and why there are none, or which are missing."""
    restricted = bool(study.panel.data["restricted"])
    if media.wanted is False:
        return {}, False, "left out on request"
    if restricted and not media.wanted:
        return (
            {},
            False,
            "the licence of the data forbids passing them on; --media adds them for your own eyes",
        )
    natural = [one for one in failures if study.panel.cells[one.cell].family != ADVERSARIAL]
    wanted = [key_of(study, failure) for failure in natural]
    attacked = "those under attack, which were made against the model while it was scored"
    without = attacked if len(natural) < len(failures) else ""
    try:
        if media.suite is not None:
            suite = Suite.open(media.suite)
            _require_same_suite(study, suite)
            return pairs_from_suite(suite, wanted, mark=restricted), restricted, without
        summary = study.models[0].summary
        plan = plan_of(
            study.models[0].result,
            size=summary["n"] + summary["unscored"],
            media=media.spec,
            root=media.root,
            noise_root=media.noise_root,
            face_detector=media.face_detector,
        )
        return pairs_from_plan(plan, wanted, mark=restricted), restricted, without
    except MerbenchError as error:
        if media.wanted:
            raise
        return {}, False, str(error)


def _require_same_suite(study: Study, suite: Suite) -> None:
    result = study.models[0].result
    recipe = result["recipe_id"]
    if recipe_with_attacks(suite.recipe_id, result) != recipe:
        raise MerbenchError(
            f"{suite.folder} is the suite {suite.recipe_id[:12]}, and the runs answered {recipe[:12]}",
            fix="give the suite that the runs were evaluated on",
        )
