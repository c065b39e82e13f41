"""``merbench corrupt``: write a graded test suite."""

from __future__ import annotations

from pathlib import Path

from merbench.cli._arguments import (
    AsJson,
    Corruptions,
    DatasetName,
    Frames,
    FrameSize,
    Limit,
    NoiseFolds,
    NoiseRoot,
    Out,
    Replicates,
    Root,
    SampleRate,
    Seed,
    Severity,
    SnrReference,
    Split,
    Workers,
)


def corrupt(
    dataset: DatasetName = "synthetic",
    root: Root = None,
    corruption: Corruptions = None,
    severity: Severity = "1-5",
    out: Out = None,
    split: Split = None,
    limit: Limit = None,
    sample_rate: SampleRate = "16000",
    frames: Frames = 16,
    frame_size: FrameSize = "224",
    noise_root: NoiseRoot = None,
    noise_folds: NoiseFolds = None,
    snr_reference: SnrReference = None,
    seed: Seed = 0,
    replicates: Replicates = 1,
    workers: Workers = 2,
    json: AsJson = False,
) -> None:
    """Write a graded test suite: every sample clean, and corrupted in every cell.

    Killed or out of disk? Run the same command again and it goes on; the bytes come out the same.
    """
    from merbench.cli._arguments import make_plan, open_dataset
    from merbench.cli._console import emit, progress, say, size
    from merbench.suites.build import build_suite, check_room, estimate_bytes

    plan = make_plan(
        open_dataset(dataset, root, sample_rate, frames, frame_size),
        corruption=corruption,
        severity=severity,
        split=split,
        limit=limit,
        noise_root=noise_root,
        noise_folds=noise_folds,
        snr_reference=snr_reference,
        seed=seed,
        replicates=replicates,
    )
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
