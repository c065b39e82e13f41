"""``merbench protocol check``: are the data on disk those that a protocol was published with?"""

from __future__ import annotations

from typing import Annotated

import typer

from merbench.cli._arguments import AsJson, Root

protocol = typer.Typer(no_args_is_help=True)


@protocol.callback()
def _group() -> None:
    """Keep ``check`` a command of its own."""


@protocol.command("check")
def check(
    name: Annotated[str, typer.Argument(help="A committed protocol, or a TOML file.")],
    root: Root = None,
    json: AsJson = False,
) -> None:
    """Count classes, splits and folds, and hold them against the published ones; exit 1 if they differ.

    Nothing is decoded; 'merbench dataset check' looks into the files.
    """
    from merbench.cli._dataset import show_report
    from merbench.protocols import check_protocol, load_protocol

    report = check_protocol(load_protocol(name), root)
    show_report(report, "nothing contradicts what was published", "not what was published", json=json)
