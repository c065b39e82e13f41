"""``merbench suite``: verify or show a built suite."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from merbench.cli._arguments import AsJson

suite = typer.Typer(no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="A folder written by 'merbench corrupt'.")]


@suite.command("verify")
def verify(folder: Folder, json: AsJson = False) -> None:
    """Decode and hash everything again; exit 2 naming the first sample that is not as it was built."""
    from merbench.cli._console import emit, progress, say
    from merbench.suites.store import Suite
    from merbench.suites.verify import verify_suite

    opened = Suite.open(folder)
    with progress("verifying", opened.size) as advance:
        verify_suite(opened, progress=advance)
    if json:
        emit({"folder": str(folder), "verified": True, "content_root": opened.content_root})
    else:
        say(
            f"{folder}: {opened.size} samples x {len(opened.cells)} cells are as built, "
            f"content_root {opened.content_root}"
        )


@suite.command("show")
def show(folder: Folder, json: AsJson = False) -> None:
    """Show what a suite holds: data, cells, roots, sizes."""
    from merbench.cli._console import emit, out, size
    from merbench.suites.store import Suite

    opened = Suite.open(folder)
    if json:
        emit(opened.manifest)
        return
    from rich.table import Table

    console = out()
    facts = opened.facts
    console.print(f"[bold]{folder}[/bold]  {facts.dataset} ({facts.split or 'all'}), {opened.size} samples")
    console.print(
        f"recipe_id {opened.recipe_id}\ncontent_root {opened.content_root}\nlicence {facts.licence}"
    )
    table = Table(box=None, header_style="bold")
    for column in ("cell", "corruption", "severity", "options", "root"):
        table.add_column(column, no_wrap=column != "options")
    table.add_column("size", justify="right", no_wrap=True)
    for cell in opened.cells:
        written = sum(
            shard["bytes"] for name, shard in opened.manifest["shards"].items() if f"/{cell.cell_id}/" in name
        )
        options = ", ".join(f"{key}={value}" for key, value in cell.options.items())
        root = opened.manifest["roots"][cell.cell_id][:8]
        table.add_row(cell.cell_id, cell.corruption, str(cell.severity or ""), options, root, size(written))
    console.print(table)
