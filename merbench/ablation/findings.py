"""What the runs of a study say: gain, cost, and how sure both are, for every way of hardening."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from merbench.evaluation.robustness import nested_weights
from merbench.evaluation.summary import intensity_levels, tree_path
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
    from merbench.statistics.scores import Quantity

METRIC = "uar"


@dataclass(frozen=True, slots=True)
class Line:
    """One arm against the control.

    `clean` is its figure without noise and `cost` how far that is from the control's; `noisy` is its figure
    under each group of noise, and `lost` its robustness score there, what noise takes from it. `gains` and
    `spared` are the differences of those two to the control: above 0 the arm scores higher, above 0 it loses
    less. Their `p_adjusted` is after Holm's correction over all arms.
    """

    arm: str
    clean: Interval
    noisy: dict[str, Interval]
    lost: dict[str, Interval]
    cost: Interval | None
    gains: dict[str, Interval]
    spared: dict[str, Interval]
    verdict: Hypothesis | None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        by_group = {name: getattr(self, name) for name in ("noisy", "lost", "gains", "spared")}
        return {
            "arm": self.arm,
            "clean": self.clean.to_json(),
            "cost": None if self.cost is None else self.cost.to_json(),
            **{
                name: {group: interval.to_json() for group, interval in intervals.items()}
                for name, intervals in by_group.items()
            },
            "verdict": None if self.verdict is None else self.verdict.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Level:
    """Accuracy of an arm on the samples of one expressed intensity, and its difference to the control."""

    arm: str
    intensity: str
    clean: Interval
    noisy: Interval
    gain: Interval | None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "arm": self.arm,
            "intensity": self.intensity,
            "clean": self.clean.to_json(),
            "noisy": self.noisy.to_json(),
            "gain": None if self.gain is None else self.gain.to_json(),
        }


@dataclass(frozen=True, slots=True)
class TestFindings:
    """Everything about one test; `intensity` holds the arms by level, where samples have any."""

    name: str
    groups: tuple[str, ...]
    lines: tuple[Line, ...]
    comparison: Comparison
    intensity: tuple[Level, ...]
    runs: dict[str, str]
    """Hash of the predictions of every run, by its folder below the study's."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "name": self.name,
            "lines": [line.to_json() for line in self.lines],
            "comparison": self.comparison.to_json(),
            "intensity": [level.to_json() for level in self.intensity],
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
    within = [dataclasses.replace(run, where=_within(ablation, run.where)) for run in panel.runs]
    panel = dataclasses.replace(panel, runs=tuple(within))  # a study's folder may be moved
    scopes = _scopes(panel, test)
    lines = [_line(panel, m, scopes, test.margin) for m in range(len(arms))]
    return TestFindings(
        name=name,
        groups=tuple(scopes),
        lines=tuple(_adjusted(lines)),
        comparison=compare(panel, hypotheses=True, margin=test.margin, permutations=permutations),
        intensity=tuple(_by_intensity(panel)),
        runs={run.where: run.result["predictions"]["sha256"] for run in panel.runs},
    )


def _within(ablation: Ablation, run: str) -> str:
    return Path(run).relative_to(ablation.folder).as_posix()


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
    def own(quantity: Quantity) -> dict[str, Interval]:
        return {
            g: single_interval(panel, m, metric=METRIC, quantity=quantity, scope=s) for g, s in scopes.items()
        }

    def less(a: int, b: int, quantity: Quantity) -> dict[str, Interval]:
        return {
            g: paired_interval(panel, a, b, metric=METRIC, quantity=quantity, scope=s, matched=True)
            for g, s in (scopes.items() if m else ())
        }

    cost = paired_interval(panel, m, 0, metric=METRIC, quantity="clean", matched=True) if m else None
    return Line(
        arm=panel.models[m].name,
        clean=single_interval(panel, m, metric=METRIC, quantity="clean"),
        noisy=own("noisy"),
        lost=own("drop"),
        cost=cost,
        gains=less(m, 0, "noisy"),
        spared=less(0, m, "drop"),
        verdict=None if cost is None else non_inferiority(cost, margin),
    )


def _adjusted(lines: Sequence[Line]) -> Iterator[Line]:
    columns = [_corrected([getattr(line, column) for line in lines]) for column in ("gains", "spared")]
    for line, gains, spared in zip(lines, *columns, strict=True):
        yield dataclasses.replace(line, gains=gains, spared=spared)


def _corrected(arms: Sequence[dict[str, Interval]]) -> list[dict[str, Interval]]:
    """Correct the differences under each group over all arms."""
    found = [dict(by_group) for by_group in arms]
    for group in arms[-1]:
        tested = [
            (i, one, one.p)
            for i, by_group in enumerate(arms)
            if (one := by_group.get(group)) and one.p is not None
        ]
        adjusted = holm([p for _, _, p in tested])
        for (i, one, _), p in zip(tested, adjusted, strict=True):
            found[i][group] = dataclasses.replace(one, p_adjusted=float(p))
    return found


def _by_intensity(panel: Panel) -> Iterator[Level]:
    recorded = intensity_levels(panel.runs[0].grid.extra)
    levels = np.array(["" if level is None else str(level) for level in recorded])
    known = sorted(set(levels.tolist()) - {""})
    for level in known if len(known) > 1 else ():
        part = panel.of_samples(levels == level)
        for m, model in enumerate(part.models):
            yield Level(
                arm=model.name,
                intensity=level,
                clean=single_interval(part, m, metric="accuracy", quantity="clean"),
                noisy=single_interval(part, m, metric="accuracy"),
                gain=paired_interval(part, m, 0, metric="accuracy", matched=True) if m else None,
            )


def tables(found: TestFindings) -> list[Table]:
    """Return the findings of a test as tables."""
    return [_gains(found), _robustness(found), _hypotheses(found), *_intensities(found), *_ranking(found)]


def _gains(found: TestFindings) -> Table:
    columns = ["way of hardening", "clean", "cost"]
    columns += [f"{what} {group}" for group in found.groups for what in ("under", "gain")]
    rows = []
    for line in found.lines:
        cells = [line.arm, _percent(line.clean), "" if line.cost is None else points(line.cost)]
        for group in found.groups:
            cells += [_percent(line.noisy[group]), _difference(line.gains.get(group))]
        rows.append(Row(tuple(cells)))
    return Table(
        name=f"ablation-{found.name}",
        title=f"{found.name}: UAR in percent, and differences to '{found.lines[0].arm}' in points",
        columns=tuple(columns),
        rows=tuple(rows),
        caption=_basis(found),
    )


def _robustness(found: TestFindings) -> Table:
    rows = []
    for line in found.lines:
        cells = [line.arm]
        for group in found.groups:
            cells += [_percent(line.lost[group]), _difference(line.spared.get(group))]
        rows.append(Row(tuple(cells)))
    return Table(
        name=f"ablation-{found.name}-robustness",
        title=f"{found.name}: robustness score (clean - noisy UAR, smaller is better), "
        f"and how many points less of it than '{found.lines[0].arm}'",
        columns=(
            "way of hardening",
            *(f"{what} {group}" for group in found.groups for what in ("lost under", "less lost")),
        ),
        rows=tuple(rows),
        caption=_basis(found),
    )


def _basis(found: TestFindings) -> str:
    clean = found.lines[0].clean
    return (
        f"{100 * clean.level:g} % intervals over {clean.n_units} {clean.unit}s and {clean.seeds[0]} training "
        "seeds, crossed, and differences within seeds; "
        f"* p <= {1 - clean.level:.2g} after Holm's correction over each column."
    )


def _difference(interval: Interval | None) -> str:
    if interval is None:
        return ""
    corrected = interval.p_adjusted is not None and interval.shown
    return f"{points(interval)}{' *' if corrected else ''}"


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
    levels = list(dict.fromkeys(level.intensity for level in found.intensity))
    if levels:
        by_place = {(one.arm, one.intensity): one for one in found.intensity}
        rows = []
        for line in found.lines:
            cells = [line.arm]
            for level in levels:
                one = by_place[line.arm, level]
                cells += [
                    _percent(one.clean),
                    _percent(one.noisy),
                    "" if one.gain is None else points(one.gain),
                ]
            rows.append(Row(tuple(cells)))
        yield Table(
            name=f"ablation-{found.name}-intensity",
            title=f"{found.name}: accuracy in percent by expressed intensity, and differences to "
            f"'{found.lines[0].arm}' under all noise in points",
            columns=(
                "way of hardening",
                *(f"{level} {what}" for level in levels for what in ("clean", "noisy", "gain")),
            ),
            rows=tuple(rows),
            caption="Every interval for itself: these are not corrected.",
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
