"""A comparison as tables: every line with its estimand, unit, n and assumption.

In a terminal these are a letter that the caption spells out; with `wide` they are columns of their own,
for files that are read by programs or shown on a page.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from merbench.evaluation.metrics import NAMES
from merbench.statistics.classical import NAIVE, NAIVE_ASSUMPTION
from merbench.statistics.words import counted, points
from merbench.tables import Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from merbench.statistics.classical import Friedman
    from merbench.statistics.compare import Comparison, Contrast, Figures
    from merbench.statistics.intervals import Interval
    from merbench.statistics.mixed import Regression
    from merbench.statistics.ranking import Ranking

_UNDEFINED = "-"


@dataclass(frozen=True, slots=True)
class _Basis:
    """What lines rest on: spelt out in every line, or as a letter with a legend."""

    wide: bool
    known: dict[tuple[str, str, str, str], str] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        return ("estimand", "units", "n", "assumption") if self.wide else ("basis",)

    def cells(self, estimand: str, n_units: int, unit: str, n: int, assumption: str) -> tuple[str, ...]:
        facts = (estimand, counted(n_units, unit), str(n), assumption)
        if self.wide:
            return facts
        letter = self.known.setdefault(facts, "abcdefghijklmnopqrstuvwxyz"[len(self.known)])
        return (letter,)

    def of(self, line: Interval) -> tuple[str, ...]:
        return self.cells(line.estimand, line.n_units, line.unit, line.n, line.assumption)

    def legend(self) -> list[str]:
        return [
            f"{letter}: {estimand}, {units}, n {n}; {assumption}"
            for (estimand, units, n, assumption), letter in self.known.items()
        ]


def tables(comparison: Comparison, *, wide: bool = False) -> Iterator[Table]:
    """Yield every table of a comparison: models, contrasts, and what else was asked for.

    Args:
        comparison: what was found.
        wide: whether estimand, units, n and assumption have columns of their own.
    """
    for figures in comparison.models:
        yield _model(comparison, figures, _Basis(wide))
    for contrast in comparison.contrasts:
        yield _contrast(comparison, contrast, _Basis(wide))
        if contrast.naive:
            yield _naive(comparison, contrast, _Basis(wide))
        if contrast.mcnemar:
            yield _mcnemar(contrast)
    if comparison.anova is not None:
        yield _anova(comparison, _Basis(wide))
    if comparison.hypotheses:
        yield _hypotheses(comparison)
    for ranking in comparison.rankings:
        yield _ranking(ranking, _Basis(wide))
    for regression in comparison.regressions:
        yield _regression(regression, _Basis(wide))


def across_table(found: Friedman, metric: str) -> Table:
    """Return mean ranks over datasets, best first."""
    best = min(found.mean_ranks)
    rows = [
        Row(
            (
                name,
                f"{rank:.2f}",
                "yes" if rank - best < found.critical_difference else "no",
                str(found.n_datasets),
                found.assumption,
            )
        )
        for rank, name in sorted(zip(found.mean_ranks, found.models, strict=True))
    ]
    return Table(
        "across datasets",
        f"Mean ranks over {found.n_datasets} datasets by pooled {NAMES[metric]}, 1 is best",
        ("model", "mean rank", "may be best", "datasets", "assumption"),
        tuple(rows),
        f"Friedman with Iman and Davenport's F = {found.f:.2f}, p {_p(found.p)}; mean ranks that differ by "
        f"{found.critical_difference:.2f} or more differ (Nemenyi, {found.level:.0%})",
    )


def _model(comparison: Comparison, figures: Figures, basis: _Basis) -> Table:
    rows = tuple(
        Row((line.scope if line.quantity != "clean" else "", line.quantity, _share(line), *basis.of(line)))
        for line in figures.intervals
    )
    reads = ", ".join(figures.uses) or "nothing"
    seeds = f", {len(figures.runs)} seeds" if len(figures.runs) > 1 else ""
    caption = [
        f"points of {NAMES[comparison.metric]}, {comparison.level:.0%} {figures.intervals[0].method}",
        "drop = clean - noisy, retention = noisy / clean",
        *basis.legend(),
    ]
    return Table(
        figures.model,
        f"{figures.model} on {comparison.dataset}; reads {reads}{seeds}",
        ("noise", "figure", "value", *basis.columns),
        rows,
        "; ".join(caption),
        left=2,
    )


def _share(line: Interval) -> str:
    """Return a figure in points, without a sign."""
    if line.estimate is None:
        return _UNDEFINED
    if line.low is None or line.high is None:
        return f"{100 * line.estimate:z.1f}"
    return f"{100 * line.estimate:z.1f} {_range(line.low, line.high)}"


def _range(low: float, high: float) -> str:
    return f"[{100 * low:z.1f}, {100 * high:z.1f}]"


def _contrast(comparison: Comparison, contrast: Contrast, basis: _Basis) -> Table:
    lines = [contrast.clean, *contrast.lines, *contrast.check]
    rows = []
    above: Interval | None = None
    for line in lines:
        cells = (
            line.scope if line.quantity != "clean" else "",
            "cost" if line.quantity == "drop" else line.quantity,
            points(line),
            _p(line.p),
            "" if line.p_adjusted is None else _p(line.p_adjusted),
            _UNDEFINED if line.effect is None else f"{line.effect:+z.2f}",
            *basis.of(line),
        )
        rows.append(Row(cells, above is None or (line.kind, line.estimand) != (above.kind, above.estimand)))
        above = line
    caption = [
        f"points of {NAMES[comparison.metric]}, {comparison.level:.0%} {contrast.clean.method}",
        "cost = clean - noisy",
        _how(comparison, contrast),
        "Holm over corruptions, and over families",
        "dz = difference / standard deviation of units",
        *basis.legend(),
        *(f"{family} left out: {why}" for family, why in contrast.not_compared.items()),
    ]
    return Table(
        f"{contrast.model} against {contrast.against}",
        f"{contrast.model} minus {contrast.against}",
        ("noise", "figure", "difference", "p", "Holm", "dz", *basis.columns),
        tuple(rows),
        "; ".join(caption),
        left=2,
    )


def _how(comparison: Comparison, contrast: Contrast) -> str:
    """Say where p comes from."""
    if any(n > 1 for n in contrast.clean.seeds):
        return f"p by t over {comparison.unit}s crossed with seeds"
    if comparison.estimand == "unit mean":
        return "p by paired t"
    return f"p by {'all' if comparison.exact else comparison.permutations} swaps of whole {comparison.unit}s"


def _naive(comparison: Comparison, contrast: Contrast, basis: _Basis) -> Table:
    rows = tuple(
        Row(
            (
                f"NAIVE {line.scope}",
                f"{100 * line.estimate:+z.1f}"
                + ("" if line.low is None or line.high is None else f" {_range(line.low, line.high)}"),
                _p(line.p),
                *basis.cells("NAIVE mean of cells", line.n_cells, "cell", comparison.n, NAIVE_ASSUMPTION),
            )
        )
        for line in contrast.naive
    )
    return Table(
        f"naive {contrast.model} against {contrast.against}",
        f"{NAIVE}: {contrast.model} minus {contrast.against}",
        ("noise", "difference", "p", *basis.columns),
        rows,
        "; ".join(basis.legend()),
    )


def _mcnemar(contrast: Contrast) -> Table:
    return Table(
        f"mcnemar {contrast.model} against {contrast.against}",
        f"Utterances that only one gets right: {contrast.model} against {contrast.against}",
        ("cell", "only first", "only second", "odds ratio", "p", "n"),
        tuple(
            Row(
                (
                    line.cell_id,
                    str(line.only_a),
                    str(line.only_b),
                    _UNDEFINED if line.odds_ratio is None else f"{line.odds_ratio:.2f}",
                    _p(line.p),
                    str(line.n),
                )
            )
            for line in contrast.mcnemar
        ),
        f"exact McNemar within each cell, not corrected; {contrast.mcnemar[0].assumption}",
    )


def _anova(comparison: Comparison, basis: _Basis) -> Table:
    anova = comparison.anova
    assert anova is not None
    shape = " x ".join(f"{len(levels)} {name}" for name, levels in anova.factors.items())
    rows = tuple(
        Row(
            (
                effect.name,
                _UNDEFINED if effect.f != effect.f else f"{effect.f:.2f}",
                f"{effect.df1}, {effect.df2}",
                _UNDEFINED if effect.f != effect.f else f"{effect.epsilon:.2f}",
                _p(effect.p_corrected),
                _p(effect.p_permutation),
                _UNDEFINED if effect.f != effect.f else f"{effect.partial_eta_squared:.2f}",
                *basis.cells("unit mean", anova.n_units, anova.unit, anova.n, anova.assumption),
            )
        )
        for effect in anova.effects
    )
    caption = [
        f"{NAMES[anova.metric]}; p after Greenhouse and Geisser (epsilon), and by sign-flips of whole "
        f"{anova.unit}s; eta2 is partial",
        *basis.legend(),
    ]
    return Table(
        "anova",
        f"Repeated-measures analysis of variance: {shape}",
        ("effect", "F", "df", "epsilon", "p GG", "p flip", "eta2", *basis.columns),
        rows,
        "; ".join(caption),
    )


def _hypotheses(comparison: Comparison) -> Table:
    return Table(
        "hypotheses",
        "Preset hypotheses",
        ("", "claim", "verdict", "evidence"),
        tuple(Row((h.name, h.claim, h.verdict, h.evidence)) for h in comparison.hypotheses),
        left=4,
    )


def _ranking(ranking: Ranking, basis: _Basis) -> Table:
    rows = tuple(
        Row(
            (
                entry.corruption,
                str(entry.rank),
                f"{entry.best}-{entry.worst}",
                f"{100 * entry.drop:z.1f} {_range(entry.low, entry.high)}",
                *basis.cells(ranking.estimand, ranking.n_units, ranking.unit, ranking.n, ranking.assumption),
            )
        )
        for entry in ranking.corruptions
    )
    caption = [f"drop in points of {NAMES[ranking.metric]}, {ranking.level:.0%} {ranking.method}"]
    return Table(
        f"ranking {ranking.model}",
        f"H4: what harms {ranking.model} most",
        ("corruption", "rank", "may be", "drop", *basis.columns),
        rows,
        "; ".join([*caption, *basis.legend()]),
    )


def _regression(regression: Regression, basis: _Basis) -> Table:
    odds = regression.kind == "gee"
    rows = tuple(
        Row(
            (
                term.name,
                *([f"{term.odds_ratio:.2f}"] if term.odds_ratio is not None else []),
                f"{term.estimate:+z.3f} [{term.low:z.3f}, {term.high:z.3f}]",
                _p(term.p),
                *basis.cells(
                    "accuracy", regression.n_units, regression.unit, regression.n, regression.assumption
                ),
            )
        )
        for term in regression.terms
    )
    caption = [f"{'log odds' if odds else 'accuracy'}; {regression.method}", *basis.legend()]
    return Table(
        regression.kind,
        "Right answers by model and corruption",
        ("term", *(["odds ratio"] if odds else []), "estimate", "p", *basis.columns),
        rows,
        "; ".join(caption),
    )


def _p(value: float | None) -> str:
    if value is None or value != value:
        return _UNDEFINED
    return "<.0001" if value < 0.0001 else f"{value:.4f}"
