"""``merbench corrupt``: write a graded test suite."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from merbench.cli._arguments import AsJson, MakePlan, Out, Workers, takes_plan

if TYPE_CHECKING:
    from merbench.suites.plan import Plan


@takes_plan
def corrupt(
    make_plan: MakePlan,
    out: Out = None,
    recipe_only: Annotated[
        bool, typer.Option("--recipe-only", help="Write only recipe.json, which says what the suite is.")
    ] = False,
    labels: Annotated[
        Path | None,
        typer.Option(help="A table of labels that people gave to the corrupted clips (docs/faces.md)."),
    ] = None,
    workers: Workers = 2,
    json: AsJson = False,
) -> None:
    """Write a graded test suite: every sample clean, and corrupted in every cell.

    Killed or out of disk? Run the same command again and it goes on; the bytes come out the same.
    """
    from merbench.cli._console import emit, progress, say, size
    from merbench.suites.build import build_suite, write_recipe
    from merbench.suites.faces import tell_faces
    from merbench.suites.idle import idle_cells
    from merbench.suites.overlay import read_overlay

    plan = make_plan()
    if labels is not None:
        ids = [u.id for u in plan.utterances]
        plan = replace(plan, overlay=read_overlay(labels, plan.cells, ids, plan.dataset.labels))
    folder = out or default_folder(plan)
    if recipe_only:
        write_recipe(plan, folder)
        if json:
            emit({"folder": str(folder), "recipe_id": plan.recipe_id})
        else:
            say(f"wrote {folder / 'recipe.json'}\nrecipe_id    {plan.recipe_id}")
            say(f"next: merbench suite rebuild {folder}")
        return
    require_room(plan, folder)
    with progress("corrupting", plan.size) as advance:
        suite = build_suite(plan, folder, workers=workers, progress=advance)
    idle = idle_cells(suite)
    if json:
        emit(
            {
                "folder": str(folder),
                "recipe_id": suite.recipe_id,
                "content_root": suite.content_root,
                "idle": [asdict(one) for one in idle],
            }
        )
    else:
        written = sum(shard["bytes"] for shard in suite.manifest["shards"].values())
        say(f"wrote {folder} ({size(written)}): {suite.size} samples, {len(suite.cells)} cells")
        say(f"recipe_id    {suite.recipe_id}\ncontent_root {suite.content_root}")
        if suite.overlay is not None:
            say(f"labels laid over {suite.overlay.clips} clips, of {len(suite.overlay.votes)} cells")
        if "faces" in suite.manifest:
            say(tell_faces(suite.manifest["faces"], suite.cells))
        for one in idle:
            levels = ", ".join(map(str, one.severities))
            say(f"note: {one.corruption} applies to no sample at severity {levels}: {one.reason}")
        say(f"next: merbench eval --suite {folder} --model late-fusion")


def default_folder(plan: Plan) -> Path:
    """Return where a suite goes when nobody says."""
    return Path("suites") / f"{plan.dataset.name}-{plan.recipe_id[:8]}"


def require_room(plan: Plan, folder: Path) -> None:
    """Say how much a suite that is not yet begun will take, and refuse what cannot fit."""
    from merbench.cli._console import say, size
    from merbench.suites.build import check_room, estimate_bytes

    if not (folder / "data").exists():
        needed = estimate_bytes(plan)
        say(f"{plan.size} samples x {len(plan.cells)} cells, about {size(needed)} in {folder}")
        check_room(needed, folder)
