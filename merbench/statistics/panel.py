"""Runs over one suite side by side: the same samples, the same cells, one array of answers.

Everything that statistics say is computed from a `Panel`, and a panel is made of prediction rows only.
What does not match (other samples, other media, other classes) is refused by name: nothing is
compared over what two runs happen to share.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from merbench.attacks import asked
from merbench.errors import MerbenchError
from merbench.evaluation.metrics import confusion_matrix
from merbench.evaluation.result import read_run
from merbench.evaluation.robustness import nested_weights
from merbench.evaluation.summary import noisy_cells, tree_path, variant
from merbench.evaluation.table import model_title, variant_names
from merbench.statistics.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    import numpy.typing as npt

    from merbench.evaluation.grid import Grid
    from merbench.evaluation.metrics import Counts
    from merbench.types import Cell

UnitName = Literal["speaker", "dialogue", "session", "sample"]
UNITS: tuple[UnitName, ...] = get_args(UnitName)

OVERALL = "overall"


@dataclass(frozen=True, eq=False)
class Run:
    """One run: the facts of its ``result.json`` and its answers.

    Of `result` only ``recipe_id``, ``content_root``, ``data``, ``labels.classes`` and ``model`` are
    read, so that anything which holds those and the answers can be compared; its metrics are not.
    `where` is what error messages call it.
    """

    where: str
    result: Mapping[str, Any]
    grid: Grid


@dataclass(frozen=True, slots=True)
class Model:
    """One entrant of a comparison: its name, its runs (one per training seed), what it reads."""

    name: str
    runs: tuple[int, ...]
    uses: frozenset[str]


@dataclass(frozen=True, eq=False)
class Units:
    """What is sampled independently: the unit of analysis.

    `code` is [n] in 0..U-1; `names` has length U. `alone` [U] are samples whose unit nobody recorded: each
    of them is taken as a unit of its own, which is too optimistic where units repeat.
    """

    name: UnitName
    code: npt.NDArray[np.int64]
    names: tuple[str, ...]
    alone: npt.NDArray[np.bool_]

    @property
    def loners(self) -> int:
        """How many samples have no recorded unit."""
        return int(self.alone.sum())

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, eq=False)
class Scope:
    """Some corrupted cells (indices into `Panel.cells`) and their weights, which sum to 1.

    The weights are those of a mean over draws, severities, corruptions and families.
    """

    name: str
    kind: Literal["overall", "family", "corruption", "severity", "cell"]
    cells: tuple[int, ...]
    weights: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Panel:
    """R runs, K cells, n samples and C classes, all of them in every run.

    `truth` is [n] in 0..C-1; `answer` is [R, K, n] in 0..C, where C means "no class"; `confidence` is
    [R, K, n], NaN where there is none; `applied` is [K, n], the same for all runs. Cells that apply
    to no sample, and text cells where the text says nothing, are not in `cells`.
    """

    models: tuple[Model, ...]
    runs: tuple[Run, ...]
    cells: tuple[Cell, ...]
    classes: tuple[str, ...]
    sample_ids: tuple[str, ...]
    truth: npt.NDArray[np.int64]
    answer: npt.NDArray[np.uint8]
    confidence: npt.NDArray[np.float32]
    applied: npt.NDArray[np.bool_]
    units: Units
    _scores: dict[str, Scores] = field(default_factory=dict, init=False, repr=False)

    def of_samples(self, keep: npt.NDArray[np.bool_]) -> Panel:
        """Return the panel of some samples, bool [n]; units without any are gone."""
        rows = np.flatnonzero(keep)
        there, code = np.unique(self.units.code[rows], return_inverse=True)
        names = tuple(self.units.names[u] for u in there)
        units = Units(self.units.name, code.astype(np.int64), names, self.units.alone[there])
        return replace(
            self,
            sample_ids=tuple(self.sample_ids[i] for i in rows),
            truth=self.truth[rows],
            answer=self.answer[:, :, rows],
            confidence=self.confidence[:, :, rows],
            applied=self.applied[:, rows],
            units=units,
        )

    @property
    def clean(self) -> int:
        """The index of the clean cell."""
        return next(k for k, cell in enumerate(self.cells) if cell.is_clean)

    @property
    def data(self) -> Mapping[str, Any]:
        """The facts of the dataset, as in a result."""
        facts: Mapping[str, Any] = self.runs[0].result["data"]
        return facts

    def index(self, model: int | str) -> int:
        """Return the position of a model given by name or position.

        Raises:
            MerbenchError: there is no such model.
        """
        if isinstance(model, int):
            return model
        names = [entry.name for entry in self.models]
        if model not in names:
            raise MerbenchError(f"there is no model '{model}' here", fix=f"it is one of {', '.join(names)}")
        return names.index(model)

    def scores(self, metric: str) -> Scores:
        """Return a metric by run, cell and unit; computed once.

        Raises:
            MerbenchError: there is no such metric.
        """
        if metric not in self._scores:
            self._scores[metric] = Scores(self, metric)
        return self._scores[metric]

    def confusion(self, runs: Sequence[int], cells: Sequence[int]) -> Counts:
        """Return the confusion counts of every run, cell and unit, int64 [R', K', U, C, C + 1].

        Every metric of every group of cells and units follows from these (`merbench.evaluation.metrics`).
        """
        answers = self.answer[np.ix_(runs, cells)]
        return confusion_matrix(
            self.truth, answers, len(self.classes), groups=self.units.code, group_count=len(self.units)
        )

    @cached_property
    def unit_support(self) -> npt.NDArray[np.int64]:
        """The true samples of every class in every unit, [U, C]."""
        flat = self.units.code * len(self.classes) + self.truth
        counts = np.bincount(flat, minlength=len(self.units) * len(self.classes))
        return counts.reshape(len(self.units), len(self.classes))

    @cached_property
    def scopes(self) -> tuple[Scope, ...]:
        """Everything that is averaged over: overall, families, corruptions, their severities, cells."""
        noisy = [k for k, cell in enumerate(self.cells) if not cell.is_clean]
        groups: list[tuple[str, Any, list[int]]] = [(OVERALL, "overall", noisy)] if noisy else []
        for family, members in _grouped(noisy, [cell.family for cell in self.cells]).items():
            groups.append((str(family), "family", members))
        variants = _grouped(noisy, [variant(cell) for cell in self.cells])
        firsts = [self.cells[members[0]] for members in variants.values()]
        names = variant_names([{"corruption": c.corruption, "options": c.options} for c in firsts])
        for name, members in zip(names, variants.values(), strict=True):
            groups.append((name, "corruption", members))
            for severity, draws in _grouped(members, [cell.severity for cell in self.cells]).items():
                groups.append((f"{name} severity {severity}", "severity", draws))
        groups += [(self.cells[k].cell_id, "cell", [k]) for k in noisy]
        return tuple(
            Scope(
                name,
                kind,
                tuple(members),
                nested_weights([tree_path(self.cells[k]) for k in members]),
            )
            for name, kind, members in groups
        )

    def scope(self, name: str) -> Scope:
        """Return the scope of this name: ``overall``, ``audio``, ``audio/rain``, ``audio/rain severity 3``
        or a cell id.

        Raises:
            MerbenchError: there is no such scope.
        """
        for scope in self.scopes:
            if scope.name == name:
                return scope
        shown = ", ".join(s.name for s in self.scopes if s.kind in ("overall", "family", "corruption"))
        raise MerbenchError(f"the runs have nothing called '{name}'", fix=f"it is one of {shown} or a cell")

    def of_kind(self, *kinds: str) -> list[Scope]:
        """Return the scopes of these kinds, in order."""
        return [scope for scope in self.scopes if scope.kind in kinds]


def load_panel(models: Sequence[Path | str], *, unit: str | None = None) -> Panel:
    """Read run folders and lay them side by side.

    Args:
        models: one entry per model: a run folder written by ``merbench eval``, or for several training
            seeds ``NAME=RUN,RUN,...``, where a RUN may be a pattern such as ``runs/pgd-*``.
        unit: ``speaker``, ``dialogue``, ``session`` or ``sample``; by default the dataset card's.

    Raises:
        MerbenchError: a folder holds no intact run, or the runs do not match (see `make_panel`).
    """
    named = read_models(models)
    return make_panel([runs for _, runs in named], names=[name for name, _ in named], unit=unit)


def read_models(models: Sequence[Path | str]) -> list[tuple[str | None, list[Run]]]:
    """Read the runs of every entry that `load_panel` takes, with the name that it gives them, if any.

    Raises:
        MerbenchError: a folder holds no intact run or is given twice, or an entry names none.
    """
    named = [_folders(entry) for entry in models]
    folders = [folder for _, folders in named for folder in folders]
    twice = [str(folder) for folder, n in Counter(folder.resolve() for folder in folders).items() if n > 1]
    if twice:
        raise MerbenchError(f"{twice[0]} is given twice", fix="give every run once")
    return [(name, [_read(folder) for folder in folders]) for name, folders in named]


def _folders(entry: Path | str) -> tuple[str | None, list[Path]]:
    """Return a model's name, if one is given, and its run folders."""
    name, equals, runs = str(entry).partition("=")
    if not equals or Path(entry).exists():
        return None, [Path(entry)]
    folders = [folder for run in runs.split(",") for folder in _matching(run)]
    if not name or not folders:
        raise MerbenchError(f"'{entry}' names no run", fix="write NAME=RUN,RUN,... with existing folders")
    return name, folders


def _matching(run: str) -> list[Path]:
    path = Path(run)
    if path.exists() or not any(character in run for character in "*?["):
        return [path]
    start = Path(path.anchor)
    return sorted(start.glob(str(path.relative_to(start))))


def make_panel(
    groups: Sequence[Sequence[Run]], *, names: Sequence[str | None] = (), unit: str | None = None
) -> Panel:
    """Match runs by sample and cell.

    Args:
        groups: the runs of each model, one per training seed.
        names: the models' names; without one that in its result, told apart by fingerprint or place.
        unit: the unit of analysis; by default the dataset card's.

    Raises:
        MerbenchError: the runs are over different datasets, media, cells, classes or samples (the first
            difference is named), two runs of a model are of one checkpoint, or there is no such unit.
    """
    runs = [run for group in groups for run in group]
    if not runs or not all(groups):
        raise MerbenchError("there is no run to look at", fix="give the folders that 'merbench eval' wrote")
    for group in groups:
        _require_other_checkpoints(group)
    first = runs[0]
    for other in runs[1:]:
        _require_same(first, other)
    position = {asked(cell): k for k, cell in enumerate(first.grid.cells)}
    kept = sorted([first.grid.clean, *noisy_cells(first.grid)])
    orders = [
        np.argsort([position[asked(cell)] for cell in run.grid.cells], kind="stable")[kept] for run in runs
    ]
    start = np.cumsum([0, *map(len, groups)])
    return Panel(
        models=tuple(
            Model(
                name,
                tuple(range(start[i], start[i + 1])),
                frozenset(groups[i][0].result["model"]["uses"]),
            )
            for i, name in enumerate(_names(groups, names))
        ),
        runs=tuple(runs),
        cells=tuple(first.grid.cells[k] for k in kept),
        classes=tuple(first.result["labels"]["classes"]),
        sample_ids=first.grid.ids,
        truth=first.grid.truth,
        answer=np.stack(
            [run.grid.answer[order].astype(np.uint8) for run, order in zip(runs, orders, strict=True)]
        ),
        confidence=np.stack([run.grid.confidence[order] for run, order in zip(runs, orders, strict=True)]),
        applied=first.grid.applied[kept],
        units=_units(first, unit),
    )


def _read(folder: Path) -> Run:
    result, grid = read_run(folder)
    return Run(str(folder), result, grid)


def _names(groups: Sequence[Sequence[Run]], given: Sequence[str | None]) -> list[str]:
    """Return the models' names; namesakes are told apart by fingerprint, or else by their folder."""
    models = [group[0].result["model"] for group in groups]
    own = [model_title(model) for model in models]
    found = [name or mine for name, mine in zip(given or own, own, strict=True)]
    for suffix in (
        [f"@{model['fingerprint'][:8]}" if model["fingerprint"] else "" for model in models],
        [f" in {group[0].where}" for group in groups],
    ):
        counts = Counter(found)
        found = [name + more if counts[name] > 1 else name for name, more in zip(found, suffix, strict=True)]
    return found


def _require_other_checkpoints(group: Sequence[Run]) -> None:
    """Refuse a copy of a run as a second training seed."""
    seen: dict[str, Run] = {}
    for run in group:
        fingerprint = run.result["model"]["fingerprint"]
        if fingerprint in seen:
            raise MerbenchError(
                f"{seen[fingerprint].where} and {run.where} are runs of the same checkpoint",
                fix="a model's runs are of its training seeds: give each checkpoint once",
            )
        if fingerprint is not None:
            seen[fingerprint] = run


def _require_same(first: Run, other: Run) -> None:
    """Refuse two runs that do not answer the same media, cell by cell."""
    a, b = first.result, other.result
    pair = f"{first.where} and {other.where}"
    fix = "evaluate both models on the same suite"
    for what in ("dataset", "options", "split"):
        if a["data"][what] != b["data"][what]:
            raise MerbenchError(
                f"{pair} are over different data: {_difference(what, a['data'][what], b['data'][what])}",
                fix=fix,
            )
    if a["labels"]["classes"] != b["labels"]["classes"]:
        raise MerbenchError(
            f"{pair} are scored over different classes: {', '.join(a['labels']['classes'])} and "
            f"{', '.join(b['labels']['classes'])}",
            fix="evaluate both with the same --labels (closed scores every class of the dataset)",
        )
    ids = [{asked(cell) for cell in run.grid.cells} for run in (first, other)]
    if ids[0] != ids[1]:
        cell = min(ids[0] ^ ids[1])
        has, lacks = (first, other) if cell in ids[0] else (other, first)
        raise MerbenchError(f"{has.where} has the cell {cell}, and {lacks.where} has not", fix=fix)
    if first.grid.ids != other.grid.ids:
        sample = min(set(first.grid.ids) ^ set(other.grid.ids))
        has, lacks = (first, other) if sample in first.grid.ids else (other, first)
        raise MerbenchError(f"{has.where} has the sample '{sample}', and {lacks.where} has not", fix=fix)
    _require_same_media(first, other, pair, fix)
    place = {asked(cell): k for k, cell in enumerate(other.grid.cells)}
    for k, mine in enumerate(first.grid.cells):
        differs = first.grid.applied[k] != other.grid.applied[place[asked(mine)]]
        if differs.any():
            raise MerbenchError(
                f"in {pair} the cell {mine.cell_id} does not apply to the same samples: "
                f"'{first.grid.ids[int(np.argmax(differs))]}' is the first",
                fix=fix,
            )
    for what in ("speakers", "dialogues", "sessions", "truth"):
        ours, theirs = np.array(getattr(first.grid, what)), np.array(getattr(other.grid, what))
        if (ours != theirs).any():
            i = int(np.argmax(ours != theirs))
            raise MerbenchError(
                f"{pair} do not agree on the {_FACTS[what]} of the sample '{first.grid.ids[i]}'", fix=fix
            )


def _difference(what: str, one: Any, other: Any) -> str:
    """Return what differs between two facts, of options only those that do."""
    if not isinstance(one, dict):
        return f"{what} {one} and {other}"
    keys = [key for key in sorted(one.keys() | other.keys()) if one.get(key) != other.get(key)]
    return ", ".join(f"{key}={one.get(key)} and {key}={other.get(key)}" for key in keys)


_FACTS = {"speakers": "speaker", "dialogues": "dialogue", "sessions": "session", "truth": "label"}


def _require_same_media(first: Run, other: Run, pair: str, fix: str) -> None:
    """Content decides where both runs know it, and the recipe otherwise."""
    a, b = first.result, other.result
    what = "content_root" if a["content_root"] and b["content_root"] else "recipe_id"
    if a[what] != b[what]:
        raise MerbenchError(
            f"{pair} have the same cells and samples over different media ({what} {a[what][:12]} and "
            f"{b[what][:12]})",
            fix=fix,
        )


def _units(run: Run, asked: str | None) -> Units:
    """Code the unit of every sample; a unit that nobody recorded is the sample itself."""
    name = asked or run.result["data"]["unit"]
    if name not in UNITS:
        raise MerbenchError(f"there is no unit '{name}'", fix=f"choose one of {', '.join(UNITS)}")
    grid = run.grid
    values: tuple[str | None, ...] = {
        "speaker": grid.speakers,
        "dialogue": grid.dialogues,
        "session": grid.sessions,
        "sample": grid.ids,
    }[name]
    loners = sum(value is None for value in values)
    if asked is not None and loners == len(values):
        raise MerbenchError(
            f"no sample of {run.where} has a {name}", fix="choose another --unit; 'sample' is always there"
        )
    # A prefix keeps a nameless sample apart from a unit that happens to have its id as name.
    known = [f"={value}" if value is not None else f"?{i}" for value, i in zip(values, grid.ids, strict=True)]
    names, code = np.unique(known, return_inverse=True)
    actual = "sample" if loners == len(values) else name
    alone = np.array([str(n).startswith("?") for n in names])
    return Units(actual, code.astype(np.int64), tuple(str(n)[1:] for n in names), alone)


def _grouped(members: Sequence[int], names: Sequence[Hashable]) -> dict[Hashable, list[int]]:
    found: dict[Hashable, list[int]] = defaultdict(list)
    for k in members:
        found[names[k]].append(k)
    return dict(found)
