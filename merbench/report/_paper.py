"""A folder for a paper: tables and figures from verified runs, where each comes from, and what to cite."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from merbench.errors import MerbenchError
from merbench.evaluation.table import require_metric
from merbench.files import atomic, contents, locked
from merbench.report._bibliography import bibliography
from merbench.report._study import read_study
from merbench.report._tables import all_tables, data_title
from merbench.report._write import write_figures, write_tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from merbench.report._study import Study

_README = "README.md"
_TITLE = "# Tables and figures of merbench runs"


def write_paper(
    runs: Sequence[Path], folder: Path, *, metric: str = "uar", unit: str | None = None
) -> list[str]:
    """Compute every figure of the runs again and write them as a paper needs them.

    The folder holds every table as LaTeX, CSV and Markdown, every figure as SVG and PNG,
    CITATIONS.bib, and a README.md that names runs, hashes and command. The same runs give the same bytes.

    Args:
        runs: folders written by ``merbench eval``, over the same suite.
        folder: where; empty, or written by this function before.
        metric: the metric of the tables, one of `merbench.evaluation.metrics.SUMMARY_METRICS`.
        unit: the unit of analysis of the intervals, by default the dataset card's.

    Returns:
        The names of the files.

    Raises:
        MerbenchError: a figure of a run does not follow from its predictions, the runs do not match, or
            the folder holds something else.
        WriteError: the disk refuses.
    """
    require_metric(metric)
    study = read_study(runs, unit=unit)
    with locked(folder):
        if contents(folder) and not _is_ours(folder):
            raise MerbenchError(
                f"{folder} is not empty and holds no paper folder", fix="choose another --out"
            )
        with atomic(folder / _README) as handle:
            handle.write(_readme(study, metric, unit).encode())
        write_tables(study, metric, folder / "tables", ("latex", "csv", "markdown"))
        write_figures(study, metric, folder / "figures")
        with atomic(folder / "CITATIONS.bib") as handle:
            handle.write(bibliography(study).encode())
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*") if path.name != ".lock")


def _is_ours(folder: Path) -> bool:
    readme = folder / _README
    return readme.is_file() and readme.read_text(encoding="utf-8").startswith(_TITLE)


def _readme(study: Study, metric: str, unit: str | None) -> str:
    options = f" --metric {metric}" + (f" --unit {unit}" if unit else "")
    command = f"merbench paper {' '.join(folder.name for folder in study.folders)}{options}"
    lines = [
        _TITLE,
        "",
        f"On {data_title(study)}. Written by merbench {version('merbench')} with",
        "",
        f"    {command}",
        "",
        "after every figure was computed again from the predictions below and agreed to the last digit.",
        "",
    ]
    for model, folder in zip(study.models, study.folders, strict=True):
        result = model.result
        lines += [
            f"## {model.name}",
            "",
            f"- run: `{folder.name}`",
            f"- model fingerprint: `{result['model']['fingerprint']}`",
            f"- predictions (sha256): `{result['predictions']['sha256']}`",
            f"- recipe: `{result['recipe_id']}`",
            f"- content: `{result['content_root'] or 'not hashed (streamed)'}`",
            *(f"- {mark['kind'].upper()}: {mark['why']}" for mark in result["marks"]),
            "",
        ]
    lines += ["## Tables", ""]
    for table in all_tables(study, metric):
        lines += [f"- `tables/{table.file_name}`: {table.title}. {table.caption}".rstrip()]
    lines += ["", "LaTeX needs `\\usepackage{booktabs}`; `CITATIONS.bib` says what to cite.", ""]
    return "\n".join(lines)
