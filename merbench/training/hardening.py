"""Training on attacked rows, and on the difference between natural and adversarial noise.

`Hardened` stands between the loop and a network: it attacks some rows of a step with the network as it is at
that step, and lays what noise-aware training wants beside the loss. Loop and network know nothing of it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from merbench.attacks import parse_attack
from merbench.attacks._canvas import Canvas
from merbench.attacks._loop import Losses, Steepest, climb
from merbench.attacks.pgd import REACH
from merbench.errors import MerbenchError
from merbench.models import Wants
from merbench.training._trainable import Attackable, Outputs, Trainable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from merbench.attacks import Budget
    from merbench.attacks._loop import Point
    from merbench.training._trainable import Row
    from merbench.training.recipe import Adversarial, NoiseAware, Recipe, Stage
    from merbench.types import Batch, Utterance

_MODEL, _DISCRIMINATOR = "model", "discriminator"

_ONE_STEP = 1.25  # radii: with 1, one step from a random start does not reach the boundary (Wong et al. 2020)


def hardened(trainable: Trainable, recipe: Recipe) -> Trainable:
    """Return what a recipe's ``[adversarial]`` and ``[noise_aware]`` make of a network; itself without them.

    Raises:
        MerbenchError: nothing of the network can be attacked.
    """
    if recipe.adversarial is None:
        return trainable
    if not isinstance(trainable, Attackable):
        raise MerbenchError(
            f"'{recipe.model.name}' cannot be attacked in training",
            fix="leave [adversarial] out, or derive it from merbench.training.Attackable",
        )
    return Hardened(trainable.labels, trainable, recipe.adversarial, recipe.noise_aware)


@dataclass(eq=False)
class Hardened(Trainable):
    """A network that is trained on attacked rows beside the others."""

    labels: tuple[str, ...]
    base: Attackable
    adversarial: Adversarial
    noise_aware: NoiseAware | None

    @property
    def compares(self) -> bool:
        """Whether answers to noisy rows are held against those to their clean versions."""
        return self.noise_aware is not None and self.noise_aware.consistency > 0

    @property
    def wants(self) -> Wants:  # type: ignore[override]
        """What the network wants."""
        return self.base.wants

    @cached_property
    def network(self) -> nn.Module:
        """The network, and the discriminator if there is one, which no checkpoint holds."""
        parts = {_MODEL: self.base.network}
        if self.noise_aware is not None and self.noise_aware.discriminator > 0:
            parts[_DISCRIMINATOR] = nn.Sequential(
                nn.LayerNorm(self.base.representation_size),
                nn.Linear(self.base.representation_size, self.noise_aware.hidden),
                nn.ReLU(),
                nn.Linear(self.noise_aware.hidden, 1),
            )
        return nn.ModuleDict(parts)

    def groups(self) -> Mapping[str, Sequence[str]]:
        """Return the network's groups, and ``discriminator``."""
        groups = {
            group: [f"{_MODEL}.{name}" for name in names] for group, names in self.base.groups().items()
        }
        own = [name for name, _ in self.network.named_parameters() if not name.startswith(f"{_MODEL}.")]
        return {**groups, _DISCRIMINATOR: own}

    def survey(self, inputs: Callable[[], Sequence[Any]]) -> None:
        """Have the network take its statistics."""
        self.base.survey(inputs)

    def begin(self, stage: Stage) -> None:
        """Get the network ready."""
        self.base.begin(stage)

    def checkpoint_gradients(self) -> None:
        """Have the network trade computation for memory."""
        self.base.checkpoint_gradients()

    def prepare(self, batch: Batch, utterances: Sequence[Utterance]) -> Sequence[Any]:
        """Return what the network reads."""
        return self.base.prepare(batch, utterances)

    def varied(self, inputs: Any, chance: Any) -> Any:
        """Vary a row as the network does."""
        return self.base.varied(inputs, chance)

    def logits(self, inputs: Sequence[Any]) -> Tensor:
        """Return the network's logits [N, C]."""
        return self.base.logits(inputs)

    def save(self, folder: Path, record: Mapping[str, Any]) -> None:
        """Write the network's checkpoint folder."""
        self.base.save(folder, record)

    def loss(self, rows: Sequence[Row]) -> Tensor:
        """Return the mean loss of the rows, some of them attacked, with what noise-aware training adds."""
        shown, attacked = self._attack(rows)
        if self.noise_aware is None:
            return self.base.loss(shown)
        outputs = self.base.outputs(shown)
        natural = torch.tensor([row.noisy for row in rows], device=outputs.logits.device)
        adversarial = torch.tensor(attacked, device=outputs.logits.device)
        loss = outputs.loss
        if self.noise_aware.discriminator:
            loss = loss + self.noise_aware.discriminator * self._told_apart(outputs, natural, adversarial)
        if self.noise_aware.consistency:
            loss = loss + self.noise_aware.consistency * self._inconsistency(
                outputs, rows, natural | adversarial
            )
        return loss

    def _attack(self, rows: Sequence[Row]) -> tuple[list[Row], list[bool]]:
        """Return the rows with some of those attacked that no noise corrupted, and which were.

        A row of which nothing can be moved, for it is silent or has only its words left, is not attacked.
        """
        shown, attacked = list(rows), [False] * len(rows)
        settings, clean = self.adversarial, [i for i, row in enumerate(rows) if not row.noisy]
        chosen = [i for i in clean if rows[i].chance.child("share").one_uniform() < settings.share]
        inputs = [rows[i].inputs for i in chosen]
        device = next(self.network.parameters()).device
        canvas = Canvas.of(
            self.base.media(inputs), settings.modalities, self._budget, "linf", device=str(device)
        )
        if not canvas.space:
            return shown, attacked
        truth = torch.tensor([rows[i].label for i in chosen], device=device)

        def objective(point: Point) -> Losses:
            logits = self.base.logits(self.base.with_media(inputs, canvas.media(point, Wants())))
            loss = F.cross_entropy(logits.float(), truth, reduction="none")
            return Losses(loss, loss.detach())

        starts = [rows[i].chance.child("start") for i in chosen]
        walk = Steepest(canvas.space, settings.steps, self._length, starts)
        with _evaluating(self.base.network):
            found = climb(objective, walk)
        altered = self.base.with_media(inputs, canvas.media(found.point, Wants()))
        movable = torch.cat([ball.radius > 0 for ball in canvas.space.values()], dim=1).any(dim=1)
        for i, row, moved in zip(chosen, altered, movable.tolist(), strict=True):
            shown[i], attacked[i] = (rows[i]._replace(inputs=row), True) if moved else (rows[i], False)
        return shown, attacked

    @property
    def _budget(self) -> Budget:
        return parse_attack(self.adversarial.attack).budget(self.adversarial.severity)

    @property
    def _length(self) -> float:
        """The length of a step in radii."""
        single = self.adversarial.attack == "fgsm"
        return _ONE_STEP if single else REACH / self.adversarial.steps

    def _told_apart(self, outputs: Outputs, natural: Tensor, adversarial: Tensor) -> Tensor:
        """Return the discriminator's loss; the encoders get its gradient reversed.

        Both kinds of noise weigh the same, however many rows each has; one alone teaches nothing.
        """
        if not (bool(natural.any()) and bool(adversarial.any())):
            return outputs.loss.new_zeros(())
        discriminator = self.network.get_submodule(_DISCRIMINATOR)
        guess = discriminator(_reversed(outputs.representation.float()))[:, 0]
        sides = [
            F.binary_cross_entropy_with_logits(guess[kind], torch.full_like(guess[kind], target))
            for kind, target in ((natural, 0.0), (adversarial, 1.0))
        ]
        return torch.stack(sides).mean()

    def _inconsistency(self, outputs: Outputs, rows: Sequence[Row], corrupted: Tensor) -> Tensor:
        """Return how far the answers to corrupted rows are from those to their clean versions, in nats."""
        which = torch.nonzero(corrupted)[:, 0].tolist()
        if not which:
            return outputs.loss.new_zeros(())
        clean = [row._replace(inputs=row.clean) if row.noisy else row for row in (rows[i] for i in which)]
        with _evaluating(self.base.network), torch.no_grad():
            expected = F.softmax(self.base.outputs(clean).logits.float(), dim=1)
        answers = F.log_softmax(outputs.logits[which].float(), dim=1)
        return F.kl_div(answers, expected, reduction="batchmean")


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Have the network answer as it does when it is evaluated, without dropout."""
    network.eval()
    try:
        yield
    finally:
        network.train()


class _Reversal(torch.autograd.Function):
    """The identity, whose gradient is turned round (Ganin et al. 2016, section 4.2)."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return -gradients[0]


def _reversed(values: Tensor) -> Tensor:
    turned: Tensor = _Reversal.apply(values)  # type: ignore[no-untyped-call]
    return turned
