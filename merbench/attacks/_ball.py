"""Where an attack may go: all points near a clean one that the medium can hold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from torch import Tensor

    from merbench.rng import Stream

Norm = Literal["linf", "l2"]


@dataclass(frozen=True, eq=False)
class Ball:
    """Rows of points at most `radius` from `centre` in a norm, and in the medium's range.

    `centre` is [N, D], `radius` [N, 1]; a radius of 0 is a row that stays as it is. `real` [N, D] is false
    where a row has ended and padding stands, ``None`` without padding.
    """

    centre: Tensor
    radius: Tensor
    norm: Norm
    low: float
    high: float
    real: Tensor | None = None

    @cached_property
    def _box(self) -> tuple[Tensor, Tensor]:
        """The linf ball cut by the range; what an l2 ball is held in as well."""
        lower = (self.centre - self.radius).clamp(min=self.low)
        return lower, (self.centre + self.radius).clamp(max=self.high)

    def project(self, point: Tensor) -> Tensor:
        """Return points within the ball and the range.

        For linf the nearest ones. For l2 the nearest within the ball, then cut by the range: as the centre
        is in range, cutting brings every coordinate closer to it, so that the point stays within the ball.
        """
        if self.norm == "l2":
            away = point - self.centre
            share = (self.radius / _length(away)).clamp(max=1)
            return (self.centre + away * share).clamp(self.low, self.high)
        return point.clamp(*self._box)

    def ahead(self, point: Tensor, gradient: Tensor, length: Tensor | float) -> Tensor:
        """Return points `length` radii (a number, or [N, 1]) up the steepest ascent, back within the ball."""
        step = self.steepest(gradient)
        return self.project(step.mul_(self.radius * length).add_(point))

    def steepest(self, gradient: Tensor) -> Tensor:
        """Return the direction [N, D] of length 1 in the ball's norm in which the loss rises fastest."""
        if self.norm == "linf":
            return gradient.sign()
        return gradient / _length(gradient)

    def random(self, rngs: Sequence[Stream]) -> Tensor:
        """Return a random point of every row, each from its own stream.

        For linf uniform over the ball; for l2 uniform over its surface, where nearly all of a ball of so
        many dimensions lies.
        """
        draw = _uniform if self.norm == "linf" else _normal
        away = torch.empty_like(self.centre)
        for row, rng in zip(away, rngs, strict=True):
            row.copy_(torch.from_numpy(draw(rng, len(row))))
        if self.real is not None:
            away *= self.real
        if self.norm == "l2":
            away = self.steepest(away)
        return self.project(away.mul_(self.radius).add_(self.centre))

    def whole(self, point: Tensor) -> Tensor:
        """Return points of whole levels, within the ball still.

        The centre is of whole levels, and for linf so is the radius: rounding to the nearest stays inside.
        For l2 every coordinate is rounded towards the centre.
        """
        if self.norm == "linf":
            return point.round()
        return (point - self.centre).trunc_().add_(self.centre)


def _uniform(rng: Stream, n: int) -> npt.NDArray[np.float32]:
    """Return values in (-1, 1) on a grid of 2^-15: finer than any medium's levels, four from a word."""
    words = rng.words(-(-n // 4)).astype("<u8", copy=False).view("<i2")[:n]
    return words.astype(np.float32) / np.float32(2**15)


def _normal(rng: Stream, n: int) -> npt.NDArray[np.float32]:
    return rng.normal(n).astype(np.float32)


def _length(rows: Tensor) -> Tensor:
    """Return the Euclidean length [N, 1], never 0."""
    length: Tensor = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return length.clamp(min=float(torch.finfo(rows.dtype).tiny))
