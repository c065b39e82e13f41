"""How the answers of several models become one.

All rules but the vote are linear opinion pools (Stone 1961, "The opinion pool", Annals of Mathematical
Statistics 32): a weighted mean of distributions. A model that abstains in a row, because nothing that
it reads is there or because its words name no label, has no weight in it; where all abstain, every
label is equally likely.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - options are read from resolved annotations
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from merbench.errors import MerbenchError
from merbench.models._ensemble.members import Space  # noqa: TC001 - see above
from merbench.options import option

if TYPE_CHECKING:
    import numpy.typing as npt

    from merbench.models._ensemble.fitted import Fitted

_LEAST_TRUST = 0.01  # a model whose input seems worthless still speaks where nobody else does


@dataclass(frozen=True)
class Mean:
    """Every model counts the same (the sum rule of Kittler et al. 1998, "On combining classifiers")."""

    labels: Space = option("shared", "the labels that all models have, or those of any")

    routes: ClassVar[bool] = False
    """Whether it asks how clean each modality is."""

    def check(self, members: int) -> None:
        """Refuse options that cannot be meant, for this many models.

        Raises:
            MerbenchError: they cannot.
        """

    def combine(
        self,
        distributions: npt.NDArray[np.float64],
        trust: npt.NDArray[np.float64] | None,
        fitted: Fitted | None,
    ) -> npt.NDArray[np.float64]:
        """Return one distribution per row [N, C].

        Args:
            distributions: what each model says [M, N, C]; a row of zeros abstains.
            trust: how clean what each model reads is [M, N], in 0..1, for rules that route.
            fitted: weights and clean levels from a validation split, for rules that take them.
        """
        return pool(distributions, np.ones(distributions.shape[:2]))


@dataclass(frozen=True)
class Weighted(Mean):
    """Models count as much as is said, or as a validation split has shown."""

    weights: tuple[float, ...] = option((), "one per model, in their order; only ratios matter")
    fit: Path | None = option(None, "weights written by 'merbench model fit'")

    def combine(
        self,
        distributions: npt.NDArray[np.float64],
        trust: npt.NDArray[np.float64] | None,
        fitted: Fitted | None,
    ) -> npt.NDArray[np.float64]:
        """Return the weighted mean."""
        weights = self.weights if fitted is None else fitted.weights
        return pool(distributions, np.repeat(np.array(weights)[:, None], distributions.shape[1], axis=1))

    def check(self, members: int) -> None:
        """Refuse weights that are not one number per model, or that come from two places or none."""
        if bool(self.weights) == (self.fit is not None):
            raise MerbenchError(
                "a weighted mean needs either weights=a+b or fit=FILE",
                fix="give one of the two, or write mean",
            )
        if self.fit is None and len(self.weights) != members:
            raise MerbenchError(
                f"weights= gives {len(self.weights)} numbers for {members} models",
                fix="give one for each, in their order",
            )
        if not all(0 <= w < np.inf for w in self.weights) or (self.weights and not any(self.weights)):
            raise MerbenchError(
                f"weights={'+'.join(map(str, self.weights))} cannot weigh models",
                fix="give numbers of at least 0, and not only 0",
            )


@dataclass(frozen=True)
class Vote(Mean):
    """Every model names one label, and the most named wins; the mean of the models decides a tie."""

    def combine(
        self,
        distributions: npt.NDArray[np.float64],
        trust: npt.NDArray[np.float64] | None,
        fitted: Fitted | None,
    ) -> npt.NDArray[np.float64]:
        """Return shares of votes, of which the mean is one more: less than what any ballot counts."""
        ballots = np.eye(distributions.shape[2])[distributions.argmax(axis=2)]
        ballots *= distributions.any(axis=2, keepdims=True)
        mean = pool(distributions, np.ones(distributions.shape[:2]))
        total = ballots.sum(axis=0) + mean
        return np.asarray(total / total.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Router(Mean):
    """Models count as much as what they read is clean, judged by the input alone (`quality`)."""

    sharpness: float = option(1.0, "weight = quality ** sharpness: 0 is the mean, 8 nearly a choice of one")
    fit: Path | None = option(None, "the quality of clean input, written by 'merbench model fit'")

    routes: ClassVar[bool] = True

    def check(self, members: int) -> None:
        """Refuse a sharpness that would trust the worse modality."""
        if not 0 <= self.sharpness < np.inf:
            raise MerbenchError(f"a router's sharpness cannot be {self.sharpness}", fix="give 0 or more")

    def combine(
        self,
        distributions: npt.NDArray[np.float64],
        trust: npt.NDArray[np.float64] | None,
        fitted: Fitted | None,
    ) -> npt.NDArray[np.float64]:
        """Return the mean weighted by trust.

        Fitted weights are left alone: they say who is right on clean input, which is not who to ask here.
        """
        assert trust is not None
        return pool(distributions, np.maximum(trust, _LEAST_TRUST) ** self.sharpness)


RULES: dict[str, type[Mean]] = {"mean": Mean, "weighted": Weighted, "vote": Vote, "router": Router}


def pool(distributions: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the mean [N, C] of distributions [M, N, C] with weights [M, N] over those that do not abstain.

    Where the weights of all that speak are 0, they count the same; where nobody speaks, it is uniform.
    """
    speaks = distributions.any(axis=2)
    mine = np.where(speaks, weights, 0.0)
    mine = np.where(mine.sum(axis=0) > 0, mine, speaks)
    total = mine.sum(axis=0)
    mixed = np.einsum("mn,mnc->nc", mine, distributions)
    uniform = np.full_like(mixed, 1 / mixed.shape[1])
    return np.asarray(np.divide(mixed, total[:, None], out=uniform, where=total[:, None] > 0))
