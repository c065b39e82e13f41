"""Where training is, on disk: one file that appears only when complete, so that it survives ``kill -9``.

Everything random is drawn anew from the seed and the place (stage, epoch, step), and the learning rate is
a function of the place; so weights, optimiser and place are all there is to keep.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from merbench.errors import MerbenchError
from merbench.files import atomic

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

_PROGRESS = "progress.pt"
_BEST = "best-*.pt"


@dataclass(slots=True)
class Place:
    """The step that comes next, and what has been measured on the way to it.

    `losses` has one entry per optimiser step and `epochs` one per finished epoch, over all stages. `best`
    is the entry of the running stage's best epoch and `stale` counts the epochs since.
    """

    stage: int = 0
    epoch: int = 0
    step: int = 0
    losses: list[float] = field(default_factory=list)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Any] | None = None
    stale: int = 0


@dataclass(slots=True)
class State:
    """What a file of progress holds; `optimizer` is ``None`` between stages."""

    place: Place
    weights: dict[str, Tensor]
    optimizer: dict[str, Any] | None


class Checkpoints:
    """The files of progress in the folder of one training run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, state: State) -> None:
        """Write where training is; an older best epoch that it no longer names is removed."""
        self._write(self._folder / _PROGRESS, dataclasses.asdict(state.place), state)
        kept = None if state.place.best is None else self._best_path(state.place)
        for path in self._folder.glob(_BEST):
            if path != kept:
                path.unlink()

    def save_best(self, place: Place, weights: dict[str, Tensor]) -> None:
        """Write the weights of the best epoch, before `save` names it."""
        with atomic(self._best_path(place)) as handle:
            torch.save(weights, handle)

    def load(self) -> State | None:
        """Return where training was, ``None`` if it has not begun.

        Raises:
            MerbenchError: the file is damaged.
        """
        path = self._folder / _PROGRESS
        if not path.exists():
            return None
        saved = _read(path)
        return State(Place(**saved["place"]), saved["weights"], saved["optimizer"])

    def load_best(self, place: Place) -> dict[str, Tensor]:
        """Return the weights of the running stage's best epoch."""
        weights: dict[str, Tensor] = _read(self._best_path(place))
        return weights

    def discard(self) -> None:
        """Remove the files of progress of a finished run."""
        for path in (*self._folder.glob(_PROGRESS), *self._folder.glob(_BEST)):
            path.unlink()

    def _best_path(self, place: Place) -> Path:
        assert place.best is not None
        return self._folder / f"best-{place.best['stage']}-{place.best['epoch']}.pt"

    @staticmethod
    def _write(path: Path, place: dict[str, Any], state: State) -> None:
        with atomic(path) as handle:
            torch.save({"place": place, "weights": state.weights, "optimizer": state.optimizer}, handle)


def _read(path: Path) -> Any:
    import pickle

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise MerbenchError(
            f"{path} is damaged ({str(error).splitlines()[0]})", fix="delete the folder and train again"
        ) from error
