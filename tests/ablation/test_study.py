"""A study says what is trained and tested, strictly; arms differ in what they are named for alone."""

from __future__ import annotations

import pytest

from merbench.ablation.study import STUDIES, load_study, require_corruptions
from merbench.errors import MerbenchError

MINIMAL = """
[train]
recipes = ["noise"]
seeds = [0, 1]
[test.noise]
groups = { seen = ["audio/white"] }
"""


@pytest.fixture
def study(tmp_path):
    def write(text):
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return load_study(str(path))

    return write


@pytest.mark.parametrize("name", STUDIES.names())
def test_every_committed_study_is_valid_and_names_what_exists(name):
    study = load_study(name)
    assert study.about
    assert len(study.train.seeds) >= 5
    require_corruptions(study)


def test_the_clean_model_comes_first_and_everything_else_begins_with_it(study):
    clean, *others = study(MINIMAL).arms
    assert (clean.name, clean.starts) == ("clean", False)
    assert [arm.name for arm in others] == ["control", "noise"]
    assert all(arm.starts for arm in others)


def test_data_and_frames_of_a_study_are_those_of_everything_but_the_clean_model(study):
    arms = study(MINIMAL.replace("seeds", 'dataset = "synthetic:train=9"\nframe_size = 56\nseeds')).arms
    assert [arm.recipe.data.dataset == "synthetic:train=9" for arm in arms] == [False, True, True]
    assert [arm.recipe.data.frame_size for arm in arms] == [None, 56, 56]


def test_families_are_left_out_one_by_one_and_kept_one_by_one(study):
    arms = {arm.name: arm.recipe for arm in study(MINIMAL + "[families]\n").arms}
    noise = arms["noise"].noise
    without = arms["noise without audio"].noise.corruptions
    assert set(noise.corruptions) - set(without) == {"audio/environment"}
    assert arms["noise only audio"].noise.corruptions == ("audio/environment",)
    assert len(arms) == 3 + 2 * 4
    for name, recipe in arms.items():
        if name.startswith("noise "):
            changed = {k for k, v in recipe.to_json().items() if v != arms["noise"].to_json()[k]}
            assert changed == {"name", "noise"}


def test_groups_that_differ_in_a_corruptions_options_alone_are_refused(study):
    groups = '{ seen = ["audio/white"], all = ["audio/white", "audio/pink"] }'
    study(MINIMAL.replace('{ seen = ["audio/white"] }', groups))
    apart = '{ seen = ["audio/white"], unseen = ["audio/white:snr_reference=whole"] }'
    with pytest.raises(MerbenchError, match="groups have audio/white with different options"):
        study(MINIMAL.replace('{ seen = ["audio/white"] }', apart))


def test_a_recipe_of_ones_own_lies_beside_the_study(study, tmp_path):
    (tmp_path / "hard.toml").write_text('extends = "noise"\n', encoding="utf-8")
    assert study(MINIMAL.replace('"noise"', '"hard.toml"', 1)).arms[-1].name == "hard"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("recipes", "recipe", ["recipe", "recipes"]),
        ('"noise"', '"nois"', ["nois", "noise"]),
        ("[0, 1]", "[0, 0]", ["seeds are different"]),
        ("[test.noise]", "[test.noise]\nseverities = [6]", ["severities are 1 to 5"]),
        ('groups = { seen = ["audio/white"] }', "", ["no groups"]),
        ('["audio/white"]', '"audio/white"', ["the group seen is a list"]),
        ("[train]", '[train]\nprotocol = "meldy"', ["meldy", "meld"]),
        (
            "[train]",
            '[train]\nprotocol = "meld"\ndataset = "meld"',
            ["the protocol says what"],
        ),
        (
            "[train]",
            '[test.other]\nsplit = "dev"\nattacks = ["pgd"]\n[train]\nprotocol = "meld"',
            ["says split"],
        ),
        (
            "[train]",
            '[test.other]\nattacks = ["pgd"]\n[train]\nprotocol = "ravdess-actor-5fold"',
            ["a test with attacks"],
        ),
        ("seeds = ", "frame_size = 0\nseeds = ", ["frame_size is at least 1"]),
        ('["noise"]', '["noise", "noise"]', ["two ways of training that are called 'noise'"]),
        ("[train]", '[families]\nrecipe = "control"\n[train]', ["control", "has none"]),
        ("[test.noise]", "[tests.noise]", ["unknown key 'tests'"]),
    ],
)
def test_what_is_wrong_is_refused_by_name(study, old, new, words):
    with pytest.raises(MerbenchError) as refusal:
        study(MINIMAL.replace(old, new, 1))
    assert all(word in str(refusal.value) for word in words), refusal.value


def test_an_unknown_corruption_is_found_before_anything_is_trained(study, tmp_path, merbench):
    asked = study(MINIMAL.replace("audio/white", "audio/whit"))
    with pytest.raises(MerbenchError, match="audio/white"):
        require_corruptions(asked)
    merbench("ablate", tmp_path / "mine.toml", "--out", tmp_path / "out").refused("audio/whit")
    assert not (tmp_path / "out").exists()


def test_a_study_that_says_nothing_new_is_what_it_was_before_it_could(study):
    assert study(MINIMAL).to_json()["train"].keys() == {"clean", "control", "recipes", "seeds"}
