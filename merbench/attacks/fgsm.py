"""One step of the whole budget along the sign of the gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from merbench.attacks._gradient import GradientAttack
from merbench.attacks._loop import Steepest, Walk

if TYPE_CHECKING:
    from merbench.attacks._attack import Victims
    from merbench.attacks._loop import Space


@dataclass(frozen=True)
class Fgsm(GradientAttack):
    """Fast gradient sign method; with ``norm=l2`` the fast gradient method."""

    source = "Goodfellow, Shlens and Szegedy, 'Explaining and harnessing adversarial examples', ICLR 2015"

    def walks(self, space: Space, victims: Victims) -> list[Walk]:
        """Return the one step."""
        return [Steepest(space, 1, 1.0)]
