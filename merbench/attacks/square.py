"""Random squares in a clip, random bursts in a sound; only the model's answers are looked at."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from merbench.attacks._attack import MediaAttack, Outcome
from merbench.attacks._canvas import Canvas
from merbench.attacks._gradient import require_positive, unaltered
from merbench.attacks._loop import Losses, Walk, climb
from merbench.attacks._queries import Queries
from merbench.attacks._scores import ENOUGH, Judge
from merbench.errors import MerbenchError
from merbench.options import option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from merbench.attacks._attack import Budget, Victims
    from merbench.attacks._loop import Point, Seen
    from merbench.rng import Stream

_SHARE = 0.8  # of the pixels in the first square: AutoAttack's p_init (Croce and Hein 2020)
_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # of 10 000 queries, as in the paper's section 5
_PAPER_QUERIES = 10_000
_BANDS = (0.003, 0.25)  # a burst's frequency in cycles per sample: 50 Hz to 4 kHz at 16 kHz


@dataclass(frozen=True)
class Square(MediaAttack):
    """Square attack: random search at the corners of the linf ball.

    A clip gets a square of one colour step, the same in every frame; a sound, which has no squares, a burst
    of a square wave of random frequency, place and length: a stretch of time in one band.
    """

    knows = "answers"
    source = (
        "Andriushchenko et al., 'Square Attack: a query-efficient black-box adversarial attack via random "
        "search', ECCV 2020; the burst in sounds is merbench's own"
    )

    queries: int = option(200, "how often each row may be asked about")

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "queries")
        if self.norm != "linf":
            raise MerbenchError("'square' knows only norm=linf", fix="leave norm out, or use pgd:norm=l2")

    def perturb(self, victims: Victims, budget: Budget) -> Outcome:
        """Return the rows after the last proposal that made the model worse."""
        target = victims.target
        altered = self.alters(target.adapter.uses)
        canvas = Canvas.of(victims.clean, altered, budget, self.norm)
        if not any(bool((ball.radius > 0).any()) for ball in canvas.space.values()):
            return unaltered(canvas)
        queries = Queries(target.adapter, victims.clean, altered)
        judge = Judge(target.adapter, target.labels)

        def margins(point: Point) -> Losses:
            margin = judge.margins(queries.answers(canvas.batch(point)), victims.truth)
            return Losses(margin, margin)

        named = dataclasses.replace(self, queries=1)
        walk = _RandomSearch(canvas, self.queries, victims.streams(named))
        found = climb(margins, walk, enough=ENOUGH)
        written = canvas.written(found.point)
        return Outcome(written, canvas.achieved(written), found.masked.numpy())

    def doubled(self) -> Square:
        """Return the same attack with twice as many queries."""
        return dataclasses.replace(self, queries=2 * self.queries)


class _RandomSearch(Walk):
    """Proposals on top of the best point so far; the loop keeps those that help."""

    blind = True

    def __init__(self, canvas: Canvas, queries: int, rngs: Sequence[Stream]) -> None:
        super().__init__(canvas.space, queries)
        self._shapes = canvas.shapes
        self._rngs = rngs

    def start(self) -> Point:
        """Return stripes one pixel wide, and hiss: every value at a corner of the ball."""
        found = {}
        for m, ball in self.space.items():
            signs = torch.zeros_like(ball.centre)
            for i, shape in enumerate(self._shapes[m]):
                if shape is not None:
                    corner = _stripes(self._rngs[i].child(m, "start"), shape)
                    signs[i, : math.prod(shape)] = corner
            found[m] = ball.project(ball.centre + ball.radius * signs)
        return found

    def move(self, step: int, here: Seen, best: Point) -> Point:
        """Return the best point with one more square or burst in each row."""
        share = _SHARE / 2 ** sum(step * _PAPER_QUERIES > h * self.steps for h in _HALVINGS)
        found = {}
        for m, ball in self.space.items():
            proposed = best[m].clone()
            for i, shape in enumerate(self._shapes[m]):
                if shape is not None:
                    size = math.prod(shape)
                    where, signs = _patch(self._rngs[i].child(m, str(step)), shape, share)
                    row = proposed[i, :size].reshape(shape)
                    clean = ball.centre[i, :size].reshape(shape)
                    row[where] = clean[where] + ball.radius[i] * signs
            found[m] = ball.project(proposed)
        return found


def _stripes(rng: Stream, shape: tuple[int, ...]) -> Tensor:
    if len(shape) == 1:
        return _signs(rng, shape[0])
    frames, height, width, channels = shape
    columns = _signs(rng, width * channels).reshape(1, 1, width, channels)
    return columns.expand(frames, height, width, channels).reshape(-1)


def _patch(rng: Stream, shape: tuple[int, ...], share: float) -> tuple[tuple[slice, ...], Tensor]:
    """Return where a proposal goes, and its signs there."""
    if len(shape) == 1:
        length = max(1, round(share * shape[0]))
        begin = rng.one_integer(0, shape[0] - length + 1)
        low, high = (math.log(band) for band in _BANDS)
        cycles = math.exp(low + rng.one_uniform() * (high - low))
        phase = np.arange(length) * cycles + rng.one_uniform()
        return (slice(begin, begin + length),), torch.from_numpy(np.where(phase % 1 < 0.5, 1.0, -1.0)).float()
    _, height, width, channels = shape
    side = min(max(1, round(math.sqrt(share * height * width))), height, width)
    top, left = rng.one_integer(0, height - side + 1), rng.one_integer(0, width - side + 1)
    return (slice(None), slice(top, top + side), slice(left, left + side)), _signs(rng, channels)


def _signs(rng: Stream, n: int) -> Tensor:
    return torch.from_numpy(rng.integers(n, 0, 2) * 2.0 - 1.0).float()
