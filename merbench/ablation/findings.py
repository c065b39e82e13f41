"""What the runs of a study say: gain, cost, and how sure both are, for every way of hardening."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from merbench.evaluation.result import read_result
from merbench.evaluation.robustness import nested_weights
from merbench.evaluation.summary import tree_path
from merbench.statistics.compare import compare, holm
from merbench.statistics.hypotheses import non_inferiority
from merbench.statistics.intervals import paired_interval, single_interval
from merbench.statistics.panel import Scope, load_panel
from merbench.statistics.words import points
from merbench.tables import Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from merbench.ablation.run import Ablation
    from merbench.ablation.study import Test
    from merbench.statistics.compare import Comparison
    from merbench.statistics.hypotheses import Hypothesis
    from merbench.statistics.intervals import Interval
    from merbench.statistics.panel import Panel

METRIC = "uar"


@dataclass(frozen=True, slots=True)
class Line:
    """One arm against the control.

    `clean` is its figure without noise and `noisy` those under each group; `cost` and `gains` are differences
    to the control, `adjusted` the p values of the gains after Holm's correction over all arms of a group.
    """

    arm: str
    clean: Interval
    noisy: dict[str, Interval]
    cost: Interval | None
    gains: dict[str, Interval]
    adjusted: dict[str, float | None]
    verdict: Hypothesis | None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "arm": self.arm,
            "clean": self.clean.to_json(),
            "noisy": {group: interval.to_json() for group, interval in self.noisy.items()},
            "cost": None if self.cost is None else self.cost.to_json(),
            "gains": {group: interval.to_json() for group, interval in self.gains.items()},
            "adjusted": self.adjusted,
            "verdict": None if self.verdict is None else self.verdict.to_json(),
        }


@dataclass(frozen=True, slots=True)
class TestFindings:
    """Everything about one test; `intensity` has per arm the accuracies by expressed intensity."""

    name: str
    groups: tuple[str, ...]
    lines: tuple[Line, ...]
    comparison: Comparison
    intensity: dict[str, dict[str, tuple[float, float]]]
    runs: dict[str, str]
    """Hash of the predictions of every run, by its folder below the study's."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "name": self.name,
            "lines": [line.to_json() for line in self.lines],
            "comparison": self.comparison.to_json(),
            "intensity": self.intensity,
            "runs": self.runs,
        }


def find(ablation: Ablation, seeds: Sequence[int], permutations: int = 9_999) -> list[TestFindings]:
    """Return what every test says; all runs of these seeds are there."""
    return [_find(ablation, name, test, seeds, permutations) for name, test in ablation.study.tests.items()]


def _find(ablation: Ablation, name: str, test: Test, seeds: Sequence[int], permutations: int) -> TestFindings:
    clean, control, *others = ablation.study.arms
    arms = [control, clean, *others]
    folders = {arm.name: [ablation.run(name, arm, seed) for seed in seeds] for arm in arms}
    panel = load_panel([f"{arm}={','.join(map(str, runs))}" for arm, runs in folders.items()])
    scopes = _scopes(panel, test)
    lines = [_line(panel, m, scopes, test.margin) for m in range(len(arms))]
    results = {run: read_result(run) for runs in folders.values() for run in runs}
    return TestFindings(
        name=name,
        groups=tuple(scopes),
        lines=tuple(_adjusted(lines, tuple(scopes))),
        comparison=compare(panel, hypotheses=True, margin=test.margin, permutations=permutations),
        intensity={arm: _intensity([results[run] for run in runs]) for arm, runs in folders.items()},
        runs={
            run.relative_to(ablation.folder).as_posix(): result["predictions"]["sha256"]
            for run, result in results.items()
        },
    )


def _scopes(panel: Panel, test: Test) -> dict[str, Scope]:
    """Return the cells of every group; attacks are a group of their own."""
    wanted = {name: {spec.partition(":")[0] for spec in specs} for name, specs in test.groups.items()}
    members = {
        name: [k for k, cell in enumerate(panel.cells) if cell.corruption in names]
        for name, names in wanted.items()
    }
    members |= {
        cell.corruption: [k for k, other in enumerate(panel.cells) if other.corruption == cell.corruption]
        for cell in panel.cells
        if cell.family == "adversarial"
    }
    return {
        name: Scope(name, "overall", tuple(cells), nested_weights([tree_path(panel.cells[k]) for k in cells]))
        for name, cells in members.items()
        if cells
    }


def _line(panel: Panel, m: int, scopes: dict[str, Scope], margin: float) -> Line:
    first = m == 0

    def gain(scope: Scope) -> Interval:
        return paired_interval(panel, m, 0, metric=METRIC, quantity="noisy", scope=scope)

    cost = None if first else paired_interval(panel, m, 0, metric=METRIC, quantity="clean")
    return Line(
        arm=panel.models[m].name,
        clean=single_interval(panel, m, metric=METRIC, quantity="clean"),
        noisy={g: single_interval(panel, m, metric=METRIC, scope=s) for g, s in scopes.items()},
        cost=cost,
        gains={} if first else {g: gain(s) for g, s in scopes.items()},
        adjusted={},
        verdict=None if cost is None else non_inferiority(cost, margin),
    )


def _adjusted(lines: Sequence[Line], groups: Sequence[str]) -> Iterator[Line]:
    """Correct the gains of each group over all arms."""
    found: list[dict[str, float | None]] = [{} for _ in lines]
    for group in groups:
        tested = [
            i for i, line in enumerate(lines) if group in line.gains and line.gains[group].p is not None
        ]
        p = holm([lines[i].gains[group].p or 0.0 for i in tested])
        for i, value in zip(tested, p, strict=True):
            found[i][group] = float(value)
    for line, adjusted in zip(lines, found, strict=True):
        yield dataclasses.replace(line, adjusted=adjusted)


def _intensity(results: Sequence[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    """Return the accuracies, clean and noisy, by expressed intensity: means over seeds; empty without."""
    found = [result["metrics"]["groups"]["intensity"] for result in results]
    if None in found:
        return {}
    scores = [{name: g["robustness"]["accuracy"] for name, g in one["groups"].items()} for one in found]
    return {
        name: (
            fmean(by_name[name]["clean"] for by_name in scores),
            fmean(by_name[name]["noisy"] for by_name in scores),
        )
        for name in sorted(scores[0])
    }


def tables(found: TestFindings) -> list[Table]:
    """Return the findings of a test as tables."""
    return [_gains(found), _hypotheses(found), *_intensities(found), *_ranking(found)]


def _gains(found: TestFindings) -> Table:
    control = found.lines[0]
    columns = ["way of hardening", "clean", "cost"]
    columns += [f"{what} {group}" for group in found.groups for what in ("under", "gain")]
    rows = []
    for line in found.lines:
        cells = [line.arm, _percent(line.clean), "" if line.cost is None else points(line.cost)]
        for group in found.groups:
            cells += [_percent(line.noisy[group]), _gain(line, group)]
        rows.append(Row(tuple(cells)))
    clean = control.clean
    return Table(
        name=f"ablation-{found.name}",
        title=f"{found.name}: UAR in percent, and differences to '{control.arm}' in points",
        columns=tuple(columns),
        rows=tuple(rows),
        caption=f"{100 * clean.level:g} % intervals over {clean.n_units} {clean.unit}s and "
        f"{clean.seeds[0]} training seeds, crossed; * p <= {1 - clean.level:.2g} after Holm's "
        "correction over each column.",
    )


def _gain(line: Line, group: str) -> str:
    if group not in line.gains:
        return ""
    interval, p = line.gains[group], line.adjusted.get(group)
    shown = p is not None and p <= 1 - interval.level + 1e-12
    return f"{points(interval)}{' *' if shown else ''}"


def _percent(interval: Interval) -> str:
    return "-" if interval.estimate is None else f"{100 * interval.estimate:.1f}"


def _hypotheses(found: TestFindings) -> Table:
    stated = [line.verdict for line in found.lines if line.verdict is not None]
    stated += [h for h in found.comparison.hypotheses if h.name == "H3"]
    return Table(
        name=f"ablation-{found.name}-hypotheses",
        title=f"{found.name}: what it costs without noise (H2), does the gain depend on the noise (H3)",
        columns=("hypothesis", "claim", "verdict", "evidence"),
        rows=tuple(Row((h.name, h.claim, h.verdict, h.evidence)) for h in stated),
        left=4,
    )


def _intensities(found: TestFindings) -> Iterator[Table]:
    levels = sorted({level for by_level in found.intensity.values() for level in by_level})
    if levels:
        yield Table(
            name=f"ablation-{found.name}-intensity",
            title=f"{found.name}: accuracy in percent by expressed intensity, mean over training seeds",
            columns=(
                "way of hardening",
                *(f"{level} {what}" for level in levels for what in ("clean", "noisy")),
            ),
            rows=tuple(
                Row((arm, *(f"{100 * value:.1f}" for level in levels for value in by_level[level])))
                for arm, by_level in found.intensity.items()
            ),
            caption="Descriptive: no test is made here.",
        )


def _ranking(found: TestFindings) -> Iterator[Table]:
    ranking = next((r for r in found.comparison.rankings if r.model == found.lines[0].arm), None)
    if ranking is not None:
        yield Table(
            name=f"ablation-{found.name}-ranking",
            title=f"{found.name}: which noise hurts '{ranking.model}' most: drop in points",
            columns=("noise", "drop", "interval", "rank"),
            rows=tuple(
                Row(
                    (
                        one.corruption,
                        f"{100 * one.drop:.1f}",
                        f"{100 * one.low:.1f} to {100 * one.high:.1f}",
                        f"{one.rank} ({one.best} to {one.worst})",
                    )
                )
                for one in ranking.corruptions
            ),
            caption=f"Simultaneous {100 * ranking.level:g} % intervals; the range after a rank is all "
            "that is known of it.",
        )
