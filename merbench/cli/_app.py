"""The commands and where each one lives."""

from __future__ import annotations

from typing import Annotated

import typer

from merbench.cli import (
    _ablate,
    _check,
    _compare,
    _corrupt,
    _dataset,
    _demo,
    _eval,
    _leaderboard,
    _list,
    _model,
    _protocol,
    _report,
    _suite,
    _train,
)

app = typer.Typer(
    name="merbench",
    help="How far can an emotion recognition model be trusted once the input is noisy, covered or missing?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Every command takes --json (machine-readable stdout) and --debug (tracebacks).",
)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(version("merbench"))
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


app.command("demo")(_demo.demo)
app.command("list")(_list.list_plugins)
app.command("corrupt")(_corrupt.corrupt)
app.command("eval")(_eval.evaluate)
app.command("train")(_train.train)
app.command("ablate")(_ablate.ablate)
app.command("compare")(_compare.compare)
app.command("check")(_check.check)
app.command("report")(_report.report)
app.command("paper")(_report.paper)
app.add_typer(_list.show, name="show", help="Show one thing in full.")
app.add_typer(_dataset.dataset, name="dataset", help="Look at a dataset on disk.")
app.add_typer(_protocol.protocol, name="protocol", help="Hold data against an evaluation protocol.")
app.add_typer(_model.model, name="model", help="Look at a model, or fit several to each other.")
app.add_typer(_suite.suite, name="suite", help="Look at a suite, make it again, or export it.")
app.add_typer(
    _leaderboard.leaderboard, name="leaderboard", help="Boards whose every figure can be computed again."
)
