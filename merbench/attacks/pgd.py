"""Many short steps from random starts."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from merbench.attacks._gradient import GradientAttack, require_positive
from merbench.attacks._loop import Steepest, Walk
from merbench.options import option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from merbench.attacks._attack import Victims
    from merbench.attacks._loop import Space

REACH = 2.5
"""All steps together, in radii: from any start the walk can reach the boundary and still move along it."""


@dataclass(frozen=True)
class Pgd(GradientAttack):
    """Projected gradient descent on the model's confidence in the right class."""

    source = (
        "Madry et al., 'Towards deep learning models resistant to adversarial attacks', ICLR 2018; steps of "
        "2.5 radii / steps as in its section on larger budgets"
    )

    steps: int = option(20, "steps of each start")
    restarts: int = option(1, "random starts; the best point of all counts")

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "steps", "restarts")

    def walks(self, space: Space, victims: Victims) -> Iterator[Walk]:
        """Yield one walk per random start."""
        for restart in range(self.restarts):
            rngs = victims.streams(self.one_start(), "start", str(restart))
            yield Steepest(space, self.steps, REACH / self.steps, rngs)

    def doubled(self) -> Pgd:
        """Return the same attack with twice as many steps."""
        return dataclasses.replace(self, steps=2 * self.steps)

    def one_start(self) -> Pgd:
        """Return the attack that names the random starts: they stay the same whatever the effort."""
        return dataclasses.replace(self, steps=1, restarts=1, eot=1)
