"""What fools another model, tried on this one."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

from merbench.attacks._attack import MediaAttack, Outcome, Victims, attacks
from merbench.attacks._gradient import require_positive
from merbench.errors import MerbenchError
from merbench.labels import map_labels
from merbench.models import Differentiable
from merbench.models._load import load_model
from merbench.options import option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from merbench.attacks._attack import Budget
    from merbench.attacks.pgd import Pgd
    from merbench.models import Adapter
    from merbench.types import JSON


@dataclass(frozen=True)
class Transfer(MediaAttack):
    """PGD along the gradient of another model, which the attacker has; this one is never asked."""

    knows = "another model"
    source = "Papernot et al., 'Practical black-box attacks against machine learning', ASIA CCS 2017"

    surrogate: str = option("", "the other model, as --model takes it; it must offer gradients")
    steps: int = option(20, "steps of PGD")

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "steps")
        if not self.surrogate:
            raise MerbenchError(
                "'transfer' needs another model to attack", fix="write --attack transfer:surrogate=MODEL"
            )

    @cached_property
    def other(self) -> Adapter:
        """The model whose gradient is followed."""
        return load_model(self.surrogate)

    def require(self, adapter: Adapter, severities: Sequence[int]) -> None:
        """Check both models.

        Raises:
            MerbenchError: the other one has no gradient, or the two are the same.
        """
        super().require(adapter, severities)
        if not isinstance(self.other, Differentiable):
            raise MerbenchError(
                f"'transfer' needs gradients of {self.other.name}, and it offers none",
                fix="name another model: emollama-base offers them",
            )
        if self.other.fingerprint() is not None and self.other.fingerprint() == adapter.fingerprint():
            raise MerbenchError(
                f"'transfer' from {self.other.name} to itself is a white-box attack",
                fix="use pgd, or name another model",
            )
        self._as_pgd(adapter.uses).alters(self.other.uses)

    def identity(self) -> dict[str, JSON]:
        """Return the options, with the other model's fingerprint."""
        return {**super().identity(), "other": self.other.fingerprint()}

    def perturb(self, victims: Victims, budget: Budget) -> Outcome:
        """Return what PGD makes of the rows with the other model."""
        target = victims.target
        labels = map_labels(self.other.labels, target.labels.classes, "closed")
        theirs = dataclasses.replace(target, adapter=self.other, labels=labels, memo={})
        return self._as_pgd(target.adapter.uses).perturb(
            dataclasses.replace(victims, target=theirs, memo={}), budget
        )

    def _as_pgd(self, uses: Sequence[str]) -> Pgd:
        alters = tuple(m for m in self.alters(uses) if m in self.other.uses)  # type: ignore[arg-type]
        if not alters:
            raise MerbenchError(
                f"{self.other.name} reads nothing of what 'transfer' alters in this model",
                fix="name another model, or leave modalities= out",
            )
        pgd = cast("type[Pgd]", attacks["pgd"])  # from the registry, which names it
        return pgd(modalities=alters, norm=self.norm, snr=self.snr, levels=self.levels, steps=self.steps)
