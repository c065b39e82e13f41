"""What attacks find on models whose weakness is known, and that they keep to their budgets."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn.functional import softplus

from merbench.attacks import Budget, Target, Victims, attacks, parse_attack
from merbench.attacks._queries import Queries
from merbench.attacks._scores import Judge
from merbench.attacks.pgd import Pgd
from merbench.datasets import load_dataset
from merbench.errors import MerbenchError
from merbench.labels import LabelMap, map_labels
from merbench.types import MODALITIES, Batch, MediaSpec
from tests.attacks.adapters import RATE, Ears, Eyes, Linear, Moody, Steps

FRAMES, SIDE = 1, 8


@pytest.fixture(scope="module")
def data(linear_data):
    media = MediaSpec(sample_rate=RATE, frames=FRAMES, frame_size=SIDE)
    return load_dataset("table", linear_data, media)


@pytest.fixture(scope="module")
def victims(data):
    chosen, _ = data.select("test")
    chosen = chosen[:6]
    samples = [data.load(u) for u in chosen]

    def make(adapter, seed=0):
        labels = map_labels(adapter.labels, data.labels, "strict")

        def others(count):
            return [data.load(u) for u in data.select("train", count)[0]]

        return Victims.of(Target(adapter, labels, "table", seed, others), Batch.of(samples), chosen)

    return make


def margins(victims: Victims, batch: Batch) -> torch.Tensor:
    target = victims.target
    answers = Queries(target.adapter, victims.clean, MODALITIES).answers(batch)
    return Judge(target.adapter, target.labels).margins(answers, victims.truth)


def attacked(spec: str, victims: Victims, budget: Budget) -> torch.Tensor:
    return margins(victims, parse_attack(spec).perturb(victims, budget).batch)


BUDGET = Budget(snr_db=20, levels=3, flips=2)
QUICK = {
    "pgd": "pgd:steps=6",
    "apgd": "apgd:steps=6",
    "square": "square:queries=20",
    "universal": "universal:steps=3",
    "transfer": None,  # it needs another model
}
SPECS = [spec for name in attacks.names() if (spec := QUICK.get(name, name))]


def test_every_attack_has_a_card():
    for name in attacks.names():
        cls = attacks[name]
        assert cls.source
        assert set(cls.changes) <= set(MODALITIES)
        assert cls.knows in ("gradients", "answers", "another model")


@pytest.mark.parametrize("spec", [*SPECS, "pgd:steps=6,norm=l2", "fgsm:norm=l2"])
def test_what_was_written_and_read_back_keeps_the_budget(spec, victims):
    of = victims(Linear())
    attack = parse_attack(spec)
    budget = attack.budget(3)
    outcome = attack.perturb(of, budget)
    for i, done in enumerate(outcome.achieved):
        assert done.get("snr_db") is None or done["snr_db"] >= budget.snr_db - 1e-9
        assert done.get("levels", 0) <= budget.levels + 1e-9
        assert done.get("flips", 0) <= budget.flips
        if getattr(attack, "norm", None) == "linf" and "vision" in attack.changes:
            assert done["vision_peak"] <= budget.levels
        assert outcome.batch.audio[i].dtype == np.int16
        assert outcome.batch.frames[i].dtype == np.uint8
    for modality in set(MODALITIES) - set(attack.changes):
        assert outcome.batch.shares(of.clean, modality)


@pytest.mark.parametrize("spec", SPECS)
def test_every_attack_does_harm(spec, victims):
    """By the loss: a pattern for everybody helps some rows and harms others more."""
    of = victims(Linear())
    after, before = (softplus(m).mean() for m in (attacked(spec, of, BUDGET), margins(of, of.clean)))
    assert after > before


@pytest.mark.parametrize("spec", SPECS)
def test_a_budget_of_nothing_changes_nothing(spec, victims):
    of = victims(Linear())
    nothing = Budget(np.inf, 0.0, 0)
    batch = parse_attack(spec).perturb(of, nothing).batch
    assert np.array_equal(batch.audio.values, of.clean.audio.values)
    assert np.array_equal(batch.frames.values, of.clean.frames.values)
    assert batch.text == of.clean.text


@pytest.mark.parametrize("spec", SPECS)
def test_the_same_rows_come_out_the_same(spec, victims):
    first, again = (parse_attack(spec).perturb(victims(Linear()), BUDGET).batch for _ in range(2))
    assert np.array_equal(first.audio.values, again.audio.values)
    assert np.array_equal(first.frames.values, again.frames.values)
    assert first.text == again.text


def test_fgsm_on_a_linear_model_is_the_closed_form(victims):
    """Every value moves by the radius against its class: evidence falls by radius * mean |slope|."""
    of = victims(Ears())
    before, after = margins(of, of.clean), attacked("fgsm:modalities=audio", of, BUDGET)
    radius = torch.tensor([float(BUDGET.radius("audio", row, "linf")) for row in of.clean.audio])
    assert torch.allclose(after - before, (2 * radius / 100).double(), rtol=2e-2)  # clipped samples, if any


def test_pgd_is_at_least_as_strong_as_fgsm_and_both_beat_a_blind_search(victims):
    of = victims(Linear())
    pgd, fgsm, square = (attacked(spec, of, BUDGET) for spec in ("pgd", "fgsm", "square:queries=30"))
    wrong = [(found > 0).double().mean() for found in (pgd, fgsm, square)]
    assert wrong[0] >= wrong[1] >= wrong[2]


def test_square_gets_on_by_answers_alone(victims):
    of = victims(Eyes())
    few, many = (attacked(f"square:queries={n}", of, BUDGET).mean() for n in (1, 60))
    assert many > few


def test_coarse_steps_have_no_gradient_and_are_told_as_masked(victims):
    of = victims(Steps())
    assert parse_attack("pgd:steps=3").perturb(of, BUDGET).masked.all()
    assert not parse_attack("pgd:steps=3").perturb(victims(Linear()), BUDGET).masked.any()


def test_a_budget_under_one_quantisation_step_reaches_nothing(victims):
    of = victims(Eyes())
    attack = parse_attack("pgd")
    assert set(attack.why_not(of.clean, ("vision",), attack.budget(1))) == {
        "the budget is under one quantisation step"
    }
    assert set(attack.why_not(of.clean, ("vision",), attack.budget(2))) == {None}


def test_flips_of_a_smaller_budget_are_kept_by_a_larger_one(victims):
    of = victims(Linear())
    attack = parse_attack("char_flips")
    texts = [attack.perturb(of, Budget(0, 0, flips)).batch.text for flips in (0, 1, 2, 3)]
    for path in zip(*texts, strict=True):
        first = path[0]
        changed = [{i for i, c in enumerate(first) if text[i] != c} for text in path]
        for fewer, more in pairwise(changed):
            assert fewer <= more
            assert len(more) - len(fewer) <= 1


def test_flips_are_of_the_text_s_own_alphabet(victims):
    of = victims(Linear())
    chinese = Victims(of.target, of.clean.replace(text=("今天我很高兴",) * len(of)), of.ids, of.truth)
    flipped = parse_attack("char_flips").perturb(chinese, Budget(0, 0, 3)).batch.text
    assert all(set(text) <= set("今天我很高兴") for text in flipped)


def test_one_pattern_is_laid_over_every_sound_and_fitted_on_others_only(victims):
    of = victims(Ears())
    seen = []
    original = of.target.others
    target = Target(
        of.target.adapter, of.target.labels, "table", 0, lambda n: seen.extend(original(n)) or seen
    )
    outcome = parse_attack("universal:steps=5").perturb(
        Victims(target, of.clean, of.ids, of.truth), Budget(20, 0, 0)
    )
    assert {s.utterance.split for s in seen} == {"train"}
    assert not {s.id for s in seen} & set(of.ids)
    signs = [
        np.sign(after.astype(int) - before)[:3000]
        for before, after in zip(of.clean.audio, outcome.batch.audio, strict=True)
    ]
    loud = np.abs(np.stack(signs)).all(axis=0)
    assert loud.mean() > 0.5
    assert (np.stack(signs)[:, loud] == signs[0][loud]).all()


def test_universal_needs_utterances_that_are_not_scored(victims):
    of = victims(Ears())
    target = Target(of.target.adapter, of.target.labels, "table")
    with pytest.raises(MerbenchError, match="not scored"):
        parse_attack("universal").perturb(Victims(target, of.clean, of.ids, of.truth), BUDGET)


def test_a_label_that_the_model_does_not_know_is_no_use_for_fitting(victims):
    of = victims(Ears())
    stranger = [replace(s, utterance=replace(s.utterance, label="bored")) for s in of.target.others(4)]
    target = Target(of.target.adapter, of.target.labels, "table", 0, lambda _: stranger)
    with pytest.raises(MerbenchError, match="a label that the model has"):
        parse_attack("universal").perturb(Victims(target, of.clean, of.ids, of.truth), BUDGET)


def test_transfer_finds_its_pgd_by_itself(victims, monkeypatch):
    attacks["pgd"]  # its class is named by the registry: here as if nobody had asked for it yet
    monkeypatch.delattr(Pgd, "name")
    monkeypatch.delitem(attacks._loaded, "pgd")
    monkeypatch.setattr("merbench.attacks.transfer.load_model", lambda _: Linear())
    of = victims(Ears())
    assert (attacked("transfer:surrogate=another,steps=4", of, BUDGET) > margins(of, of.clean)).any()


def test_larger_budgets_go_on_with_the_flips_of_smaller_ones(victims, monkeypatch):
    of, asked = victims(Linear()), []
    answers = Queries.answers
    monkeypatch.setattr(Queries, "answers", lambda *a: asked.append(len(a[1])) or answers(*a))
    attack = parse_attack("char_flips")
    attack.perturb(of, Budget(0, 0, 2))
    assert asked
    asked.clear()
    attack.perturb(of, Budget(0, 0, 2))
    assert not asked


def test_looking_several_times_helps_against_a_model_that_answers_at_random(victims):
    steady = victims(Ears())
    worth = {}
    for eot in (1, 10):
        outcome = parse_attack(f"pgd:steps=4,eot={eot}").perturb(victims(Moody()), BUDGET)
        worth[eot] = margins(steady, outcome.batch).mean()
    assert worth[10] > worth[1]


def test_classes_that_share_a_label_are_attacked_together():
    """An attack must leave the class, not only the label: three labels of the model, two classes."""
    labels = LabelMap("strict", ("glad", "sad"), {"joy": "glad", "glee": "glad", "gloom": "sad", "odd": None})
    judge = Judge(Linear(), labels)
    logits = torch.tensor([[2.0, 2.0, 2.5, -9.0], [0.0, 0.0, 0.0, 3.0]])
    margin = judge.losses(logits, ["glad", "glad"]).margin
    assert margin[0] < 0  # joy and glee together lead over gloom
    assert margin[1] > 0  # an answer out of the set is wrong
    assert judge.margins(["glad", "gloom"], ["glad", "glad"]).tolist() == [-1.0, 1.0]
