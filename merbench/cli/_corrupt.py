"""``merbench corrupt``: write a graded test suite."""

from __future__ import annotations

from pathlib import Path

from merbench.cli._arguments import AsJson, MakePlan, Out, Workers, takes_plan


@takes_plan
def corrupt(make_plan: MakePlan, out: Out = None, workers: Workers = 2, json: AsJson = False) -> None:
    """Write a graded test suite: every sample clean, and corrupted in every cell.

    Killed or out of disk? Run the same command again and it goes on; the bytes come out the same.
    """
    from merbench.cli._console import emit, progress, say, size
    from merbench.suites.build import build_suite, check_room, estimate_bytes

    plan = make_plan()
    folder = out or Path("suites") / f"{plan.dataset.name}-{plan.recipe_id[:8]}"
    if not (folder / "recipe.json").exists():
        needed = estimate_bytes(plan)
        say(f"{plan.size} samples x {len(plan.cells)} cells, about {size(needed)} in {folder}")
        check_room(needed, folder)
    with progress("corrupting", plan.size) as advance:
        suite = build_suite(plan, folder, workers=workers, progress=advance)
    if json:
        emit({"folder": str(folder), "recipe_id": suite.recipe_id, "content_root": suite.content_root})
    else:
        written = sum(shard["bytes"] for shard in suite.manifest["shards"].values())
        say(f"wrote {folder} ({size(written)}): {suite.size} samples, {len(suite.cells)} cells")
        say(f"recipe_id    {suite.recipe_id}\ncontent_root {suite.content_root}")
        say(f"next: merbench eval --suite {folder} --model late-fusion")
