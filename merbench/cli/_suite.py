"""``merbench suite``: verify, show, rebuild or export a suite."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from merbench.cli._arguments import AsJson, FaceDetectorFile, NoiseRoot, Out, Root, Workers

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
    from merbench.suites.faces import lost_faces, tell_faces
    from merbench.suites.store import Suite

    opened = Suite.open(folder)
    if json:
        emit(opened.manifest)
        return
    from rich.markup import escape
    from rich.table import Table

    console = out()
    facts = opened.facts
    console.print(f"[bold]{folder}[/bold]  {facts.dataset} ({facts.split or 'all'}), {opened.size} samples")
    console.print(
        f"recipe_id {opened.recipe_id}\ncontent_root {opened.content_root}\nlicence {facts.licence}"
    )
    table = Table(box=None, header_style="bold")
    rows = []
    for cell in opened.cells:
        written = sum(
            shard["bytes"] for name, shard in opened.manifest["shards"].items() if f"/{cell.cell_id}/" in name
        )
        options = ", ".join(f"{key}={value}" for key, value in cell.options.items())
        root = opened.manifest["roots"][cell.cell_id][:8]
        severity = str(cell.severity or "")
        rows.append((cell.cell_id, cell.corruption, severity, options, root, size(written)))
    for i, column in enumerate(("cell", "corruption", "severity", "options", "root", "size")):
        # Names and options fold on a narrow terminal; what is short stays whole.
        whole = max(len(column), *(len(row[i]) for row in rows)) if i in (2, 4, 5) else None
        table.add_column(
            column, overflow="fold", width=whole, justify="right" if column == "size" else "left"
        )
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)
    if opened.overlay is not None:
        console.print(f"labels laid over {opened.overlay.clips} clips, of {len(opened.overlay.votes)} cells")
    if "faces" in opened.manifest:
        console.print(tell_faces(opened.manifest["faces"], opened.cells), soft_wrap=True)
        if (lost := lost_faces(opened.manifest["faces"], opened.cells)) is not None:
            console.print(lost.rich())


@suite.command("rebuild")
def rebuild(
    source: Annotated[Path, typer.Argument(help="A suite's folder, or a recipe.json.")],
    root: Root = None,
    noise_root: NoiseRoot = None,
    face_detector: FaceDetectorFile = None,
    labels: Annotated[
        Path | None, typer.Option(help="The table of labels laid over it, where the folder is not at hand.")
    ] = None,
    out: Out = None,
    workers: Workers = 2,
    json: AsJson = False,
) -> None:
    """Make a suite again from its recipe alone; refuse if data, noise or corruptions are not the same.

    Without --out a folder is filled in place. A complete suite is verified and left as it is.
    """
    from merbench.cli._console import emit, progress, say
    from merbench.cli._corrupt import default_folder, require_room
    from merbench.suites.rebuild import find_record, plan_from_record, rebuild_suite

    record = find_record(source)
    plan = plan_from_record(
        record, root=root, noise_root=noise_root, face_detector=face_detector, labels=labels
    )
    folder = out or (source if source.is_dir() else default_folder(plan))
    require_room(plan, folder)
    with progress("rebuilding", plan.size) as advance:
        rebuilt = rebuild_suite(plan, record, folder, workers=workers, progress=advance)
    if json:
        emit({"folder": str(folder), "recipe_id": rebuilt.recipe_id, "content_root": rebuilt.content_root})
    else:
        say(f"{folder}: {rebuilt.size} samples x {len(rebuilt.cells)} cells")
        say(f"recipe_id    {rebuilt.recipe_id}\ncontent_root {rebuilt.content_root}")


@suite.command("export")
def export(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    cell: Annotated[
        list[str] | None, typer.Option(help="Only this cell (may be repeated); 'suite show' lists them.")
    ] = None,
    workers: Workers = 2,
    json: AsJson = False,
) -> None:
    """Write plain files: per cell WAV, MP4 and a samples.csv, which '--dataset table' reads."""
    from merbench.cli._console import emit, progress, say
    from merbench.suites.export import export_suite
    from merbench.suites.store import Suite

    opened = Suite.open(folder)
    with progress("exporting", opened.size) as advance:
        cells = export_suite(opened, out, cells=cell or (), workers=workers, progress=advance)
    if json:
        emit({"folder": str(out), "cells": list(cells), "samples": opened.size})
    else:
        say(f"wrote {out}: {opened.size} samples x {len(cells)} cells; licence {opened.facts.licence}")
        say(f"next: merbench dataset check table --root {out / cells[-1]}")
