"""Make a suite again from its recipe alone: how restricted data are shared without sharing them.

A recipe names the data and the noise by content. Whoever has both on disk gets the same bytes, and
whoever has something else is told which part differs before anything is decoded.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from merbench.datasets import datasets, default_root
from merbench.datasets._view import view_from_recipe
from merbench.errors import MerbenchError
from merbench.hashing import hash_json
from merbench.options import build
from merbench.suites.build import build_suite, require_same_content
from merbench.suites.faces import faces_from_recipe
from merbench.suites.overlay import FILE as OVERLAY
from merbench.suites.overlay import Overlay, read_overlay
from merbench.suites.plan import Variant, plan_variants
from merbench.suites.store import Suite, read_record, shard_path
from merbench.suites.verify import verify_suite
from merbench.types import MediaSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from merbench.suites.plan import Plan


def find_record(source: Path) -> Path:
    """Return the manifest.json or else the recipe.json of a folder; a file is itself the record.

    Raises:
        MerbenchError: there is nothing, or neither.
    """
    names = ("manifest.json", "recipe.json")
    if source.is_file():
        return source
    found = next((source / name for name in names if (source / name).is_file()), None)
    if found is None:
        state = "holds neither manifest.json nor recipe.json" if source.is_dir() else "does not exist"
        raise MerbenchError(
            f"{source} {state}", fix="give a suite's folder, or the recipe.json that 'merbench corrupt' wrote"
        )
    return found


def plan_from_record(
    path: Path,
    *,
    root: Path | None = None,
    noise_root: Path | None = None,
    face_detector: Path | None = None,
    labels: Path | None = None,
) -> Plan:
    """Return the plan whose recipe is at `path`, made from what is on this machine.

    Args:
        path: a manifest.json or recipe.json.
        root: where the dataset lies; by default its folder in ``MERBENCH_DATA``.
        noise_root: where the noise lies; by default its folder in ``MERBENCH_DATA``.
        face_detector: the file of the face detector, if the recipe has one.
        labels: the table of labels laid over the suite; by default what lies beside the record.

    Raises:
        MerbenchError: the recipe is damaged or of another format, or what is here is not what it
            was made from.
    """
    record = read_record(path)
    recipe = record["recipe"]
    if hash_json(recipe) != record.get("recipe_id"):
        raise MerbenchError(
            f"{path}: the recipe does not hash to its recipe_id",
            fix="it was changed after it was written: get it again",
        )
    variants = tuple(Variant.from_json(v, {"noise_root": noise_root}) for v in recipe["variants"])
    cls = datasets[recipe["dataset"]["name"]]
    dataset = build(
        cls,
        cls.name,
        recipe["dataset"]["options"],
        root=root or default_root(cls.name),
        media=MediaSpec(**recipe["media"]),
    )
    dataset = view_from_recipe(dataset, recipe["dataset"].get("view"))
    samples = recipe["samples"]
    faces = faces_from_recipe(recipe.get("faces"), face_detector, dataset.media.frame_size)
    plan = plan_variants(
        dataset,
        variants,
        split=samples["split"],
        limit=samples["count"],
        faces=faces,
        protocol=record.get("protocol") or record.get("facts", {}).get("protocol"),
    )
    if recipe.get("labels") is not None:
        plan = replace(plan, overlay=_overlay(plan, path, recipe["labels"], labels))
    different = next(_differences(recipe, plan), None)
    if different is not None:
        what, fix = different
        raise MerbenchError(f"{path} was made from something else: {what}", fix=fix)
    return plan


def _overlay(plan: Plan, record: Path, wanted: str, table: Path | None) -> Overlay:
    """Return the labels that were laid over the suite, from a table or from beside its record."""
    if table is None:
        if not (record.parent / OVERLAY).exists():
            raise MerbenchError(
                f"{record} was made with labels laid over the suite, and {OVERLAY} is not beside it",
                fix="pass --labels FILE.csv, the table they came from",
            )
        return Overlay.read(record.parent / OVERLAY, wanted)
    overlay = read_overlay(table, plan.cells, [u.id for u in plan.utterances], plan.dataset.labels)
    if overlay.sha256 != wanted:
        raise MerbenchError(
            f"{record} was made with other labels than those in {table}", fix="check --labels"
        )
    return overlay


def _differences(recipe: Mapping[str, Any], plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield which parts of a recipe come out different here, and what to do about each."""
    found, name = plan.recipe, plan.dataset.name
    then, now = recipe["samples"], found["samples"]
    reader = "install the merbench or the plug-in that wrote it"
    data = "check --root: it must be the same release of the data, unchanged"
    if not plan.dataset.card.needs_root:
        data = reader
    if found["dataset"] != recipe["dataset"]:
        yield f"the installed reader of '{name}' has other options", reader
    if now["count"] != then["count"]:
        yield f"dataset '{name}' has {now['count']} of its {then['count']} samples", data
    if now["ids"] != then["ids"]:
        yield f"dataset '{name}' has other sample ids", data
    if now["source"] != then["source"]:
        yield f"the sources of '{name}' (media, labels or transcripts) have another content", data
    if found["pool"] != recipe["pool"]:
        yield f"the rest of the split of '{name}', of which partners are drawn, has another content", data
    for own, other in zip(recipe["variants"], found["variants"], strict=True):
        corruption = own["corruption"]
        if own["options"] != other["options"]:
            yield f"the installed '{corruption}' has other options", reader
        if own["content"] != other["content"]:
            yield (
                f"the noise of '{corruption}' has another content",
                "check --noise-root: it must be the same noise, unchanged",
            )
    if found != recipe:
        yield "its parts are not those of this merbench", reader


def rebuild_suite(
    plan: Plan,
    record: Path,
    folder: Path,
    *,
    workers: int = 2,
    progress: Callable[[int], None] | None = None,
) -> Suite:
    """Build the plan that `plan_from_record` returned for `record`.

    A suite that is complete in `folder` is decoded and verified instead, and left as it is. Where
    the record is a manifest, the suite must have the content that it claims.

    Raises:
        MerbenchError: as `build_suite` and `verify_suite` do, or the content is not what the record
            claims: pinned bytes depend on library versions.
        WriteError: the disk refuses; what was complete stays.
    """
    if _complete(plan, folder):
        suite = Suite.open(folder)
        verify_suite(suite, workers=workers, progress=progress)
    else:
        suite = build_suite(plan, folder, workers=workers, progress=progress)
    claimed = read_record(record)
    if "roots" in claimed:
        require_same_content(claimed, suite.manifest, record)
    return suite


def _complete(plan: Plan, folder: Path) -> bool:
    """Tell whether the plan's suite is in `folder`, with all of its shards."""
    return (
        (folder / "manifest.json").exists()
        and Suite.open(folder).recipe_id == plan.recipe_id
        and all(
            shard_path(folder, cell.cell_id, shard).exists()
            for cell in plan.cells
            for shard in range(plan.shards)
        )
    )
