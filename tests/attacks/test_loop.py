"""The one loop, on losses whose best point is known."""

from __future__ import annotations

import pytest
import torch

from merbench.attacks._ball import Ball
from merbench.attacks._loop import Losses, Steepest, best_of, climb
from merbench.attacks.apgd import AutoPgd, checkpoints
from merbench.rng import Stream

SLOPE = torch.tensor([[1.0, -2.0, 0.5, 3.0], [0.1, 0.2, -0.3, 0.4]])
STREAMS = [Stream.of("row", "0"), Stream.of("row", "1")]


def space(norm: str, radius: float = 2.0) -> dict[str, Ball]:
    return {"audio": Ball(torch.zeros(2, 4), torch.full((2, 1), radius), norm, -1e6, 1e6)}


def linear(point) -> Losses:
    """Rises by `SLOPE`: within a ball of radius r by r times the slope's dual norm, and by no more."""
    rise = (point["audio"] * SLOPE).sum(dim=1)
    return Losses(rise, rise)


def bumpy(point) -> Losses:
    """Has ripples that a fixed step walks over and over."""
    x = point["audio"]
    rise = (torch.sin(3 * x) + 0.3 * x).sum(dim=1)
    return Losses(rise, rise)


def test_one_step_of_fgsm_is_the_best_linf_attack_on_a_linear_model():
    found = climb(linear, Steepest(space("linf"), 1, 1.0))
    assert torch.allclose(found.margin, 2 * SLOPE.abs().sum(dim=1))


def test_pgd_reaches_the_closed_form_in_both_norms():
    for norm, dual in (("linf", SLOPE.abs().sum(dim=1)), ("l2", SLOPE.norm(dim=1))):
        found = climb(linear, Steepest(space(norm), 50, 0.25, STREAMS))
        assert torch.allclose(found.margin, 2 * dual, rtol=1e-3), norm


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_apgd_reaches_the_closed_form(norm):
    dual = SLOPE.abs().sum(dim=1) if norm == "linf" else SLOPE.norm(dim=1)
    found = climb(linear, AutoPgd(space(norm), 30, STREAMS))
    assert torch.allclose(found.margin, 2 * dual, rtol=1e-3)


def test_apgd_shortens_its_steps_where_a_fixed_one_jumps_about():
    fixed = climb(bumpy, Steepest(space("linf", 4.0), 40, 1.0, STREAMS))
    adaptive = climb(bumpy, AutoPgd(space("linf", 4.0), 40, STREAMS))
    assert adaptive.margin.sum() > fixed.margin.sum()


def test_checkpoints_are_those_of_the_paper():
    """p = 0.22, 0.41, 0.57, 0.70, 0.80, 0.87, 0.93, 0.99 of 100 steps."""
    assert checkpoints(100) == [22, 41, 57, 70, 80, 87, 93, 99]


def test_the_best_point_is_kept_and_not_the_last():
    """Steps far too long overshoot: what was seen on the way counts."""

    def peak(point):
        height = -(point["audio"] - 0.3).square().sum(dim=1)
        return Losses(height, height)

    walk = Steepest(space("linf", 10.0), 7, 0.5)
    start = peak({"audio": torch.zeros(2, 4)}).margin
    assert (climb(peak, walk).margin >= start).all()


def test_it_stops_when_every_row_has_enough():
    looks = []

    def counted(point):
        looks.append(1)
        return linear(point)

    climb(counted, Steepest(space("linf"), 50, 1.0), enough=0.1)
    assert len(looks) == 2  # the clean point, and the first step


def test_more_starts_never_do_less():
    walks = [Steepest(space("linf", 4.0), 3, 0.3, [s.child(str(i)) for s in STREAMS]) for i in range(3)]
    found = [climb(bumpy, walk) for walk in walks]
    assert (best_of(found).margin >= torch.stack([one.margin for one in found]).amax(dim=0)).all()


def test_rows_without_any_gradient_are_masked():
    def half_blind(point):
        rise = point["audio"] * torch.tensor([[1.0], [0.0]])
        total = rise.sum(dim=1)
        return Losses(total, total)

    found = climb(half_blind, Steepest(space("linf"), 3, 0.5))
    assert found.masked.tolist() == [False, True]


def test_a_loss_that_is_cut_off_or_not_a_number_counts_as_masked():
    cut = climb(lambda p: linear({"audio": p["audio"].detach().round()}), Steepest(space("linf"), 2, 0.5))
    assert cut.masked.all()

    def broken(point):
        rise = (point["audio"] * torch.nan).sum(dim=1)
        return Losses(rise, torch.zeros(2))

    assert climb(broken, Steepest(space("linf"), 2, 0.5)).masked.all()


def test_looking_several_times_sees_through_randomness():
    """The model's noise is ten times its signal: one look a step is led astray, many are not."""

    def climbed(eot: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)

        def noisy(point):
            slope = SLOPE + 10 * torch.randn(SLOPE.shape, generator=generator)
            return Losses((point["audio"] * slope).sum(dim=1), torch.tensor([0.0, 0.0]))

        walk = Steepest(space("linf"), 10, 0.25)
        last = []
        move = walk.move
        walk.move = lambda *given: last.append(move(*given)) or last[-1]
        climb(noisy, walk, eot=eot)
        return linear(last[-1]).margin

    assert climbed(64).sum() > climbed(1).sum()


def test_a_training_loop_can_hand_in_its_own_network():
    """The loop knows no adapter: any loss over tensors will do."""
    torch.manual_seed(0)
    network, label = torch.nn.Linear(4, 3), torch.tensor([0, 2])

    def loss(point):
        each = torch.nn.functional.cross_entropy(network(point["features"]), label, reduction="none")
        return Losses(each, each)

    ball = Ball(torch.randn(2, 4), torch.full((2, 1), 0.5), "linf", -10.0, 10.0)
    before = loss({"features": ball.centre}).ascent
    found = climb(loss, Steepest({"features": ball}, 5, 0.5))
    assert (loss(found.point).ascent > before).all()
    assert all(weight.grad is None for weight in network.parameters())
