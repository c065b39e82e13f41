"""``merbench compare``: which model is better under which noise, and how sure that is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from merbench.cli._arguments import AsJson

if TYPE_CHECKING:
    from merbench.statistics.compare import Comparison


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Run folders, the reference first; NAME=RUN names a model, NAME=RUN,RUN its training seeds."
        ),
    ],
    unit: Annotated[
        str | None,
        typer.Option(
            help="speaker, dialogue, session or sample. Default: the protocol's, or the dataset card's."
        ),
    ] = None,
    metric: Annotated[str, typer.Option(help="uar, accuracy, macro_f1 or weighted_f1.")] = "uar",
    estimand: Annotated[
        str, typer.Option(help="pooled (all samples together) or unit-mean (the typical unit).")
    ] = "pooled",
    level: Annotated[float, typer.Option(help="Of confidence.")] = 0.95,
    permutations: Annotated[
        int, typer.Option(min=99, help="Random swaps of whole units, where there are too many for all.")
    ] = 9_999,
    hypotheses: Annotated[
        bool, typer.Option("--hypotheses", help="Also test the presets H1 to H4 (docs/statistics.md).")
    ] = False,
    margin: Annotated[
        float, typer.Option(min=0.0, help="H2: what may be lost without noise; 0.02 is two points.")
    ] = 0.02,
    regression: Annotated[
        str | None, typer.Option(help="Also fit right answers by 'gee' or 'mixed' (statsmodels).")
    ] = None,
    method: Annotated[
        str, typer.Option(help="clustered; 'naive' adds the t-test over cells, only to reproduce papers.")
    ] = "clustered",
    across_datasets: Annotated[
        bool,
        typer.Option(
            "--across-datasets",
            help="Rank models over datasets instead: NAME=RUN,RUN,... with one run per dataset.",
        ),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Also write the tables: FILE.md, .txt, .csv, .tex, or .json.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Compare models on the same samples, paired and clustered by speaker (or what --unit says).

    Every further run is compared with the first one.
    """
    from merbench.cli._console import emit, say
    from merbench.cli._console import out as console
    from merbench.errors import MerbenchError
    from merbench.statistics.compare import compare as compare_runs
    from merbench.statistics.mixed import KINDS
    from merbench.statistics.table import tables

    if regression is not None and regression not in KINDS:
        raise MerbenchError(f"there is no regression '{regression}'", fix=f"choose one of {', '.join(KINDS)}")
    if out is not None:
        _require_suffix(out)
    if across_datasets:
        from merbench.statistics.across import across_datasets as rank
        from merbench.statistics.table import across_table

        ranked = rank(runs, metric=metric, level=level)
        if json:
            emit(ranked.to_json())
        else:
            console().print(across_table(ranked, metric).rich())
        return
    found = compare_runs(
        runs,
        unit=unit,
        metric=metric,
        estimand=estimand.replace("-", " "),  # type: ignore[arg-type]
        level=level,
        permutations=permutations,
        hypotheses=hypotheses,
        margin=margin,
        method=method,  # type: ignore[arg-type]
        regression=regression,
    )
    if out is not None:
        _write(found, out)
    if json:
        emit(found.to_json())
        return
    for warning in found.warnings:
        say(f"note: {warning}")
    terminal = console()
    for sentence in found.findings:
        terminal.print(sentence, markup=False)
    for table in tables(found):
        terminal.print()
        terminal.print(table.rich())
    if out is not None:
        say(f"written: {out}")


def _require_suffix(path: Path) -> None:
    from merbench.errors import MerbenchError
    from merbench.tables import SUFFIX

    if path.suffix not in (".json", *SUFFIX.values()):
        raise MerbenchError(
            f"no table can be written as '{path.name}'",
            fix=f"end the name in .json, {', '.join(SUFFIX.values())}",
        )


def _write(found: Comparison, path: Path) -> None:
    from merbench.files import atomic, write_json
    from merbench.statistics.table import tables
    from merbench.tables import SUFFIX

    if path.suffix == ".json":
        write_json(path, found.to_json())
        return
    form = next(form for form, suffix in SUFFIX.items() if suffix == path.suffix)
    words = [] if form in ("csv", "latex") else ["\n".join(f"- {line}" for line in found.findings) + "\n"]
    with atomic(path) as handle:
        wide = form in ("csv", "markdown")
        handle.write("\n".join([*words, *(table.to(form) for table in tables(found, wide=wide))]).encode())
