"""The decision: held, regressed, or could not tell.

What is compared is a metric of the new run minus that of the baseline, on the same samples: clean, under
all noise, and under each corruption (its severities averaged). Each of these m differences has an
interval over units (`merbench.statistics.intervals`), and

* the gate *held* when every one of them is above -tolerance. This claim is about all of them at once, and
  testing each at the full level keeps its error below alpha (intersection-union test: Berger,
  Technometrics 24, 1982), so that nothing is corrected;
* the model *regressed* when any one of them is below 0 and the drop exceeds the tolerance. Here each
  one is a chance to err, so that the intervals are at level 1 - alpha / m (Bonferroni);
* otherwise the gate *could not tell*, and says which drop this suite would have shown.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from merbench.errors import MerbenchError
from merbench.regression.words import CLEAN, explain
from merbench.statistics.intervals import LEVEL, paired_interval
from merbench.statistics.panel import OVERALL, make_panel

if TYPE_CHECKING:
    from merbench.statistics.intervals import Interval
    from merbench.statistics.panel import Panel, Run, Scope

Verdict = Literal["held", "regressed", "could not tell"]
EXIT_CODES: dict[Verdict, int] = {"held": 0, "regressed": 1, "could not tell": 2}

_NOTHING = 1e-12  # a difference of sums in another order is not a drop


@dataclass(frozen=True)
class Comparison:
    """One difference, new minus baseline, in units of the metric.

    `pointwise` decides whether it held, `simultaneous` whether it regressed. `lost` and `won` count the
    answers that turned wrong and right.
    """

    name: str
    family: str
    before: float
    after: float
    pointwise: Interval
    simultaneous: Interval
    lost: int
    won: int
    verdict: Verdict

    @property
    def change(self) -> float | None:
        """New minus baseline; below 0 is worse."""
        return self.pointwise.estimate


@dataclass(frozen=True)
class CellChange:
    """A cell in which the score fell."""

    cell_id: str
    before: float
    after: float


@dataclass(frozen=True)
class Flip:
    """A sample that was right in more cells before: what it is, what is answered most now, the cells."""

    sample_id: str
    label: str
    answer: str
    lost: int
    won: int


@dataclass(frozen=True)
class Report:
    """What the gate found; `why` says it in a sentence."""

    verdict: Verdict
    why: str
    metric: str
    tolerance: float
    strict: bool
    models: tuple[str, str]
    samples: int
    cells: int
    unit: str
    units: int
    hashed: bool
    comparisons: tuple[Comparison, ...]
    worst_cells: tuple[CellChange, ...]
    flips: tuple[Flip, ...]

    def to_json(self) -> dict[str, Any]:
        """Return every field as plain JSON."""
        value = asdict(self)
        for comparison, plain in zip(self.comparisons, value["comparisons"], strict=True):
            plain |= {
                "change": comparison.change,
                "pointwise": comparison.pointwise.to_json(),
                "simultaneous": comparison.simultaneous.to_json(),
                "detectable": comparison.simultaneous.detectable(),
            }
        return value


def check(
    new: Run,
    baseline: Run,
    *,
    metric: str = "uar",
    tolerance: float = 0.02,
    strict: bool = False,
    unit: str | None = None,
    shown: int = 5,
) -> Report:
    """Hold a new run against a baseline.

    Args:
        new: the run to check.
        baseline: what it is held against.
        metric: one of `merbench.evaluation.metrics.SUMMARY_METRICS`.
        tolerance: the drop that is accepted, in units of the metric.
        strict: let any drop fail, shown or not.
        unit: what is independent; by default the dataset card's.
        shown: how many cells and samples are listed.

    Raises:
        MerbenchError: the runs did not answer the same media, cell by cell and sample by sample; or the
            tolerance is no share.
    """
    if not 0 <= tolerance < 1:
        raise MerbenchError(
            f"--tolerance cannot be {tolerance:g}", fix="it is a share: 0.02 accepts a drop of 2 points"
        )
    panel = make_panel([[new], [baseline]], names=("new", "baseline"), unit=unit)
    scopes: list[Scope | None] = [None, *panel.of_kind("overall", "corruption")]
    level = 1 - (1 - LEVEL) / len(scopes)
    comparisons = tuple(_compare(panel, scope, metric, tolerance, level, strict) for scope in scopes)
    verdict = _together([c.verdict for c in comparisons])
    return Report(
        verdict=verdict,
        why=explain(verdict, comparisons, metric, tolerance, strict),
        metric=metric,
        tolerance=tolerance,
        strict=strict,
        models=(str(new.result["model"]["name"]), str(baseline.result["model"]["name"])),
        samples=len(panel.truth),
        cells=len(panel.cells),
        unit=panel.units.name,
        units=len(panel.units),
        hashed=bool(new.result["content_root"] and baseline.result["content_root"]),
        comparisons=comparisons,
        worst_cells=tuple(_worst_cells(panel, metric)[:shown]),
        flips=tuple(_flips(panel)[:shown]),
    )


def _compare(
    panel: Panel, scope: Scope | None, metric: str, tolerance: float, level: float, strict: bool
) -> Comparison:
    quantity: Literal["clean", "noisy"] = "clean" if scope is None else "noisy"
    of = scope or OVERALL
    pointwise, simultaneous = (
        paired_interval(panel, 0, 1, metric=metric, quantity=quantity, scope=of, level=wanted)
        for wanted in (LEVEL, level)
    )
    cells = [panel.clean] if scope is None else list(scope.cells)
    weights = np.ones(1) if scope is None else scope.weights
    values = (panel.scores(metric).whole[:, cells] * weights).sum(axis=1)
    right = panel.answer[:, cells] == panel.truth
    first = panel.cells[cells[0]]
    return Comparison(
        name=CLEAN if scope is None else scope.name,
        family=first.family if scope is not None and scope.kind == "corruption" else OVERALL,
        before=float(values[1]),
        after=float(values[0]),
        pointwise=pointwise,
        simultaneous=simultaneous,
        lost=int((right[1] & ~right[0]).sum()),
        won=int((right[0] & ~right[1]).sum()),
        verdict=_decide(pointwise, simultaneous, tolerance, strict),
    )


def _decide(pointwise: Interval, simultaneous: Interval, tolerance: float, strict: bool) -> Verdict:
    change = pointwise.estimate
    if change is None:
        return "could not tell"
    if strict:
        return "regressed" if change < -_NOTHING else "held"
    if simultaneous.high is not None and simultaneous.high < 0 and change < -tolerance:
        return "regressed"
    if pointwise.low is not None and pointwise.low > -tolerance:
        return "held"
    return "could not tell"


def _together(verdicts: list[Verdict]) -> Verdict:
    if "regressed" in verdicts:
        return "regressed"
    return "held" if all(verdict == "held" for verdict in verdicts) else "could not tell"


def _worst_cells(panel: Panel, metric: str) -> list[CellChange]:
    after, before = panel.scores(metric).whole
    fell = [k for k in np.argsort(after - before, kind="stable") if after[k] - before[k] < -_NOTHING]
    return [CellChange(panel.cells[k].cell_id, float(before[k]), float(after[k])) for k in fell]


def _flips(panel: Panel) -> list[Flip]:
    right = panel.answer == panel.truth
    lost, won = right[1] & ~right[0], right[0] & ~right[1]
    balance = lost.sum(0) - won.sum(0)
    found = []
    for i in np.argsort(-balance, kind="stable"):
        if balance[i] <= 0:
            break
        answers = Counter(int(a) for a in panel.answer[0, lost[:, i], i])
        answer = min(answers, key=lambda a: (-answers[a], a))
        found.append(
            Flip(
                sample_id=panel.sample_ids[i],
                label=panel.classes[panel.truth[i]],
                answer=panel.classes[answer] if answer < len(panel.classes) else "no class",
                lost=int(lost[:, i].sum()),
                won=int(won[:, i].sum()),
            )
        )
    return found
