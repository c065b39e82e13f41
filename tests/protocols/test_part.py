"""A fold of a suite has the bytes that it has in the whole, streamed or built, and shares what that does."""

from __future__ import annotations

import pytest

from merbench.datasets import load_dataset
from merbench.suites.build import build_suite
from merbench.suites.content import hash_batch
from merbench.suites.part import Part
from merbench.suites.plan import make_plan, parse_corruption
from merbench.types import MODALITIES, MediaSpec


@pytest.fixture(scope="module")
def plan():
    names = ("audio/white", "vision/occlusion_mask", "text/typo", "modality/dropout")
    media = MediaSpec(frames=2, frame_size=48)
    dataset = load_dataset("synthetic:train=0,validation=0,test=8", media=media)
    return make_plan(dataset, [parse_corruption(name, {}) for name in names], (2, 5))


@pytest.fixture(scope="module")
def suite(plan, tmp_path_factory):
    return build_suite(plan, tmp_path_factory.mktemp("part") / "suite")


def read(source):
    """Return by cell and sample: the hashes of its media, and what its batch shares with the clean one."""
    found = {}
    for shard in range(source.shards):
        for chunk in source.chunks(shard, workers=1):
            cells = [("clean", chunk.clean), *((cell.cell_id, batch) for cell, batch, _, _ in chunk.cells)]
            for cell_id, batch in cells:
                shared = {m for m in MODALITIES if batch.shares(chunk.clean, m)}
                for utterance, hashes in zip(chunk.utterances, hash_batch(batch), strict=True):
                    found[cell_id, utterance.id] = (hashes, shared)
    return found


@pytest.mark.parametrize("rows", [[0, 3, 4], [7], list(range(8))])
def test_a_part_has_the_bytes_of_the_whole(plan, suite, rows):
    chosen = tuple(plan.utterances[i] for i in rows)
    ids = {u.id for u in chosen}
    whole = {key: value for key, value in read(plan).items() if key[1] in ids}
    streamed, built = read(Part(plan, chosen)), read(Part(suite, chosen))
    assert {key: hashes for key, (hashes, _) in streamed.items()} == {k: h for k, (h, _) in whole.items()}
    assert {key: hashes for key, (hashes, _) in built.items()} == {k: h for k, (h, _) in whole.items()}


def test_what_is_shared_with_the_clean_cell_stays_shared(plan, suite):
    """Otherwise every encoder would run again in every cell."""
    for source in (plan, suite):
        whole, part = read(source), read(Part(source, (plan.utterances[1], plan.utterances[6])))
        assert {key: shared for key, (_, shared) in part.items()} == {key: whole[key][1] for key in part}


def test_parts_are_told_apart(plan, suite):
    one, other = Part(plan, plan.utterances[:3]), Part(plan, plan.utterances[3:])
    assert len({plan.recipe_id, one.recipe_id, other.recipe_id}) == 3
    assert one.content_root is None
    assert Part(suite, plan.utterances[:3]).content_root not in (None, suite.content_root)
    assert Part(suite, plan.utterances[:3]).recipe_id == one.recipe_id
