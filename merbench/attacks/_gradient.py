"""Attacks that follow a model's own gradient: what they share beyond the loop."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from merbench.attacks._attack import MediaAttack, Outcome
from merbench.attacks._canvas import Canvas
from merbench.attacks._loop import Losses, best_of, climb
from merbench.attacks._scores import ENOUGH, Judge
from merbench.errors import MerbenchError
from merbench.models import Adapter, Differentiable
from merbench.models._validate import blamed
from merbench.options import option

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from merbench.attacks._attack import Budget, Victims
    from merbench.attacks._loop import Objective, Point, Space, Walk
    from merbench.labels import LabelMap


@dataclass(frozen=True)
class GradientAttack(MediaAttack):
    """An attack that differs from others only in its walk."""

    knows = "gradients"

    eot: int = option(1, "looks at each point, averaged: more for a model that answers at random")

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "eot")

    @abstractmethod
    def walks(self, space: Space, victims: Victims) -> Iterable[Walk]:
        """Return one walk per start."""

    def perturb(self, victims: Victims, budget: Budget) -> Outcome:
        """Return the rows at the best point of all walks."""
        adapter = victims.target.adapter
        canvas = Canvas.of(victims.clean, self.alters(adapter.uses), budget, self.norm, device=adapter.device)
        if not any(bool((ball.radius > 0).any()) for ball in canvas.space.values()):
            return unaltered(canvas)
        objective = objective_of(adapter, victims.target.labels, canvas, victims.truth)
        found = None
        for walk in self.walks(canvas.space, victims):
            one = climb(objective, walk, eot=self.eot, enough=ENOUGH)
            found = one if found is None else best_of([found, one])
            if bool((found.margin > ENOUGH).all()):
                break
        assert found is not None
        altered = canvas.written(found.point)
        return Outcome(altered, canvas.achieved(altered), found.masked.cpu().numpy())


def unaltered(canvas: Canvas) -> Outcome:
    """Return the clean rows: no budget of any reaches a single quantisation step."""
    clean = canvas.clean
    return Outcome(clean, canvas.achieved(clean), np.zeros(len(clean), dtype=bool))


def objective_of(adapter: Adapter, labels: LabelMap, canvas: Canvas, truth: Sequence[str]) -> Objective:
    """Return the loss of a model's differentiable path at points of a canvas."""
    if not isinstance(adapter, Differentiable):
        raise MerbenchError(f"{adapter.name} offers no gradient", fix="choose an attack that needs none")
    judge = Judge(adapter, labels)

    def losses(point: Point) -> Losses:
        media = canvas.media(point, adapter.wants)
        with blamed(adapter):
            logits = adapter.differentiable(media)
        return judge.losses(logits, truth)

    return losses


def require_positive(attack: MediaAttack, *names: str) -> None:
    """Check that options count something.

    Raises:
        MerbenchError: one is not at least 1.
    """
    for name in names:
        if getattr(attack, name) < 1:
            raise MerbenchError(
                f"'{attack.name}' cannot have {name}={getattr(attack, name)}", fix="give at least 1"
            )
