"""``merbench check``: the gate in continuous integration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from merbench.cli._arguments import AsJson


def check(
    run: Annotated[Path, typer.Argument(help="A folder written by 'merbench eval'.")],
    against: Annotated[
        Path | None, typer.Option(help="The baseline to hold it against, a .json with its answers beside it.")
    ] = None,
    write_baseline: Annotated[
        Path | None, typer.Option(help="Keep this run as a baseline instead: NAME.json and NAME.parquet.")
    ] = None,
    tolerance: Annotated[float, typer.Option(help="The drop that is accepted; 0.02 is 2 points.")] = 0.02,
    metric: Annotated[str, typer.Option(help="uar, accuracy, macro_f1 or weighted_f1.")] = "uar",
    unit: Annotated[
        str | None, typer.Option(help="What is independent: speaker, dialogue, session or sample.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Any drop fails, shown or not.")] = False,
    junit: Annotated[Path | None, typer.Option(help="Write the result as JUnit XML.")] = None,
    summary: Annotated[
        Path | None,
        typer.Option(help="Add the result to this Markdown file.", envvar="GITHUB_STEP_SUMMARY"),
    ] = None,
    json: AsJson = False,
) -> None:
    """Hold a run against a baseline: exit 0 held, 1 regressed, 2 could not tell.

    Both answered the same samples, so that answers are compared one by one. A run over another suite, with
    a cell missing, or by another evaluator is never a pass.
    """
    from merbench.cli._console import emit, out, say
    from merbench.errors import MerbenchError
    from merbench.regression import baseline, gate, screen
    from merbench.regression import junit as xml

    if (against is None) == (write_baseline is None):
        raise MerbenchError(
            "a run is held --against a baseline, or kept with --write-baseline", fix="give one of the two"
        )
    if write_baseline is not None:
        record = baseline.write_baseline(run, write_baseline)
        if json:
            emit({"baseline": str(write_baseline), "suite": record.suite.recipe_id})
        say(f"wrote {write_baseline} and {write_baseline.with_name(record.predictions.file).name} beside it")
        say(f"next: merbench check RUN --against {write_baseline}")
        return
    assert against is not None
    report = gate.check(
        baseline.read_new(run),
        baseline.read_baseline(against),
        metric=metric,
        tolerance=tolerance,
        strict=strict,
        unit=unit,
    )
    if junit is not None:
        from merbench.files import atomic

        with atomic(junit) as handle:
            handle.write(xml.to_junit(report))
    if summary is not None:
        _add(summary, screen.to_markdown(report))
    if json:
        emit(report.to_json())
    else:
        out().print(screen.render(report))
    raise typer.Exit(gate.EXIT_CODES[report.verdict])


def _add(path: Path, text: str) -> None:
    """Add text to the end of a file: other steps of a CI job write there too."""
    from merbench.files import atomic

    before = path.read_bytes() if path.exists() else b""
    with atomic(path) as handle:
        handle.write(before + text.encode())
