"""What the figures and tables of a report are made from: runs side by side, and their intervals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from merbench.attacks import for_any_model
from merbench.errors import MerbenchError
from merbench.evaluation.metrics import recall
from merbench.evaluation.result import recompute
from merbench.evaluation.summary import NOT_APPLICABLE, variant
from merbench.report._palette import SERIES
from merbench.statistics.intervals import single_interval
from merbench.statistics.panel import OVERALL, Panel, load_panel
from merbench.types import MODALITIES, Cell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from merbench.evaluation.metrics import Counts, Floats
    from merbench.statistics.intervals import Interval
    from merbench.statistics.panel import Scope
    from merbench.statistics.scores import Quantity


@dataclass(frozen=True, slots=True)
class Variant:
    """A corruption with its options: one severity curve. `name` tells it apart from its namesakes."""

    name: str
    family: str
    severities: tuple[int, ...]
    key: str


@dataclass(frozen=True, eq=False)
class Model:
    """One run: its place in every legend, the name it is shown by, and its result."""

    slot: int
    name: str
    result: Mapping[str, Any]

    @property
    def summary(self) -> Mapping[str, Any]:
        """The metrics part of the result."""
        found: Mapping[str, Any] = self.result["metrics"]
        return found

    def reads(self, family: str) -> bool:
        """Tell whether corruptions of a family can reach the model: typos do not reach one without text."""
        uses = self.result["model"]["uses"]
        return family in uses if family in MODALITIES else bool(uses)


@dataclass(frozen=True, eq=False)
class Study:
    """Models over one suite."""

    folders: tuple[Path, ...]
    panel: Panel
    models: tuple[Model, ...]
    variants: tuple[Variant, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The scored classes."""
        return self.panel.classes

    @property
    def families(self) -> tuple[str, ...]:
        """The families of corruptions, in the order of the suite."""
        return tuple(dict.fromkeys(variant.family for variant in self.variants))

    @cached_property
    def left_out(self) -> dict[str, str]:
        """Why corruptions are not applicable, by their name."""
        cells = self.models[0].summary["cells"]
        return {cell["corruption"]: cell["why"] for cell in cells if cell["status"] == NOT_APPLICABLE}

    @property
    def unread(self) -> dict[str, tuple[str, ...]]:
        """By model the families that cannot reach it."""
        found = {m.name: tuple(f for f in self.families if not m.reads(f)) for m in self.models}
        return {name: families for name, families in found.items() if families}

    def entry(self, model: Model, corruption: Variant) -> Mapping[str, Any]:
        """Return the summary's entry of a corruption."""
        return self._entries[model.slot][corruption.key]

    @cached_property
    def _entries(self) -> list[dict[str, Mapping[str, Any]]]:
        return [{_key(entry): entry for entry in model.summary["corruptions"]} for model in self.models]

    def interval(
        self, model: Model, metric: str, quantity: Quantity = "noisy", scope: str = OVERALL
    ) -> Interval:
        """Return a model's figure over new units; `scope` is a name that `Panel.scope` knows."""
        key = (model.slot, metric, quantity, scope if quantity != "clean" else OVERALL)
        if key not in self._intervals:
            self._intervals[key] = single_interval(
                self.panel, model.slot, metric=metric, quantity=quantity, scope=self._scopes[key[3]]
            )
        return self._intervals[key]

    @cached_property
    def _intervals(self) -> dict[tuple[int, str, str, str], Interval]:
        return {}

    @cached_property
    def _scopes(self) -> dict[str, Scope]:
        return {scope.name: scope for scope in self.panel.scopes}

    @cached_property
    def cell_titles(self) -> tuple[str, ...]:
        """What the panel's cells are called: corruption and severity, and the draw if there are several."""
        names = {corruption.key: corruption.name for corruption in self.variants}
        titles = [
            "clean" if c.is_clean else f"{names[variant(for_any_model(c))]}, severity {c.severity}"
            for c in self.panel.cells
        ]
        return tuple(
            title if titles.count(title) == 1 else f"{title}, seed {cell.seed}, draw {cell.replicate + 1}"
            for title, cell in zip(titles, self.panel.cells, strict=True)
        )

    @cached_property
    def confusion(self) -> Counts:
        """Confusion matrices of every model and cell of the panel, [M, K, C, C + 1]."""
        counts: Counts = self.panel.confusion(range(len(self.models)), range(len(self.panel.cells))).sum(
            axis=2
        )
        return counts

    @property
    def groups(self) -> tuple[str, ...]:
        """The facts by which samples fall into two groups or more."""
        return tuple(name for name, found in self.models[0].summary["groups"].items() if found is not None)

    def group_scores(self, group: str) -> tuple[list[str], list[int], Floats, Floats]:
        """Return names, sizes and clean and noisy scores [M, G] by group, NaN where undefined.

        `group` is ``class`` (recall) or one of `groups` (UAR within the group).
        """
        if group == "class":
            found = recall(self.confusion)
            overall = self._scopes[OVERALL]
            noisy = np.einsum("k,mkc->mc", overall.weights, found[:, list(overall.cells)])
            sizes = np.bincount(self.panel.truth, minlength=len(self.classes))
            return list(self.classes), sizes.tolist(), found[:, self.panel.clean], noisy
        each = [model.summary["groups"][group]["groups"] for model in self.models]
        names = list(each[0])
        clean, noisy = (
            np.array(
                [[one[name]["robustness"]["uar"][part] for name in names] for one in each], dtype=np.float64
            )
            for part in ("clean", "noisy")
        )
        return names, [each[0][name]["n"] for name in names], clean, noisy


def read_study(folders: Sequence[Path], *, unit: str | None = None) -> Study:
    """Read runs to be shown side by side, after computing every figure of them again.

    Args:
        folders: one run per model.
        unit: the unit of analysis, by default the dataset card's.

    Raises:
        MerbenchError: there are none or too many, nothing is corrupted in them, a figure does not follow
            from its predictions, or they do not match (`merbench.statistics.panel.load_panel`).
    """
    if not 1 <= len(folders) <= SERIES:
        raise MerbenchError(
            f"a report shows 1 to {SERIES} runs, and {len(folders)} were given",
            fix="leave some out, or write several reports",
        )
    for folder in folders:
        recompute(folder)
    panel = load_panel(folders, unit=unit)
    corrupted = panel.of_kind("corruption")
    if not corrupted:
        raise MerbenchError(
            f"{folders[0]} has no corrupted cell to report", fix="evaluate with at least one --corruption"
        )
    models = tuple(
        Model(slot, model.name, panel.runs[model.runs[0]].result) for slot, model in enumerate(panel.models)
    )
    variants = [_variant(panel, scope) for scope in corrupted]
    families = list(dict.fromkeys(variant.family for variant in variants))
    variants.sort(key=lambda variant: families.index(variant.family))
    return Study(tuple(folders), panel, models, tuple(variants))


def _variant(panel: Panel, scope: Scope) -> Variant:
    cells = [panel.cells[k] for k in scope.cells]
    severities = sorted({cell.severity for cell in cells})
    return Variant(scope.name, cells[0].family, tuple(severities), variant(for_any_model(cells[0])))


def _key(entry: Mapping[str, Any]) -> str:
    """Return the `Variant.key` of a summary's corruption entry."""
    cell = Cell(severity=0, **{name: entry[name] for name in ("corruption", "version", "options")})
    return variant(for_any_model(cell))
