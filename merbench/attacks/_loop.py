"""The one loop of every attack: look, keep what is best, move on.

It knows no model. An `Objective` says how well a point does, so that a training loop can hand in its
network's own loss; a `Walk` says where to start, how to step and how to come back into the ball.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from merbench.attacks._ball import Ball
    from merbench.rng import Stream

Point = dict[str, "Tensor"]
"""Rows [N, D] of every modality that is attacked."""

Space = dict[str, "Ball"]
"""Where each of them may go."""


class Losses(NamedTuple):
    """How well the rows of a point do, [N] each.

    `ascent` is what gradients are taken of; no row's may depend on another row. `margin` says which of two
    points is the better one, and is above 0 where the attack has succeeded.
    """

    ascent: Tensor
    margin: Tensor


Objective: TypeAlias = "Callable[[Point], Losses]"
"""What a point is judged by; called with tensors that ask for a gradient."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A point that was looked at; `gradient` is empty for walks that do without."""

    point: Point
    losses: Losses
    gradient: Point


class Walk(ABC):
    """An attack's part of the loop, with whatever it remembers on the way."""

    blind = False
    """Whether it does without gradients."""

    def __init__(self, space: Space, steps: int) -> None:
        self.space = space
        self.steps = steps

    @abstractmethod
    def start(self) -> Point:
        """Return where to begin."""

    @abstractmethod
    def move(self, step: int, here: Seen, best: Point) -> Point:
        """Return where to look next, within the balls, after looking `here`, ``step`` steps from the start.

        `best` holds every row's point of greatest margin so far.
        """


@dataclass(frozen=True, eq=False)
class Found:
    """The best point of every row, its margin [N], and which rows never had a gradient, bool [N]."""

    point: Point
    margin: Tensor
    masked: Tensor


def climb(objective: Objective, walk: Walk, *, eot: int = 1, enough: float = math.inf) -> Found:
    """Walk ``walk.steps`` steps and return the best that was seen, the start included.

    Args:
        objective: how well a point does; called once a step, and once more at the end.
        walk: where to go.
        eot: how often to look at each point, averaged: expectation over transformation, for models that
            answer at random (Athalye et al., "Synthesizing robust adversarial examples", ICML 2018).
        enough: stop when every row's margin is above this.
    """
    here = _look(objective, walk.start(), eot, gradient=walk.steps > 0 and not walk.blind)
    margin = here.losses.margin
    best = {m: rows.clone() for m, rows in here.point.items()}
    masked = _flat(here)
    for step in range(walk.steps):
        if bool((margin > enough).all()):
            break
        point = walk.move(step, here, best)
        here = _look(objective, point, eot, gradient=step + 1 < walk.steps and not walk.blind)
        better = here.losses.margin > margin
        margin = torch.where(better, here.losses.margin, margin)
        for m, rows in point.items():
            torch.where(better[:, None], rows, best[m], out=best[m])
        if here.gradient and bool(masked.any()):
            masked = masked & _flat(here)
    return Found(best, margin, masked)


def _flat(here: Seen) -> Tensor:
    """Tell in which rows every gradient is zero, bool [N]; none, where nobody asked for gradients."""
    flat = torch.full_like(here.losses.margin, bool(here.gradient), dtype=torch.bool)
    for rows in here.gradient.values():
        flat &= ~rows.any(dim=1)
    return flat


def best_of(found: Sequence[Found]) -> Found:
    """Return the best of several climbs, row by row."""
    first, *others = found
    for other in others:
        better = other.margin > first.margin
        first = Found(
            {m: torch.where(better[:, None], other.point[m], rows) for m, rows in first.point.items()},
            torch.where(better, other.margin, first.margin),
            first.masked & other.masked,
        )
    return first


def _look(objective: Objective, point: Point, eot: int, *, gradient: bool) -> Seen:
    """Return losses and gradients, averaged over `eot` looks."""
    leaves = {m: rows.detach().requires_grad_(gradient) for m, rows in point.items()}
    ascents, margins, total = [], [], dict[str, "Tensor"]()
    with torch.set_grad_enabled(gradient):
        for _ in range(eot):
            losses = objective(leaves)
            ascents.append(losses.ascent.detach())
            margins.append(losses.margin.detach())
            if gradient:
                found = _gradient(losses.ascent, leaves)
                total = {m: total[m] + rows if m in total else rows for m, rows in found.items()}
    mean = Losses(torch.stack(ascents).mean(dim=0), torch.stack(margins).mean(dim=0))
    return Seen(point, mean, total)


def _gradient(ascent: Tensor, leaves: Mapping[str, Tensor]) -> Point:
    """Return the gradient, zeros where there is none: to an attack NaN is as good as nothing."""
    if not ascent.requires_grad:
        return {m: torch.zeros_like(rows) for m, rows in leaves.items()}
    found = torch.autograd.grad(ascent.sum(), list(leaves.values()), allow_unused=True)
    return {
        m: torch.zeros_like(rows) if rows_gradient is None else rows_gradient.nan_to_num_(0.0, 0.0, 0.0)
        for (m, rows), rows_gradient in zip(leaves.items(), found, strict=True)
    }


class Steepest(Walk):
    """Steps of constant length along the steepest ascent, from the clean point or from a random one.

    One step of the whole radius from the clean point is FGSM (Goodfellow et al., "Explaining and harnessing
    adversarial examples", ICLR 2015), several shorter ones from a random point are PGD (Madry et al.,
    "Towards deep learning models resistant to adversarial attacks", ICLR 2018).

    Args:
        space: where it may go.
        steps: how many.
        length: of a step, as a share of the radius.
        rngs: one stream per row for a random start; ``None`` starts at the clean point.
    """

    def __init__(self, space: Space, steps: int, length: float, rngs: Sequence[Stream] | None = None) -> None:
        super().__init__(space, steps)
        self._length = length
        self._rngs = rngs

    def start(self) -> Point:
        """Return the clean point, or a random one."""
        return begin(self.space, self._rngs)

    def move(self, step: int, here: Seen, best: Point) -> Point:
        """Return one step up."""
        return {
            m: ball.ahead(here.point[m], here.gradient[m], self._length) for m, ball in self.space.items()
        }


def begin(space: Space, rngs: Sequence[Stream] | None) -> Point:
    """Return the centre, or a random point: each modality of each row from a stream of its own."""
    if rngs is None:
        return {m: ball.centre for m, ball in space.items()}
    return {m: ball.random([rng.child(m) for rng in rngs]) for m, ball in space.items()}
