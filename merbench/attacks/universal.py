"""One disturbance for every sound, fitted on utterances that are not scored."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path  # noqa: TC003 (the types of options are read at run time)
from typing import TYPE_CHECKING

import numpy as np
import torch

from merbench.attacks._attack import MediaAttack, Outcome, Victims
from merbench.attacks._ball import Ball
from merbench.attacks._canvas import Canvas
from merbench.attacks._gradient import objective_of, require_positive, unaltered
from merbench.attacks._loop import Losses, Steepest, climb
from merbench.attacks.pgd import REACH
from merbench.errors import MerbenchError
from merbench.options import option, resource
from merbench.types import Batch

if TYPE_CHECKING:
    from torch import Tensor

    from corruptions.compound._recogniser import Recogniser
    from merbench.attacks._attack import Budget, Target
    from merbench.attacks._loop import Point

LENGTH = 16_000
"""Samples of the disturbance, a second at 16 kHz; it is repeated over a sound."""


@dataclass(frozen=True)
class Universal(MediaAttack):
    """A universal audio perturbation: one pattern, scaled to each sound's budget, fitted by PGD.

    The threat is DARE-GP's: whoever wants no machine to hear what they feel plays one sound over whatever
    they say. Its figures mean something only if the words survive (docs/attacks.md).
    """

    changes = ("audio",)
    knows = "gradients"
    source = (
        "Moosavi-Dezfooli et al., 'Universal adversarial perturbations', CVPR 2017; the threat of Testa et "
        "al., 'Privacy against real-time speech emotion detection via acoustic adversarial evasion of "
        "machine learning', IMWUT 2023 (DARE-GP)"
    )

    steps: int = option(40, "steps of fitting")
    fit: int = option(32, "utterances it is fitted on, of a split that is not scored")
    asr: Path | None = resource(
        "a recogniser of the transformers library: how many words of a transcript the pattern costs is told",
        env="asr",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "steps", "fit")
        if self.norm != "linf":
            raise MerbenchError("'universal' knows only norm=linf", fix="leave norm out")

    def perturb(self, victims: Victims, budget: Budget) -> Outcome:
        """Return the rows with the fitted pattern."""
        target = victims.target
        altered = self.alters(target.adapter.uses)
        canvas = Canvas.of(victims.clean, altered, budget, self.norm, device=target.adapter.device)
        if "audio" not in canvas.space:
            return unaltered(canvas)
        key = (self, budget)
        if key not in target.memo:
            target.memo[key] = self._fit(target, budget)
        pattern, masked = target.memo[key]
        written = canvas.written(_laid_over(canvas, pattern))
        return Outcome(written, canvas.achieved(written), np.full(len(victims), masked))

    @cached_property
    def recogniser(self) -> Recogniser | None:
        """What writes down the words, if one was named."""
        if self.asr is None:
            return None
        from corruptions._checkpoints import checkpoint_folder
        from corruptions.compound._recogniser import Recogniser

        return Recogniser(checkpoint_folder(str(self.asr)), str(self.asr))

    def _fit(self, target: Target, budget: Budget) -> tuple[Tensor, bool]:
        """Return the pattern [1, LENGTH] in -1..1, and whether no gradient ever reached it."""
        classes = target.labels.classes
        samples = [
            sample
            for sample in (target.others(self.fit) if target.others else ())
            if sample.has("audio") and sample.utterance.label in classes
        ]
        if not samples:
            raise MerbenchError(
                "'universal' is fitted on utterances that are not scored, and there are none with a sound "
                "and a label that the model has",
                fix="name the split to score with --split (train, validation and test must not be one), and "
                "stream the cells: leave --suite out",
            )
        adapter = target.adapter
        fitted = Victims.of(target, Batch.of(samples), [s.utterance for s in samples])
        canvas = Canvas.of(fitted.clean, ("audio",), budget, self.norm, device=adapter.device)
        objective = objective_of(adapter, target.labels, canvas, fitted.truth)

        def mean(point: Point) -> Losses:
            losses = objective(_laid_over(canvas, point["audio"]))
            ascent = losses.ascent.mean(dim=0, keepdim=True)
            return Losses(ascent, ascent.detach())

        unit = torch.zeros(1, LENGTH, device=adapter.device)
        space = {"audio": Ball(unit, unit.new_ones(1, 1), self.norm, -1.0, 1.0)}
        named = dataclasses.replace(self, steps=1)
        [rng] = dataclasses.replace(fitted, ids=("universal",)).streams(named, "start")
        found = climb(mean, Steepest(space, self.steps, REACH / self.steps, [rng]))
        return found.point["audio"].detach(), bool(found.masked[0])

    def doubled(self) -> Universal:
        """Return the same attack with twice as many steps."""
        return dataclasses.replace(self, steps=2 * self.steps)


def _laid_over(canvas: Canvas, pattern: Tensor) -> Point:
    """Return every sound plus the pattern, repeated and as loud as its ball allows."""
    ball = canvas.space["audio"]
    length = ball.centre.shape[1]
    repeated = pattern.repeat(1, -(-length // LENGTH))[:, :length]
    return {"audio": ball.project(ball.centre + ball.radius * repeated)}
