"""Write the tables of README.md and docs/ from committed runs, or check that they are up to date.

    python docs/tables.py           # rewrite every table
    python docs/tables.py --check   # exit 1 naming the first page that differs

A table stands between ``<!-- run: FOLDER METRIC -->`` and ``<!-- end -->``; FOLDER is relative to the
repository. Every figure is first computed again from the folder's predictions. After ``<!-- runs: ... -->``
the runs below FOLDER stand side by side, each but the first by name as a paired difference from the first;
or FOLDER is the run to take differences from, and those beside it follow. ``<!-- ablation: STUDY FOLDER TABLE
-->`` is a table of a study, found anew from the answers of all its runs below FOLDER.
"""

from __future__ import annotations

import itertools
import re
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from merbench.ablation.findings import find, tables
from merbench.ablation.run import Ablation
from merbench.ablation.study import load_study
from merbench.evaluation.result import recompute
from merbench.evaluation.table import run_table
from merbench.statistics.intervals import paired_interval, single_interval
from merbench.statistics.panel import OVERALL, load_panel
from merbench.tables import Row, Table

if TYPE_CHECKING:
    from merbench.statistics.intervals import Interval

ROOT = Path(__file__).resolve().parents[1]
TABLE = re.compile(r"<!-- (runs?): (\S+) (\S+) -->\n.*?<!-- end -->", re.DOTALL)
STUDY_TABLE = re.compile(r"<!-- ablation: (\S+) (\S+) (\S+) -->\n.*?<!-- end -->", re.DOTALL)


def pages() -> list[Path]:
    """Return every Markdown page that may hold a table."""
    found = (ROOT.glob(f"{place}/**/*.md") for place in ("docs", "examples", "merbench/models"))
    return sorted([ROOT / "README.md", *itertools.chain.from_iterable(found)])


def filled(page: Path) -> str:
    """Return the page with every table made anew."""

    def table(match: re.Match[str]) -> str:
        kind, folder, metric = match.groups()
        path = ROOT / folder
        shown = run_table(recompute(path), metric=metric) if kind == "run" else side_by_side(path, metric)
        return f"<!-- {kind}: {folder} {metric} -->\n{shown.markdown()}<!-- end -->"

    def study_table(match: re.Match[str]) -> str:
        study, folder, name = match.groups()
        shown = study_tables(study, ROOT / folder)[name]
        return f"<!-- ablation: {study} {folder} {name} -->\n{shown.markdown()}<!-- end -->"

    return STUDY_TABLE.sub(study_table, TABLE.sub(table, page.read_text(encoding="utf-8")))


@cache
def study_tables(study: str, folder: Path) -> dict[str, Table]:
    """Return every table of a study by its name."""
    asked = load_study(str(ROOT / study) if study.endswith(".toml") else study)
    ablation = Ablation(asked, folder)
    if not ablation.claimed():  # refuses another study's folder by itself
        sys.exit(f"{folder} holds no study")
    found = find(ablation, asked.train.seeds)
    return {table.name: table for one in found for table in tables(one)}


def side_by_side(folder: Path, metric: str) -> Table:
    """Return the runs below a folder, or beside a run, as columns and their cells as rows, with intervals."""
    home = folder.parent if (folder / "result.json").exists() else folder
    runs = sorted((path.parent for path in home.glob("*/result.json")), key=lambda run: (run != folder, run))
    panel = load_panel([f"{run.name}={run}" for run in runs])
    first, *others = [model.name for model in panel.models]
    scopes: list[tuple[str, Any]] = [("clean", OVERALL)]
    for corruption in panel.of_kind("corruption"):
        severities = [s for s in panel.of_kind("severity") if set(s.cells) <= set(corruption.cells)]
        scopes += [(s.name, s) for s in severities] if len(severities) > 1 else []
        scopes.append((corruption.name + " mean" * (len(severities) > 1), corruption))
    families = {name.partition(" ")[0] for name, _ in scopes[1:]}
    prefix = families.pop() if len(families) == 1 else ""
    rows = []
    for name, scope in scopes:
        what: dict[str, Any] = {
            "metric": metric,
            "quantity": "clean" if name == "clean" else "noisy",
            "scope": scope,
        }
        cells = [_interval(single_interval(panel, first, **what), "")]
        cells += [_interval(paired_interval(panel, other, first, **what), "+") for other in others]
        rows.append(Row((name.removeprefix(prefix).strip(), *cells)))
    data, units = panel.data, panel.units
    return Table(
        name=f"{home.name}-{metric}",
        title=f"{metric} on {data['dataset']} ({data['split']}), {len(panel.sample_ids)} samples"
        + f", {prefix}" * bool(prefix),
        columns=("", first, *(f"{other} - {first}" for other in others)),
        rows=tuple(rows),
        caption=f"95 % intervals over {len(units)} {units.name}s, each for itself; differences are paired",
    )


def _interval(found: Interval, sign: str) -> str:
    estimate, low, high = (
        "-" if x is None else f"{x:{sign}z.3f}" for x in (found.estimate, found.low, found.high)
    )
    return f"{estimate} [{low}, {high}]"


def main() -> None:
    """Rewrite or check."""
    for page in pages():
        text = filled(page)
        if text != page.read_text(encoding="utf-8"):
            if "--check" in sys.argv:
                sys.exit(f"{page.relative_to(ROOT)} differs from its runs: python docs/tables.py")
            page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
