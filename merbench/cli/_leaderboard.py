"""``merbench leaderboard``: add to a board, verify it, build its pages, publish a row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from merbench.cli._arguments import AsJson

if TYPE_CHECKING:
    from merbench.leaderboard.verify import Verdict

leaderboard = typer.Typer(no_args_is_help=True)

_BOARDS = Path("leaderboards")
Boards = Annotated[Path, typer.Argument(help="A board, or a folder of boards.", show_default=str(_BOARDS))]


@leaderboard.command("add")
def add(
    run: Annotated[
        Path, typer.Argument(help="A folder written by 'merbench eval' (streamed: with --verify).")
    ],
    board: Annotated[Path, typer.Option(help="The board's folder; the first row makes it.")],
    recipe: Annotated[
        str | None,
        typer.Option(
            help="How it was trained: clean, noise, fgsm, pgd, noise+fgsm, noise+pgd, noise-aware, "
            "other, none."
        ),
    ] = None,
    about: Annotated[str, typer.Option(help="What the model is, in a sentence or two.")] = "",
    url: Annotated[str | None, typer.Option(help="Where it can be had or read about.")] = None,
    licence: Annotated[str | None, typer.Option(help="Of its weights.")] = None,
    submitter: Annotated[str | None, typer.Option(help="Who adds it.")] = None,
    bibtex: Annotated[Path | None, typer.Option(help="A file with its BibTeX entry.")] = None,
    metric: Annotated[
        str | None, typer.Option(help="What a new board is ranked by. Default: the protocol's, or uar.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Compute a row from a run's answers, and keep the answers beside it."""
    from merbench.cli._console import emit, say
    from merbench.evaluation.result import read_result
    from merbench.evaluation.table import default_metric, label_metric
    from merbench.leaderboard.board import add_run
    from merbench.leaderboard.row import make_statement

    statement = make_statement(
        recipe=recipe,
        about=about,
        url=url,
        licence=licence,
        submitter=submitter,
        bibtex=None if bibtex is None else bibtex.read_text(encoding="utf-8"),
    )
    ranked_by = metric or label_metric(default_metric(read_result(run)))  # boards are of the labels
    path = add_run(run, board, statement, metric=ranked_by)
    if json:
        emit({"row": str(path), "predictions": str(path.with_suffix(".parquet"))})
    say(f"wrote {path} and its answers beside it\nnext: merbench leaderboard verify {board}")


@leaderboard.command("verify")
def verify(boards: Boards = _BOARDS, json: AsJson = False) -> None:
    """Compute every hash and figure of every row again; exit 1 if one is wrong, 2 if one cannot be told."""
    from merbench.cli._console import emit, out
    from merbench.leaderboard.board import find_boards
    from merbench.leaderboard.verify import verify_board

    verdicts = [verdict for folder in find_boards(boards) for verdict in verify_board(folder)]
    if json:
        emit(
            [
                {"row": str(v.path), "outcome": v.outcome, "why": v.why, "flags": list(v.flags)}
                for v in verdicts
            ]
        )
    else:
        console = out()
        for verdict in verdicts:
            for line in _lines(verdict):
                console.print(line, markup=False, soft_wrap=True)
        good = sum(verdict.outcome == "verified" for verdict in verdicts)
        console.print(f"{good} of {len(verdicts)} rows verified", markup=False)
    outcomes = {verdict.outcome for verdict in verdicts}
    raise typer.Exit(1 if "wrong" in outcomes else 2 if "cannot tell" in outcomes else 0)


def _lines(verdict: Verdict) -> list[str]:
    lines = [f"{verdict.outcome:<11} {verdict.why or verdict.path}"]
    return lines + [f"{'':<11} flag: {flag}" for flag in verdict.flags]


@leaderboard.command("render")
def render(
    boards: Boards = _BOARDS,
    out: Annotated[Path, typer.Option(help="The folder to write.")] = Path("site"),
    json: AsJson = False,
) -> None:
    """Build the static pages of one board or of several; they need no server and no network."""
    from merbench.cli._console import emit, say
    from merbench.leaderboard.board import find_boards
    from merbench.leaderboard.site import build_site

    pages = build_site(find_boards(boards), out)
    if json:
        emit({"index": str(out / "index.html"), "entries": pages})
    say(f"wrote {out / 'index.html'} and {pages} entries")


@leaderboard.command("publish")
def publish(
    row: Annotated[Path, typer.Argument(help="A row: leaderboards/BOARD/MODEL@FINGERPRINT.json.")],
    repository: Annotated[str, typer.Option("--to", help="The model's repository on the hub: OWNER/NAME.")],
    yes: Annotated[
        bool, typer.Option("--yes", help="Send it; without this, only say what would be sent.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Put a verified row, its answers, and its scores as model-card metadata on the Hugging Face hub.

    Media and transcripts are never sent. HF_TOKEN or 'hf auth login' says who you are.
    """
    from merbench.cli._console import emit, say, size
    from merbench.leaderboard.publish import prepare, send

    package = prepare(row, repository)
    for name, content in package.files.items():
        say(f"{'sending' if yes else 'would send'} {name} ({size(len(content))}) to {repository}")
    url = send(package) if yes else None
    if json:
        emit({"repository": repository, "files": sorted(package.files), "sent": yes, "commit": url})
    elif yes:
        say(f"sent: {url}")
    else:
        from merbench.cli._console import out

        out().print(package.metadata, markup=False, soft_wrap=True)
        say("nothing was sent: add --yes")
