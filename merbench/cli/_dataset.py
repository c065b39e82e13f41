"""``merbench dataset check``: is what is on disk what was published?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from merbench.cli._arguments import AsJson, Frames, FrameSize, Root, SampleRate

if TYPE_CHECKING:
    from merbench.datasets import CheckReport

dataset = typer.Typer(no_args_is_help=True)


@dataset.callback()
def _group() -> None:
    """Keep ``check`` a command of its own."""


@dataset.command("check")
def check(
    name: Annotated[str, typer.Argument(help="e.g. ravdess, or table:text=Utterance,label=Emotion")],
    root: Root = None,
    sample_rate: SampleRate = "16000",
    frames: Frames = 16,
    frame_size: FrameSize = "224",
    json: AsJson = False,
) -> None:
    """Decode everything, count it, and report defects and duplicates; exit 1 if something is unusable."""
    from merbench.cli._arguments import open_dataset

    show_report(
        open_dataset(name, root, sample_rate, frames, frame_size).check(),
        "usable",
        "not usable as it is",
        json=json,
    )


def show_report(report: CheckReport, good: str, bad: str, *, json: bool) -> None:
    """Print what a check found and that this is `good`, or else `bad` and exit 1."""
    from merbench.cli._console import emit, out

    if json:
        from dataclasses import asdict

        emit({"ok": report.ok, **asdict(report)})
    else:
        console = out()
        for group, counts in report.counts.items():
            console.print(f"[bold]{group}[/bold]  " + "  ".join(f"{key} {n}" for key, n in counts.items()))
        style = {"error": "red", "warning": "yellow", "info": "dim"}
        for finding in report.findings:
            console.print(f"[{style[finding.level]}]{finding.level}[/]  {finding.where}: {finding.what}")
        console.print(good if report.ok else f"[red]{bad}[/red]")
    if not report.ok:
        raise typer.Exit(1)
