"""A recipe says what a suite is before anything is decoded."""

from __future__ import annotations

import pytest

from merbench.datasets import datasets
from merbench.errors import MerbenchError
from merbench.suites.plan import make_plan, parse_corruption, parse_severities
from merbench.suites.presets import PRESETS, expand
from merbench.types import MediaSpec

SMALL = MediaSpec(frames=2, frame_size=32)


def plan(*specs, severities=(1, 3), limit=6, seed=0, replicates=1, media=SMALL):
    dataset = datasets["synthetic"](media=media)
    chosen = [parse_corruption(spec, {}) for spec in specs or PRESETS["core"]]
    return make_plan(dataset, chosen, severities, split="test", limit=limit, seed=seed, replicates=replicates)


@pytest.mark.parametrize(
    ("text", "expected"), [("3", (3,)), ("1-5", (1, 2, 3, 4, 5)), ("1,3,5", (1, 3, 5)), ("4-5,1", (1, 4, 5))]
)
def test_severity_takes_one_a_range_or_a_list(text, expected):
    assert parse_severities(text) == expected


@pytest.mark.parametrize("text", ["0", "6", "1-9", "", "a", "5-1", "1..5"])
def test_severity_refuses_anything_else(text):
    with pytest.raises(MerbenchError, match="severity"):
        parse_severities(text)


def test_a_preset_stands_for_its_members():
    assert expand(["core", "text/typo"]) == [*PRESETS["core"], "text/typo"]


def test_the_clean_cell_comes_first_and_every_variant_has_one_cell_per_severity():
    cells = plan("text/typo", "vision/occlusion_mask").cells
    assert [(c.corruption, c.severity) for c in cells] == [
        ("clean", 0),
        ("text/typo", 1),
        ("text/typo", 3),
        ("vision/occlusion_mask", 1),
        ("vision/occlusion_mask", 3),
    ]


def test_equal_plans_have_equal_recipes():
    assert plan().recipe_id == plan().recipe_id


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"limit": 5},
        {"severities": (1, 2)},
        {"replicates": 2},
        {"media": MediaSpec(frames=3, frame_size=32)},
    ],
)
def test_whatever_changes_the_content_changes_the_recipe(other):
    assert plan(**other).recipe_id != plan().recipe_id


def test_an_option_changes_the_cell_id_and_keeps_it_a_file_name():
    plain, control = plan("audio/environment"), plan("audio/environment:control=true")
    assert plain.cells[1].cell_id != control.cells[1].cell_id
    assert all(set(c.cell_id) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-") for c in plain.cells)


def test_a_smaller_limit_is_a_prefix_of_a_larger_one():
    few, more = plan(limit=4), plan(limit=9)
    assert more.utterances[:4] == few.utterances
    assert few.pool.utterances == more.pool.utterances


def test_the_same_cell_twice_is_refused():
    with pytest.raises(MerbenchError, match="twice"):
        plan("text/typo", "text/typo")


def test_an_unknown_split_names_the_splits():
    with pytest.raises(MerbenchError, match="test, train, validation"):
        datasets["synthetic"]().select("dev")
