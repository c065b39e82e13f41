"""The findings of a study as files: tables, pictures, and one JSON with hashes of all runs."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from merbench.ablation.findings import tables
from merbench.ablation.picture import entries, trade_off
from merbench.files import atomic, write_json
from merbench.report._drawing import png, svg
from merbench.report._figure import joined
from merbench.report._palette import LIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from merbench.ablation.findings import TestFindings
    from merbench.ablation.run import Ablation

SCHEMA_VERSION = 2
"""Version of ``ablation.json``; raised when a field changes its meaning."""


def write_findings(ablation: Ablation, seeds: Sequence[int], found: Sequence[TestFindings]) -> list[Path]:
    """Write ``ablation.json``, ``ablation.md``, and per test its tables as CSV and a picture."""
    folder, written = ablation.folder, []
    path = folder / "ablation.json"
    write_json(
        path,
        {
            "schema": SCHEMA_VERSION,
            "merbench": version("merbench"),
            "study": ablation.study.to_json(),
            "seeds": list(seeds),
            "tests": [one.to_json() for one in found],
        },
    )
    written.append(path)
    for one in found:
        for table in tables(one):
            written.append(_write(folder / f"{table.file_name}.csv", table.csv().encode()))
        sheet = joined(trade_off(one), entries(one))
        written.append(_write(folder / f"ablation-{one.name}.svg", svg(sheet, LIGHT).encode()))
        written.append(_write(folder / f"ablation-{one.name}.png", png(sheet)))
    page = [f"# {ablation.study.name}\n", f"{ablation.study.about}\n"]
    for one in found:
        page += [f"## {one.name}\n", f"![what robustness costs](ablation-{one.name}.png)\n"]
        page += [table.markdown() for table in tables(one)]
    written.append(_write(folder / "ablation.md", "\n".join(page).encode()))
    return written


def _write(path: Path, content: bytes) -> Path:
    with atomic(path) as handle:
        handle.write(content)
    return path
