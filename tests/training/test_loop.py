"""The loop learns, stops when it should, and ends with the same weights whatever happens to it."""

from __future__ import annotations

import dataclasses
import json
import math
from itertools import pairwise
from pathlib import Path

import pytest

from merbench.errors import MerbenchError
from merbench.training import Trainable
from merbench.training.checkpointing import Checkpoints
from merbench.training.loop import DivergedError, learning_rate
from merbench.training.recipe import Stage
from merbench.training.run import plan_training
from tests.training.conftest import WORDS, Workshop


def test_it_learns_and_judges_every_epoch(workshop):
    result = workshop.train(workshop.recipe())
    assert result["finished"]
    assert len(result["epochs"]) == 5
    assert result["losses"][-1] < result["losses"][0]
    assert result["scores"]["validation"]["uar"] > 0.5


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(workshop, same):
    recipe = workshop.recipe(options="dropout = 0.2")
    first = workshop.train(recipe, "a")
    second = workshop.train(recipe, "b")
    workshop.train(recipe.with_(seed=1), "c")
    assert first["losses"] == second["losses"]
    assert same(workshop.weights("a"), workshop.weights("b"))
    assert not same(workshop.weights("a"), workshop.weights("c"))


def test_global_generators_and_settings_are_left_alone(workshop):
    import torch

    before = torch.random.get_rng_state()
    workshop.train(workshop.recipe())
    assert torch.random.get_rng_state().equal(before)
    assert not torch.are_deterministic_algorithms_enabled()


def test_every_training_row_is_surveyed_once_before_the_first_step(workshop, monkeypatch):
    seen = []
    with monkeypatch.context() as patch:
        patch.setattr(Trainable, "survey", lambda self, inputs: seen.append((self.calls, len(inputs()))))
        workshop.train(workshop.recipe())
    job = plan_training(workshop.recipe(), root=workshop.table)
    assert seen == [(0, len(job.splits.train["coarse"]))]


def test_a_stage_trains_its_parameters_only(workshop):
    workshop.train(workshop.recipe(fine="final_learning_rate = 0.01"), "both")
    recipe = workshop.recipe()
    workshop.train(dataclasses.replace(recipe, stages=recipe.stages[:1]), "coarse")
    coarse, both = workshop.weights("coarse"), workshop.weights("both")
    changed = {name.partition(".")[0] for name in coarse if not coarse[name].equal(both[name])}
    assert changed == {"head"}


def test_accumulated_parts_make_one_step(workshop):
    whole = workshop.train(workshop.recipe(), "whole")
    parts = workshop.train(workshop.recipe(training="accumulation = 3"), "parts")
    assert parts["losses"] == pytest.approx(whole["losses"], abs=1e-5)


def test_examples_that_are_not_kept_are_made_again_the_same(workshop):
    noise = '[noise]\ncorruptions = ["text/typo"]'
    kept = workshop.train(workshop.recipe(more=noise), "kept")
    lines: list[str] = []
    again = workshop.train(workshop.recipe(more=noise, data="keep = false"), "again", tell=lines.append)
    assert again["losses"] == kept["losses"]
    (estimate,) = [line for line in lines if line.startswith("about")]
    assert "22 steps" in estimate
    assert "352 utterances" in estimate  # all that the steps hold, for none is kept


def test_it_stops_early_and_keeps_the_best_epoch(workshop):
    recipe = workshop.recipe()
    stage = dataclasses.replace(recipe.stages[0], epochs=40, learning_rate=0.2, patience=2)
    result = workshop.train(dataclasses.replace(recipe, stages=(stage,)))
    scores = [epoch["validation"]["uar"] for epoch in result["epochs"]]
    assert len(scores) < 40
    assert scores.index(max(scores)) == len(scores) - 3
    assert result["scores"]["validation"] == result["epochs"][-3]["validation"]
    assert result["scores"]["validation"] != result["epochs"][-1]["validation"]


def test_progress_adds_up_whether_it_stops_early_or_not(workshop):
    recipe = workshop.recipe()
    stage = dataclasses.replace(recipe.stages[0], epochs=40, learning_rate=0.2, patience=2)
    for out, chosen in (("full", recipe), ("early", dataclasses.replace(recipe, stages=(stage,)))):
        done: list[int] = []
        workshop.train(chosen, out, progress=done.append)
        assert sum(done) == plan_training(chosen, root=workshop.table).rows


def test_it_says_how_long_it_will_take(workshop):
    lines: list[str] = []
    workshop.train(workshop.recipe(), tell=lines.append)
    (estimate,) = [line for line in lines if line.startswith("about")]
    assert "steps" in estimate
    assert sum("(best)" in line for line in lines) >= 2


def test_bfloat16_trains_almost_the_same(workshop):
    full = workshop.train(workshop.recipe(), "full")
    half = workshop.train(workshop.recipe().with_(precision="bfloat16"), "half")
    assert half["losses"] != full["losses"]
    assert half["losses"] == pytest.approx(full["losses"], abs=0.05)


def test_nan_stops_with_the_last_good_weights(workshop, same):
    recipe = workshop.recipe(options="poison = 14")  # the steps of the third epoch are 13 to 18
    with pytest.raises(DivergedError, match=r"nan.*'coarse', epoch 3.*last good"):
        workshop.train(recipe)
    progress = Checkpoints(workshop.folder / "out")
    place = progress.load().place
    assert same(workshop.weights(), progress.load_best(place))
    assert "nan" in json.loads((workshop.folder / "out" / "record.json").read_text())["stopped"]


def test_nan_in_the_first_epoch_leaves_no_checkpoint(workshop):
    with pytest.raises(DivergedError):
        workshop.train(workshop.recipe(options="poison = 2"))
    assert not (workshop.folder / "out" / "weights.pt").exists()


@pytest.fixture(scope="module")
def unharmed(tmp_path_factory, letters):
    """A run that nothing happens to."""
    workshop = Workshop(tmp_path_factory.mktemp("unharmed"), letters)
    result = workshop.train(workshop.recipe(options="dropout = 0.2"))
    return result, workshop.weights()


@pytest.mark.parametrize("when", [0, 2, 3, 4, 11, 12, 13, 15])
def test_it_ends_the_same_whichever_write_it_dies_at(workshop, same, monkeypatch, unharmed, when):
    """Within an epoch, before and after the best weights, at the change of stages and at the end."""
    recipe, writes = workshop.recipe(options="dropout = 0.2"), iter(range(1000))
    result, weights = unharmed

    def dying(method):
        def write(self, *arguments):
            if next(writes) == when:
                raise KeyboardInterrupt
            method(self, *arguments)

        return write

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Checkpoints, "save", dying(Checkpoints.save))
        patch.setattr(Checkpoints, "save_best", dying(Checkpoints.save_best))
        workshop.train(recipe)
    resumed = workshop.train(recipe)
    assert same(workshop.weights(), weights)
    assert resumed["losses"] == result["losses"]
    assert resumed["epochs"] == result["epochs"]


def test_a_finished_run_is_not_trained_again(workshop):
    first = workshop.train(workshop.recipe())
    assert workshop.train(workshop.recipe()) == first
    names = {path.name for path in (workshop.folder / "out").iterdir()}
    assert names == {".lock", "training.json", "weights.pt", "record.json", "checkpoint.json"}


def test_a_folder_with_another_run_is_refused(workshop):
    workshop.train(workshop.recipe())
    with pytest.raises(MerbenchError, match="another training run"):
        workshop.train(workshop.recipe().with_(seed=1))


def test_another_source_of_the_model_is_another_run(workshop, tmp_path):
    source = Path(WORDS.rpartition(":")[0])
    copy = tmp_path / "mine.py"
    copy.write_bytes(source.read_bytes())
    recipe = workshop.recipe(model=f"{copy}:Words")
    workshop.train(recipe)
    copy.write_text(copy.read_text() + "\n# another thought\n")
    with pytest.raises(MerbenchError, match="another training run"):
        workshop.train(recipe)


def test_a_mended_recipe_may_have_the_folder_in_which_nothing_had_begun(workshop):
    with pytest.raises(MerbenchError, match="no such group"):
        workshop.train(workshop.recipe(coarse='parameters = ["haed"]'))
    assert workshop.train(workshop.recipe(coarse='parameters = ["head"]'))["finished"]


def test_a_folder_with_something_else_is_refused(workshop):
    (workshop.folder / "out").mkdir()
    (workshop.folder / "out" / "holiday.jpg").touch()
    with pytest.raises(MerbenchError, match="no training run"):
        workshop.train(workshop.recipe())


def test_damaged_progress_is_refused(workshop):
    with pytest.raises(DivergedError):
        workshop.train(workshop.recipe(options="poison = 14"))
    (workshop.folder / "out" / "progress.pt").write_bytes(b"PK")
    with pytest.raises(MerbenchError, match="damaged"):
        workshop.train(workshop.recipe(options="poison = 14"))


def test_a_group_that_is_not_there(workshop):
    recipe = workshop.recipe()
    stage = dataclasses.replace(recipe.stages[0], parameters=("tail",))
    with pytest.raises(MerbenchError, match="its groups are: all, body, head"):
        workshop.train(dataclasses.replace(recipe, stages=(stage,)))


@pytest.mark.parametrize(
    ("model", "words"),
    [("emolama", "emollama"), ("nowhere.py:Words", "nowhere.py"), (":NotTrainable", "NotTrainable")],
)
def test_a_model_that_cannot_be_trained(workshop, model, words):
    name = WORDS.rpartition(":")[0] + model if model.startswith(":") else model
    with pytest.raises(MerbenchError, match=words):
        workshop.train(workshop.recipe(model=name))


def test_an_option_that_the_model_does_not_have(workshop):
    with pytest.raises(MerbenchError, match="no option 'width'"):
        workshop.train(workshop.recipe(options="width = 3"))


def test_the_record_names_what_was_seen(workshop):
    workshop.train(workshop.recipe(more='[noise]\ncorruptions = ["audio/environment", "text/typo"]'))
    record = json.loads((workshop.folder / "out" / "record.json").read_text())
    (seen,) = record["trained_on"]
    assert len(seen["samples"]) == 120  # validation included: it chose the epoch
    assert len(seen["speakers"]) == 9
    assert "audio/environment fold 3" in seen["noise"]
    assert "audio/environment fold 10" not in seen["noise"]
    assert record["labels"] == ["calm", "glad", "low"]
    assert record["recipe"]["training"]["batch_size"] == 16
    assert record["scores"]["validation"].keys() == {"loss", "accuracy", "uar"}


def test_the_learning_rate_rises_and_falls():
    stage = Stage(epochs=1, learning_rate=1.0, final_learning_rate=0.1, warmup=0.1)
    rates = [learning_rate(stage, step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (k + 1) for k in range(10)])
    assert rates[10] == 1.0
    assert all(a > b for a, b in pairwise(rates[10:]))
    assert rates[55] == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 2)) / 2)
    assert rates[-1] == pytest.approx(0.1, abs=0.01)
