"""Wherever an attack steps, it comes back into the ball and into the medium's range."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from merbench.attacks._ball import Ball
from merbench.rng import Stream

NORMS = ("linf", "l2")


def length(rows: torch.Tensor, norm: str) -> torch.Tensor:
    return rows.abs().amax(dim=1) if norm == "linf" else rows.norm(dim=1)


@st.composite
def balls(draw):
    norm = draw(st.sampled_from(NORMS))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    centre = torch.from_numpy(rng.integers(0, 256, (3, 7)).astype(np.float32))
    radius = torch.tensor(draw(st.lists(st.integers(0, 300), min_size=3, max_size=3)), dtype=torch.float32)
    point = torch.from_numpy(rng.normal(128, 10 ** rng.uniform(0, 4), (3, 7)).astype(np.float32))
    return Ball(centre, radius[:, None], norm, 0.0, 255.0), point


@settings(max_examples=60)
@given(balls())
def test_a_projected_point_is_within_the_ball_and_the_range(given):
    ball, point = given
    inside = ball.project(point)
    assert (length(inside - ball.centre, ball.norm) <= ball.radius[:, 0] * (1 + 1e-5)).all()
    assert inside.min() >= 0
    assert inside.max() <= 255
    assert torch.allclose(ball.project(inside), inside, atol=1e-4)  # once more changes nothing


@settings(max_examples=60)
@given(balls())
def test_whole_levels_stay_within_the_ball(given):
    ball, point = given
    whole = ball.whole(ball.project(point))
    assert torch.equal(whole, whole.round())
    assert (length(whole - ball.centre, ball.norm) <= ball.radius[:, 0] * (1 + 1e-5)).all()
    assert whole.min() >= 0
    assert whole.max() <= 255


@pytest.mark.parametrize("norm", NORMS)
def test_linf_projection_is_the_nearest_point(norm):
    """Against many points of the ball: none is nearer to what was projected."""
    ball = Ball(torch.full((1, 3), 100.0), torch.tensor([[5.0]]), norm, 0.0, 255.0)
    outside = torch.tensor([[120.0, 97.0, 104.0]])
    distance = (ball.project(outside) - outside).norm()
    others = torch.cat([ball.random([Stream.of("other", str(i))]) for i in range(200)])
    assert ((others - outside).norm(dim=1) >= distance - 1e-4).all()


@pytest.mark.parametrize("norm", NORMS)
def test_the_steepest_direction_gains_most(norm):
    ball = Ball(torch.zeros(1, 5), torch.ones(1, 1), norm, -1e9, 1e9)
    gradient = torch.tensor([[3.0, -2.0, 0.5, 0.0, 1.0]])
    best = (ball.steepest(gradient) * gradient).sum()
    dual = gradient.abs().sum() if norm == "linf" else gradient.norm()
    assert torch.isclose(best, dual)


@pytest.mark.parametrize("norm", NORMS)
def test_random_points_are_of_the_ball_and_of_their_own_stream(norm):
    real = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    ball = Ball(torch.full((2, 6), 50.0), torch.tensor([[4.0], [2.0]]), norm, 0.0, 255.0, real)
    streams = [Stream.of("a"), Stream.of("b")]
    point = ball.random(streams)
    assert (length(point - ball.centre, norm) <= ball.radius[:, 0] + 1e-4).all()
    assert torch.equal(point[1, 4:], ball.centre[1, 4:])  # padding stays what it is
    alone = Ball(ball.centre[:1], ball.radius[:1], norm, 0.0, 255.0).random([Stream.of("a")])
    assert torch.allclose(point[:1], alone)


def test_a_row_without_budget_stays_as_it_is():
    ball = Ball(torch.full((1, 4), 7.0), torch.zeros(1, 1), "l2", 0.0, 255.0)
    assert torch.equal(ball.project(torch.full((1, 4), 7.0)), ball.centre)
    assert torch.equal(ball.random([Stream.of("x")]), ball.centre)
