"""Two or more models over the same suite: who is better under which noise, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from merbench.errors import MerbenchError
from merbench.evaluation.metrics import SUMMARY_METRICS
from merbench.evaluation.robustness import nested_weights
from merbench.evaluation.summary import tree_path
from merbench.statistics.anova import Anova, model_by_corruption
from merbench.statistics.classical import McNemar, NaiveT, mcnemar, naive_t
from merbench.statistics.hypotheses import MARGIN, Hypothesis, judge_presets
from merbench.statistics.intervals import LEVEL, Interval, paired_interval, require_units, single_interval
from merbench.statistics.mixed import Kind as RegressionKind
from merbench.statistics.mixed import Regression, regress
from merbench.statistics.panel import OVERALL, Panel, Scope, load_panel
from merbench.statistics.permutation import PERMUTATIONS, draw_signs, sign_flip, smallest_p, swap_test
from merbench.statistics.ranking import Ranking, rank_corruptions
from merbench.statistics.scores import ESTIMANDS, Estimand, Quantity, contributions
from merbench.types import MODALITIES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from merbench.statistics.panel import Model
    from merbench.statistics.permutation import Signs
    from merbench.statistics.scores import Floats

SCHEMA_VERSION = 1
"""Version of what ``merbench compare --json`` prints; raised when a field changes its meaning."""

Method = Literal["clustered", "naive"]
METHODS: tuple[Method, ...] = get_args(Method)

_UNDER_NOISE: tuple[Quantity, ...] = ("noisy", "drop")


@dataclass(frozen=True, slots=True)
class Figures:
    """One model's own figures over everything: clean, noisy, drop and retention, each with its interval."""

    model: str
    runs: tuple[str, ...]
    uses: tuple[str, ...]
    intervals: tuple[Interval, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "model": self.model,
            "runs": list(self.runs),
            "uses": list(self.uses),
            "intervals": [interval.to_json() for interval in self.intervals],
        }


@dataclass(frozen=True, slots=True)
class Contrast:
    """`model` minus `against` on the same samples.

    `lines` has for every scope that both read the difference under noise and the difference in drop;
    `clean` the difference without noise. `check` repeats the widest scope with the other estimand.
    `not_compared` says by family why it is left out. `floor` is the one that reads nothing, if one does.
    """

    model: str
    against: str
    clean: Interval
    lines: tuple[Interval, ...]
    check: tuple[Interval, ...]
    not_compared: dict[str, str]
    floor: str | None = None
    mcnemar: tuple[McNemar, ...] = ()
    naive: tuple[NaiveT, ...] = ()

    def pair(self, scope: str) -> tuple[Interval, Interval]:
        """Return the differences under noise and in drop of one scope."""
        noisy, drop = (
            next(line for line in self.lines if (line.scope, line.quantity) == (scope, quantity))
            for quantity in _UNDER_NOISE
        )
        return noisy, drop

    def scopes(self, *kinds: str) -> list[str]:
        """Return the names of the compared scopes of these kinds."""
        return [line.scope for line in self.lines if line.kind in kinds and line.quantity == "noisy"]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "model": self.model,
            "against": self.against,
            "clean": self.clean.to_json(),
            "lines": [line.to_json() for line in self.lines],
            "check": [line.to_json() for line in self.check],
            "not_compared": self.not_compared,
            "floor": self.floor,
            "mcnemar": [line.to_json() for line in self.mcnemar],
            "naive": [line.to_json() for line in self.naive],
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that ``merbench compare`` says; `findings` is the same in plain words."""

    dataset: str
    split: str | None
    metric: str
    estimand: Estimand
    unit: str
    n_units: int
    n: int
    cells: int
    level: float
    method: Method
    permutations: int
    exact: bool
    models: tuple[Figures, ...]
    contrasts: tuple[Contrast, ...]
    anova: Anova | None
    hypotheses: tuple[Hypothesis, ...]
    rankings: tuple[Ranking, ...]
    regressions: tuple[Regression, ...]
    warnings: tuple[str, ...]
    findings: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; its schema is described in ``docs/statistics.md``."""
        plain = ("dataset", "split", "metric", "estimand", "unit", "n_units", "n", "cells", "level", "method")
        return {
            "schema": SCHEMA_VERSION,
            **{name: getattr(self, name) for name in (*plain, "permutations", "exact")},
            **{
                name: [entry.to_json() for entry in getattr(self, name)]
                for name in ("models", "contrasts", "hypotheses", "rankings", "regressions")
            },
            "anova": None if self.anova is None else self.anova.to_json(),
            "warnings": list(self.warnings),
            "findings": list(self.findings),
        }


def compare(
    models: Sequence[Path | str] | Panel,
    *,
    unit: str | None = None,
    metric: str = SUMMARY_METRICS[0],
    estimand: Estimand = "pooled",
    level: float = LEVEL,
    permutations: int = PERMUTATIONS,
    hypotheses: bool = False,
    margin: float = MARGIN,
    method: Method = "clustered",
    regression: RegressionKind | None = None,
) -> Comparison:
    """Compare every further model with the first one.

    Args:
        models: two or more entries as `merbench.statistics.panel.load_panel` takes them, or a panel.
        unit: ``speaker``, ``dialogue``, ``session`` or ``sample``; by default the dataset card's.
        metric: one of `merbench.evaluation.metrics.SUMMARY_METRICS`.
        estimand: ``pooled`` (the figure of the tables) or ``unit mean`` (of the typical unit).
        level: of confidence; 1 - level is the error rate of tests.
        permutations: random swaps of whole units, at most; all of them where there are no more.
        hypotheses: also test the presets H1 to H4 (`merbench.statistics.hypotheses`).
        margin: what H2 allows to be lost without noise, in units of the metric.
        method: ``clustered``, or ``naive`` to reproduce papers.
        regression: also fit ``gee`` or ``mixed`` (`merbench.statistics.mixed`).

    Raises:
        MerbenchError: fewer than two models, runs that do not match, one unit only, an unknown metric,
            or a regression that few units do not bear.
    """
    from merbench.statistics.words import findings

    panel = models if isinstance(models, Panel) else load_panel(models, unit=unit)
    _require(panel, estimand, method, level)
    signs = draw_signs(len(panel.units), permutations)
    comparisons = [
        _contrast(panel, m, metric, estimand, level, signs, naive=method == "naive")
        for m in range(1, len(panel.models))
    ]
    contrasts = _adjusted(comparisons)
    warnings = list(dict.fromkeys(note for contrast in contrasts for note in contrast.clean.notes))
    shared = [scope for scope in _shared(panel, range(len(panel.models)))[0] if scope.kind == "corruption"]
    anova = None
    everyone = range(len(panel.models))
    if shared:
        try:
            anova = model_by_corruption(panel, everyone, metric, shared, signs)
        except MerbenchError as refusal:
            warnings.append(str(refusal))
    ranked = [m for m in everyone if panel.models[m].uses] if hypotheses and len(shared) > 1 else []
    rankings = [rank_corruptions(panel, m, metric, estimand, shared, level) for m in ranked]
    found = Comparison(
        dataset=panel.data["dataset"],
        split=panel.data["split"],
        metric=metric,
        estimand=estimand,
        unit=panel.units.name,
        n_units=len(panel.units),
        n=len(panel.truth),
        cells=len(panel.cells),
        level=level,
        method=method,
        permutations=len(signs.swapped) - (not signs.exact),
        exact=signs.exact,
        models=tuple(_figures(panel, m, metric, estimand, level) for m in everyone),
        contrasts=tuple(contrasts),
        anova=anova,
        hypotheses=tuple(judge_presets(contrasts, anova, margin)) if hypotheses else (),
        rankings=tuple(rankings),
        regressions=(regress(panel, regression, everyone, shared, level),) if regression else (),
        warnings=tuple(warnings),
    )
    return replace(found, findings=tuple(findings(found)))


def holm(p: Sequence[float]) -> Floats:
    """Return Holm's step-down adjusted p values (Scandinavian Journal of Statistics 6, 1979)."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def _require(panel: Panel, estimand: str, method: str, level: float) -> None:
    if len(panel.models) < 2:
        raise MerbenchError("there is one model only", fix="give two or more runs to compare")
    if estimand not in ESTIMANDS:
        raise MerbenchError(f"there is no estimand '{estimand}'", fix=f"choose one of {', '.join(ESTIMANDS)}")
    if method not in METHODS:
        raise MerbenchError(f"there is no method '{method}'", fix=f"choose one of {', '.join(METHODS)}")
    if not 0.5 <= level < 1:
        raise MerbenchError(
            f"the level cannot be {level}", fix="give a number from 0.5 up to 1, such as 0.95"
        )
    require_units(panel)


def _contrast(
    panel: Panel, m: int, metric: str, estimand: Estimand, level: float, signs: Signs, *, naive: bool
) -> Contrast:
    scopes, left_out = _shared(panel, (0, m))
    questions: list[tuple[Quantity, Scope | None]] = [("clean", None)]
    questions += [(quantity, scope) for scope in scopes for quantity in _UNDER_NOISE]

    def interval(quantity: Quantity, scope: Scope | None, of: Estimand) -> Interval:
        return paired_interval(
            panel, m, 0, metric=metric, quantity=quantity, scope=scope or OVERALL, estimand=of, level=level
        )

    lines = [interval(quantity, scope, estimand) for quantity, scope in questions]
    p = _permutation_p(panel, m, metric, estimand, questions, signs)
    if p is not None:
        least = smallest_p(len(panel.units))
        lines = [line.with_permutation(float(value), least) for line, value in zip(lines, p, strict=True)]
    other = next(name for name in ESTIMANDS if name != estimand)
    widest = scopes[0] if scopes else None
    own_unit = len(panel.units) == len(panel.truth) and not panel.units.loners
    single = len(panel.models[0].runs) == len(panel.models[m].runs) == 1
    ours, theirs = (panel.models[i].runs for i in (m, 0))
    by_cell = panel.scores(metric).whole
    gaps = by_cell[list(ours)].mean(0) - by_cell[list(theirs)].mean(0)
    return Contrast(
        model=panel.models[m].name,
        against=panel.models[0].name,
        clean=lines[0],
        lines=tuple(lines[1:]),
        check=tuple(interval(quantity, widest, other) for quantity in _UNDER_NOISE) if widest else (),
        not_compared=left_out,
        floor=next((panel.models[i].name for i in (m, 0) if not panel.models[i].uses), None),
        mcnemar=tuple(mcnemar(panel, ours[0], theirs[0], k, level) for k in range(len(panel.cells)))
        if own_unit and single
        else (),
        naive=tuple(naive_t(gaps, scope, level) for scope in scopes) if naive else (),
    )


def _permutation_p(
    panel: Panel,
    m: int,
    metric: str,
    estimand: Estimand,
    questions: Sequence[tuple[Quantity, Scope | None]],
    signs: Signs,
) -> Floats | None:
    """Return p by exchanging the models within units; seeds cannot be exchanged one by one."""
    ours, theirs = panel.models[m].runs, panel.models[0].runs
    if len(ours) > 1 or len(theirs) > 1:
        return None
    if estimand == "pooled":
        return swap_test(panel, ours[0], theirs[0], metric, questions, signs)
    scores = panel.scores(metric)
    each = [contributions(scores, scope, quantity, estimand)[1] for quantity, scope in questions]
    return sign_flip(np.stack([part[ours[0]] - part[theirs[0]] for part in each], axis=1), signs)


def _adjusted(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """Correct by Holm: over all contrasts, corruptions together, families together, by quantity."""
    lines = [line for contrast in contrasts for line in contrast.lines]
    changed = dict(enumerate(lines))
    for kind in ("family", "corruption"):
        for quantity in _UNDER_NOISE:
            here = [i for i, line in enumerate(lines) if (line.kind, line.quantity) == (kind, quantity)]
            tested = [i for i in here if lines[i].p is not None]
            adjusted = holm([lines[i].p or 0.0 for i in tested])
            for i, value in zip(tested, adjusted, strict=True):
                changed[i] = replace(lines[i], p_adjusted=float(value))
    rest = iter(changed.values())
    return [replace(contrast, lines=tuple(next(rest) for _ in contrast.lines)) for contrast in contrasts]


def _shared(panel: Panel, models: Sequence[int]) -> tuple[list[Scope], dict[str, str]]:
    """Return what these models can be compared on, the widest scope first, and what they cannot.

    A model does not suffer from noise in what it never reads. So a family counts where every model
    reads that modality, and families of several modalities only between models that read the same. A
    model that reads nothing is a floor under the others and is compared everywhere.
    """
    readers = [panel.models[m] for m in models if panel.models[m].uses]
    scopes = _without_doubles(panel.of_kind("overall", "family", "corruption"))
    if len({reader.uses for reader in readers}) <= 1:
        return scopes, {}
    families = [scope.name for scope in panel.of_kind("family")]
    left_out = {family: why for family in families if (why := _not_shared(family, readers))}
    kept = [family for family in families if family not in left_out]
    members = [k for k, c in enumerate(panel.cells) if c.family in kept]
    inside = set(members)
    narrowed = [scope for scope in scopes if scope.kind != "overall" and inside.issuperset(scope.cells)]
    if len(kept) > 1:
        weights = nested_weights([tree_path(panel.cells[k]) for k in members])
        narrowed.insert(0, Scope(" + ".join(kept), "overall", tuple(members), weights))
    return narrowed, {OVERALL: "the models do not read the same modalities", **left_out}


def _without_doubles(scopes: Sequence[Scope]) -> list[Scope]:
    """Leave out what has the same cells as something narrower: a family of one corruption."""
    narrowest = {frozenset(scope.cells): scope for scope in scopes}
    return [scope for scope in scopes if scope is narrowest[frozenset(scope.cells)]]


def _not_shared(family: str, readers: Sequence[Model]) -> str | None:
    deaf = [reader.name for reader in readers if family in MODALITIES and family not in reader.uses]
    if deaf:
        return f"{' and '.join(deaf)} does not read {family}"
    return (
        None if family in MODALITIES else "it changes several modalities, and the models read different ones"
    )


def _figures(panel: Panel, m: int, metric: str, estimand: Estimand, level: float) -> Figures:
    quantities: list[Quantity] = ["clean"]
    if panel.of_kind("overall"):
        quantities += ["noisy", "drop"]
        if estimand == "pooled":
            quantities.append("retention")
    entry = panel.models[m]
    return Figures(
        entry.name,
        tuple(panel.runs[run].where for run in entry.runs),
        tuple(name for name in MODALITIES if name in entry.uses),
        tuple(
            single_interval(panel, m, metric=metric, quantity=quantity, estimand=estimand, level=level)
            for quantity in quantities
        ),
    )
