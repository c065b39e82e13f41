"""``merbench report`` and ``merbench paper``: runs as a page to read and as files for a paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from merbench.cli._arguments import (
    AsJson,
    FaceDetectorFile,
    Frames,
    FrameSize,
    NoiseRoot,
    Root,
    SampleRate,
    media_spec,
)

Runs = Annotated[list[Path], typer.Argument(help="Folders written by 'merbench eval', over the same suite.")]
Metric = Annotated[str, typer.Option(help="uar, accuracy, macro_f1 or weighted_f1.")]
Unit = Annotated[
    str | None,
    typer.Option(help="speaker, dialogue, session or sample. Default: what the dataset's card says."),
]


def report(
    runs: Runs,
    out: Annotated[Path, typer.Option(help="The HTML page to write.")] = Path("report.html"),
    metric: Metric = "uar",
    unit: Unit = None,
    figures: Annotated[Path | None, typer.Option(help="A folder: every figure as SVG and PNG.")] = None,
    tables: Annotated[Path | None, typer.Option(help="A folder: every table as CSV and LaTeX.")] = None,
    media: Annotated[
        bool | None,
        typer.Option(
            "--media/--no-media",
            help="Sound, frames and text of the failures. Default: if the licence of the data allows it. "
            "With --media also where it does not: for your own eyes, and marked so.",
        ),
    ] = None,
    suite: Annotated[
        Path | None,
        typer.Option(help="The suite that the runs were evaluated on; without it, streamed again."),
    ] = None,
    root: Root = None,
    noise_root: NoiseRoot = None,
    face_detector: FaceDetectorFile = None,
    sample_rate: SampleRate = "16000",
    frames: Frames = 16,
    frame_size: FrameSize = "224",
    json: AsJson = False,
) -> None:
    """Write one self-contained HTML page about 1 to 10 runs.

    Curves, maps and intervals, confusions, calibration, cost, and the failures to look at.
    """
    from merbench.cli._console import emit, say
    from merbench.report import Media, write_report

    wanted = Media(
        wanted=media,
        suite=suite,
        root=root,
        noise_root=noise_root,
        face_detector=face_detector,
        spec=media_spec(sample_rate, frames, frame_size),
    )
    told = write_report(
        runs, out, metric=metric, unit=unit, media=wanted, figures_folder=figures, tables_folder=tables
    )
    for line in told:
        say(line)
    if json:
        emit({"report": str(out), "notes": told})
    else:
        say(f"report: {out}")


def paper(
    runs: Runs,
    out: Annotated[Path, typer.Option(help="The folder to write.")] = Path("paper"),
    metric: Metric = "uar",
    unit: Unit = None,
    json: AsJson = False,
) -> None:
    """Compute every figure of runs again, and write tables, figures and citations for a paper."""
    from merbench.cli._console import emit, say
    from merbench.report import write_paper

    written = write_paper(runs, out, metric=metric, unit=unit)
    if json:
        emit({"folder": str(out), "files": written})
    else:
        say("every figure was computed again from the predictions and agrees")
        say(f"wrote {len(written)} files: {out}")
