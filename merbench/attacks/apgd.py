"""Steps that adapt their own length."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from merbench.attacks._gradient import GradientAttack, require_positive
from merbench.attacks._loop import Walk, begin
from merbench.options import option

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from merbench.attacks._attack import Victims
    from merbench.attacks._loop import Point, Seen, Space
    from merbench.rng import Stream

# Croce and Hein 2020, section 3: the constants of Auto-PGD, the same for every model and budget.
_FIRST = 2.0  # the first step, in radii
_MOMENTUM = 0.75  # alpha: share of the new direction
_RISING = 0.75  # rho: share of the steps since the last checkpoint that must have raised the loss
_CHECKPOINT = 22  # p_1, in hundredths of all steps; later periods are shorter by ...
_SHORTER = 3
_SHORTEST = 6  # ... down to this


@dataclass(frozen=True)
class Apgd(GradientAttack):
    """Auto-PGD on the cross-entropy (APGD-CE): its step halves where the loss stops rising."""

    source = (
        "Croce and Hein, 'Reliable evaluation of adversarial robustness with an ensemble of diverse "
        "parameter-free attacks', ICML 2020, algorithm 1"
    )

    steps: int = option(50, "steps of each start")
    restarts: int = option(1, "random starts; the best point of all counts")

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "steps", "restarts")

    def walks(self, space: Space, victims: Victims) -> Iterator[Walk]:
        """Yield one walk per random start."""
        named = dataclasses.replace(self, steps=1, restarts=1, eot=1)
        for restart in range(self.restarts):
            yield AutoPgd(space, self.steps, victims.streams(named, "start", str(restart)))

    def doubled(self) -> Apgd:
        """Return the same attack with twice as many steps."""
        return dataclasses.replace(self, steps=2 * self.steps)


def checkpoints(steps: int) -> list[int]:
    """Return after how many steps the length is looked at again: ceil(p_j * steps), p_0 = 0 left out."""
    before, now = 0, _CHECKPOINT
    found = []
    while now <= 100:
        found.append(-(-now * steps // 100))
        before, now = now, now + max(now - before - _SHORTER, _SHORTEST)
    return sorted(set(found))


class AutoPgd(Walk):
    """Steepest ascent with momentum; row by row the length halves and the walk goes back to its peak."""

    def __init__(self, space: Space, steps: int, rngs: Sequence[Stream] | None) -> None:
        super().__init__(space, steps)
        self._rngs = rngs
        self._checkpoints = checkpoints(steps)
        self._last_checkpoint = 0

    def start(self) -> Point:
        """Return a random point."""
        return begin(self.space, self._rngs)

    def move(self, step: int, here: Seen, best: Point) -> Point:
        """Return the next point, from the peak of the loss where the length was just halved."""
        loss = here.losses.ascent
        if step == 0:
            self._peak, self._peak_loss, self._peak_gradient = here.point, loss, here.gradient
            self._length = torch.full_like(loss, _FIRST)
            self._risen = torch.zeros_like(loss)
            self._halved = torch.zeros_like(loss, dtype=torch.bool)
            self._loss, self._loss_before = loss, loss
            self._before = here.point
            share = 1.0
        else:
            self._risen = self._risen + (loss > self._loss)
            self._loss = loss
            self._remember(here)
            share = _MOMENTUM
        origin, gradient = here.point, here.gradient
        if step in self._checkpoints:
            back = self._halve(step)
            origin = _choose(back, self._peak, origin)
            gradient = _choose(back, self._peak_gradient, gradient)
        following = {}
        for m, ball in self.space.items():
            ahead = ball.ahead(origin[m], gradient[m], self._length[:, None])
            drift = (1 - share) * (origin[m] - self._before[m])
            following[m] = ball.project(torch.lerp(origin[m], ahead, share).add_(drift))
        self._before = origin
        return following

    def _remember(self, here: Seen) -> None:
        higher = here.losses.ascent > self._peak_loss
        self._peak_loss = torch.where(higher, here.losses.ascent, self._peak_loss)
        self._peak = _choose(higher, here.point, self._peak)
        self._peak_gradient = _choose(higher, here.gradient, self._peak_gradient)

    def _halve(self, step: int) -> Tensor:
        """Halve the length of rows that do not get on, and return which they are.

        They rose in too few steps; or neither the length changed at the last checkpoint nor the peak since.
        """
        few = self._risen < _RISING * (step - self._last_checkpoint)
        stuck = ~self._halved & (self._peak_loss <= self._loss_before)
        back = few | stuck
        self._length = torch.where(back, self._length / 2, self._length)
        self._halved, self._loss_before = back, self._peak_loss
        self._risen, self._last_checkpoint = torch.zeros_like(self._risen), step
        return back


def _choose(rows: Tensor, these: Point, others: Point) -> Point:
    return {m: torch.where(rows[:, None], these[m], other) for m, other in others.items()}
