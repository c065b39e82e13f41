"""The media of a few samples again, clean and corrupted, as the models were given them.

Nothing is kept from the run: media are made anew, from the recipe or from a built suite, and the
recipe's hash says whether they are the ones that the run answered.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from merbench.datasets import datasets, default_root
from merbench.datasets._view import view_from_recipe
from merbench.errors import MerbenchError
from merbench.media.encode import encode_flac
from merbench.options import build
from merbench.suites.faces import faces_from_recipe
from merbench.suites.plan import Plan, Variant, make_corruption, plan_variants
from merbench.types import MODALITIES, Cell, MediaSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from merbench.suites.store import Suite
    from merbench.types import Achieved, Batch, Modality

ADVERSARIAL = "adversarial"
"""The family of cells that cannot be made again: they are made with the model in hand."""

PICTURES = 4
"""Frames that are shown of a clip, evenly chosen, the first included."""

_PICTURE_SIDE = 150  # pixels
_JPEG_QUALITY = 85


@dataclass(frozen=True, slots=True)
class Clip:
    """One sample's media for the eye and the ear; ``None`` where a modality is absent.

    `audio` is FLAC, `pictures` a JPEG of `PICTURES` frames side by side.
    """

    audio: bytes | None
    pictures: bytes | None
    text: str | None


@dataclass(frozen=True, slots=True)
class Pair:
    """A sample clean and corrupted, the modalities that changed, and what really happened."""

    clean: Clip
    noisy: Clip
    changed: tuple[Modality, ...]
    achieved: Mapping[str, Any]


def plan_of(
    result: Mapping[str, Any],
    *,
    size: int,
    media: MediaSpec,
    root: Path | None = None,
    noise_root: Path | None = None,
    face_detector: Path | None = None,
) -> Plan:
    """Return the plan of the natural cells that a run streamed.

    Args:
        result: the run's ``result.json``.
        size: how many samples the run has, the unscored ones included.
        media: the canonical media that the run was given.
        root: where the dataset lies; by default its folder in ``MERBENCH_DATA``.
        noise_root: where the noise lies; by default its folder in ``MERBENCH_DATA``.
        face_detector: the file of the run's face detector, if it has one.

    Raises:
        MerbenchError: data or noise are not here, or not the ones that the run answered.
    """
    data = result["data"]
    cls = datasets[data["dataset"]]
    dataset = build(cls, cls.name, data["options"], root=root or default_root(cls.name), media=media)
    dataset = view_from_recipe(dataset, data.get("protocol"))
    shared = {"noise_root": noise_root}
    natural = [cell for cell in map(Cell.from_json, result["cells"]) if cell.family != ADVERSARIAL]
    variants = tuple(_variants(natural, shared))
    faces = faces_from_recipe(result.get("faces"), face_detector, media.frame_size)
    plan = plan_variants(dataset, variants, split=data["split"], limit=size, faces=faces)
    made = recipe_with_attacks(plan.recipe_id, result)
    if made != result["recipe_id"]:
        raise MerbenchError(
            f"the run's recipe is {result['recipe_id'][:12]}, and what is here makes {made[:12]}",
            fix="give the --root, --noise-root and media options of the run, or the --suite it was run on",
        )
    return plan


def recipe_with_attacks(natural: str, result: Mapping[str, Any]) -> str:
    """Return the recipe_id that a run over the suite `natural` has, with the attacks of `result` if any."""
    cells = [cell for cell in map(Cell.from_json, result["cells"]) if cell.family == ADVERSARIAL]
    if not cells:
        return natural
    from merbench.evaluation.attacked import attacked_recipe  # which takes torch a second to import

    return attacked_recipe(natural, cells)


def _variants(cells: Sequence[Cell], shared: Mapping[str, Any]) -> Iterator[Variant]:
    """Yield the cells' variants in the order of the run, each with its severities."""
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        if not cell.is_clean:
            found.setdefault(replace(cell, severity=0).cell_id, []).append(cell)
    for draws in found.values():
        first = draws[0]
        corruption = make_corruption(first.corruption, first.options, shared)
        yield Variant(corruption, tuple(cell.severity for cell in draws), first.seed, first.replicate)


def pairs_from_plan(
    plan: Plan, wanted: Iterable[tuple[str, str]], *, mark: bool
) -> dict[tuple[str, str], Pair]:
    """Return the media of (sample id, cell id); no other sample is decoded and no other cell made."""
    found = {}
    by_id = {u.id: u for u in plan.utterances}
    for sample, cell_id in wanted:
        variants = tuple(v for v in plan.variants if cell_id in [c.cell_id for c in v.cells])
        one = replace(plan, utterances=(by_id[sample],), variants=variants)
        for chunk in one.chunks(0, workers=1):
            for cell, batch, _, achieved in chunk.cells:
                if cell.cell_id == cell_id:
                    found[sample, cell_id] = _pair(chunk.clean, batch, 0, achieved[0], mark)
    return found


def pairs_from_suite(
    suite: Suite, wanted: Iterable[tuple[str, str]], *, mark: bool
) -> dict[tuple[str, str], Pair]:
    """Return the media of (sample id, cell id) from a built suite."""
    found: dict[tuple[str, str], Pair] = {}
    asked = set(wanted)
    few = suite.only({cell_id for _, cell_id in asked})
    for shard in range(few.shards):
        for chunk in few.chunks(shard, workers=1):
            rows = {u.id: i for i, u in enumerate(chunk.utterances)}
            for cell, batch, _, achieved in chunk.cells:
                for sample in rows.keys() & {s for s, cell_id in asked if cell_id == cell.cell_id}:
                    i = rows[sample]
                    found[sample, cell.cell_id] = _pair(chunk.clean, batch, i, achieved[i], mark)
    return found


def _pair(clean: Batch, noisy: Batch, row: int, achieved: Achieved, mark: bool) -> Pair:
    changed = tuple(m for m in MODALITIES if not _same(clean, noisy, m, row))
    return Pair(_clip(clean, row, mark), _clip(noisy, row, mark), changed, achieved)


def _same(clean: Batch, noisy: Batch, modality: Modality, row: int) -> bool:
    if modality == "text":
        return clean.text[row] == noisy.text[row]
    ours, theirs = (b.audio[row] if modality == "audio" else b.frames[row] for b in (clean, noisy))
    if ours is None or theirs is None:
        return ours is theirs
    return np.array_equal(ours, theirs)


def _clip(batch: Batch, row: int, mark: bool) -> Clip:
    audio, rate, frames = batch.audio[row], batch.sample_rates[row], batch.frames[row]
    return Clip(
        audio=None if audio is None or rate is None else encode_flac(audio, rate),
        pictures=None if frames is None else _pictures(frames, mark=mark),
        text=batch.text[row],
    )


def _pictures(frames: np.ndarray, *, mark: bool) -> bytes:
    """Return frames side by side as JPEG, across them "do not share" if they are to be marked."""
    from PIL import Image, ImageDraw, ImageFont

    chosen = frames[np.arange(PICTURES) * len(frames) // PICTURES]
    sheet = Image.new("RGB", (PICTURES * _PICTURE_SIDE, _PICTURE_SIDE))
    for i, frame in enumerate(chosen):
        small = Image.fromarray(frame).resize((_PICTURE_SIDE, _PICTURE_SIDE), Image.Resampling.LANCZOS)
        sheet.paste(small, (i * _PICTURE_SIDE, 0))
    if mark:
        pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(26)
        for i in range(PICTURES):
            at = ((i + 0.5) * _PICTURE_SIDE, _PICTURE_SIDE / 2)
            pen.text(
                at, "do not\nshare", "white", font, "mm", align="center", stroke_width=2, stroke_fill="black"
            )
    out = BytesIO()
    sheet.save(out, "JPEG", quality=_JPEG_QUALITY)
    return out.getvalue()


def data_url(kind: str, data: bytes) -> str:
    """Return bytes as an address that a page can hold."""
    return f"data:{kind};base64,{b64encode(data).decode()}"
