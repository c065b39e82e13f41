"""The training loop: stages of epochs of steps, for any `Trainable`, in one process or many."""

from __future__ import annotations

import contextlib
import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from merbench.errors import MerbenchError
from merbench.rng import Stream, torch_seed
from merbench.training._trainable import Row
from merbench.training.checkpointing import Place, State
from merbench.training.data import CLEAN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from accelerate import Accelerator
    from torch import Tensor
    from torch.optim import Optimizer

    from merbench.training._trainable import Trainable
    from merbench.training.checkpointing import Checkpoints
    from merbench.training.data import Examples, Splits
    from merbench.training.recipe import Metric, Recipe, Stage
    from merbench.types import Utterance

    Item = tuple[Utterance, int]
    """An utterance and the version of it that is meant."""

_TIMED_STEPS = 3  # after so many steps the time that the rest will take is told


class DivergedError(MerbenchError):
    """The loss or its gradient is no longer a finite number."""


class Loop:
    """Trains one `Trainable` by one recipe, from wherever it was left.

    Args:
        trainable: the model.
        recipe: stages and settings.
        splits: the utterances of every stage.
        examples: what the network reads of training utterances.
        judge: returns a split's scores by metric; the best epoch is chosen by it.
        accelerator: where and with whom to compute.
        checkpoints: where progress is kept.
        progress: called with the number of rows just learned from.
        tell: called with a line for the user.
    """

    def __init__(
        self,
        trainable: Trainable,
        recipe: Recipe,
        splits: Splits,
        examples: Examples,
        judge: Callable[[], dict[str, float]],
        accelerator: Accelerator,
        checkpoints: Checkpoints,
        *,
        progress: Callable[[int], None],
        tell: Callable[[str], None],
    ) -> None:
        self._trainable = trainable
        self._recipe = recipe
        self._splits = splits
        self._examples = examples
        self._judge = judge
        self._accelerator = accelerator
        self._checkpoints = checkpoints
        self._progress = progress
        self._tell = tell
        self._rows = {u.id: trainable.labels.index(u.label) for part in splits.train.values() for u in part}
        self._clock = Clock()
        self._learnable = [n for n, p in trainable.network.named_parameters() if p.requires_grad]
        self.place = Place()

    def run(self) -> Place:
        """Train to the end and leave the network with the best weights of the last stage.

        Raises:
            DivergedError: the loss became NaN or infinite; the network has its last good weights.
            MerbenchError: a stage names a group of parameters that is not there.
        """
        groups = [self._group(stage) for stage in self._recipe.stages]
        state = self._checkpoints.load()
        if state is None:
            self._trainable.survey(self._clean_inputs)
        else:
            self.place = state.place
            self._restore(state.weights)
            self._tell(f"going on from {self._where()}")
            self._progress(self._done())
        left = list(zip(self._recipe.stages, groups, strict=True))[self.place.stage :]
        for stage, names in left:
            self._train_stage(stage, names, None if state is None else state.optimizer)
            state = None
            if self._accelerator.num_processes > 1:  # else the old wrapper would go on averaging gradients
                self._accelerator.free_memory()
        return self.place

    def _clean_inputs(self) -> list[Any]:
        rows = {u.id: u for part in self._splits.train.values() for u in part}
        return self._examples.inputs([(u, CLEAN) for u in rows.values()])

    def _train_stage(
        self, stage: Stage, names: frozenset[str], optimizer_state: dict[str, Any] | None
    ) -> None:
        self._trainable.begin(stage)
        for name, parameter in self._trainable.network.named_parameters():
            parameter.requires_grad_(name in names)
        module = self._accelerator.prepare(_Objective(self._trainable))
        optimizer = self._optimizer()
        if optimizer_state is not None:
            optimizer.load_state_dict(optimizer_state)
        place, utterances = self.place, self._splits.train[stage.name]
        patience = stage.patience or stage.epochs
        while place.epoch < stage.epochs and place.stale < patience:
            self._train_epoch(stage, module, optimizer, utterances)
            better = self._finish_epoch(stage, self._steps(utterances))
            if better:
                self._write(lambda: self._checkpoints.save_best(place, self._weights()))
            self._save(optimizer)
        self._restore(self._checkpoints.load_best(place))
        self._progress((stage.epochs - place.epoch) * len(utterances))  # of a stage that stopped early
        place.stage, place.epoch, place.step, place.best, place.stale = place.stage + 1, 0, 0, None, 0
        self._save(None)

    def _train_epoch(
        self, stage: Stage, module: nn.Module, optimizer: Optimizer, utterances: Sequence[Utterance]
    ) -> None:
        place, training = self.place, self._recipe.training
        steps = self._steps(utterances)
        where = (str(training.seed), stage.name, str(place.epoch))
        order = Stream.of("epoch", *where).permutation(len(utterances))
        items = self._examples.versions(utterances, place.epoch)
        while place.step < steps:
            started, preparing = time.perf_counter(), self._examples.seconds
            rows = order[place.step * training.batch_size : (place.step + 1) * training.batch_size]
            rate = learning_rate(stage, place.epoch * steps + place.step, stage.epochs * steps)
            for group in optimizer.param_groups:
                group["lr"] = rate
            place.losses.append(self._step([items[i] for i in rows], where, module, optimizer))
            place.step += 1
            self._progress(len(rows))
            self._clock.step(time.perf_counter() - started - (self._examples.seconds - preparing))
            if self._clock.steps == _TIMED_STEPS:
                self._tell(self._estimate())
            if training.save_steps and place.step < steps and len(place.losses) % training.save_steps == 0:
                self._save(optimizer)
        place.epoch, place.step = place.epoch + 1, 0

    def _step(
        self, items: Sequence[Item], where: tuple[str, ...], module: nn.Module, optimizer: Optimizer
    ) -> float:
        """Learn from one batch, shared among the processes; return its mean loss."""
        training, accelerator = self._recipe.training, self._accelerator
        rank, world = accelerator.process_index, accelerator.num_processes
        # A process without a row goes along with one that counts for nothing: the others wait for it.
        mine = list(items[rank::world]) or [items[0]]
        counts = 1.0 if len(items) > rank else 0.0
        inputs = self._examples.inputs(mine)
        parts = [part for part in np.array_split(np.arange(len(mine)), training.accumulation) if len(part)]
        torch.manual_seed(torch_seed("step", *where, str(self.place.step), str(rank)))
        optimizer.zero_grad()
        total = torch.zeros((), device=accelerator.device)
        for i, part in enumerate(parts):
            rows = [self._row(mine[k], inputs[k], where) for k in part]
            last = i == len(parts) - 1
            with contextlib.nullcontext() if last else accelerator.no_sync(module):
                share = module(rows) * (counts * len(rows) / len(items))
                accelerator.backward(share * world)  # gradients are averaged over the processes
            total += share.detach()
        loss = float(accelerator.reduce(total, "sum"))
        parameters = [p for p in self._trainable.network.parameters() if p.requires_grad]
        norm = float(nn.utils.clip_grad_norm_(parameters, training.clip))
        if not (math.isfinite(loss) and math.isfinite(norm)):
            what = "loss" if not math.isfinite(loss) else "gradient"
            raise DivergedError(
                f"the {what} became {loss if what == 'loss' else norm} in {self._where()}",
                fix="lower learning_rate or clip, or train in float32",
            )
        optimizer.step()
        return loss

    def _row(self, item: Item, inputs: Any, where: tuple[str, ...]) -> Row:
        """Return a row as the step is shown it; its clean version, if wanted, is varied in the same way."""
        utterance, version = item
        chance, clean = Stream.of("row", *where, utterance.id), None
        if version != CLEAN and self._trainable.compares:
            (untouched,) = self._examples.inputs([(utterance, CLEAN)])
            clean = self._trainable.varied(untouched, Stream(chance.key))
        varied = self._trainable.varied(inputs, chance)
        return Row(varied, self._rows[utterance.id], chance, version != CLEAN, clean)

    def _finish_epoch(self, stage: Stage, steps: int) -> bool:
        """Judge the epoch just finished; return whether it is the stage's best."""
        place, metric = self.place, self._recipe.training.metric
        shown = "accuracy" if metric == "last" else metric
        scores = self._judge()
        loss = sum(place.losses[-steps:]) / steps
        entry = {"stage": stage.name, "epoch": place.epoch, "loss": loss, "validation": scores}
        better = metric == "last" or place.best is None or _better(metric, scores, place.best["validation"])
        place.best, place.stale = (entry, 0) if better else (place.best, place.stale + 1)
        place.epochs.append(entry)
        self._tell(
            f"{stage.name} epoch {place.epoch} of {stage.epochs}: loss {loss:.4f}, "
            f"validation {shown} {scores[shown]:.4f}{' (best)' if better and metric != 'last' else ''}"
        )
        return better

    def _group(self, stage: Stage) -> frozenset[str]:
        """Return the names of the parameters that learn in a stage."""
        groups = {"all": self._learnable, **self._trainable.groups()}
        for name in stage.parameters:
            if name not in groups:
                raise MerbenchError(
                    f"stage '{stage.name}' trains '{name}', and there is no such group of parameters",
                    fix=f"its groups are: {', '.join(groups)}",
                )
        return frozenset(name for group in stage.parameters for name in groups[group])

    def _optimizer(self) -> Optimizer:
        learning = [p for p in self._trainable.network.parameters() if p.requires_grad]
        decay = self._recipe.training.weight_decay
        matrices, vectors = [p for p in learning if p.ndim > 1], [p for p in learning if p.ndim <= 1]
        groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
        return torch.optim.AdamW([group for group in groups if group["params"]])

    def _steps(self, utterances: Sequence[Utterance]) -> int:
        return -(-len(utterances) // self._recipe.training.batch_size)

    def _weights(self) -> dict[str, Tensor]:
        """Return what training changes: the parameters that ever learn, and the buffers."""
        frozen = {n for n, _ in self._trainable.network.named_parameters()} - set(self._learnable)
        state = self._trainable.network.state_dict()
        return {name: value.cpu() for name, value in state.items() if name not in frozen}

    def _restore(self, weights: dict[str, Tensor]) -> None:
        self._trainable.network.load_state_dict(weights, strict=False)

    def restore_last_good(self) -> bool:
        """Give the network its best weights so far; return whether there are any."""
        state = self._checkpoints.load()
        if state is None or not state.place.epochs:
            return False
        best = state.place.best is not None
        self._restore(self._checkpoints.load_best(state.place) if best else state.weights)
        return True

    def _save(self, optimizer: Optimizer | None) -> None:
        kept = None if optimizer is None else optimizer.state_dict()
        self._write(lambda: self._checkpoints.save(State(self.place, self._weights(), kept)))

    def _write(self, action: Callable[[], None]) -> None:
        """Have one process write while the others wait."""
        if self._accelerator.is_main_process:
            action()
        self._accelerator.wait_for_everyone()

    def _done(self) -> int:
        """Return how many rows lie behind; all those of the finished stages, however early they stopped."""
        place, stages = self.place, self._recipe.stages
        rows = sum(s.epochs * len(self._splits.train[s.name]) for s in stages[: place.stage])
        if place.stage < len(stages):
            here = place.epoch * len(self._splits.train[stages[place.stage].name])
            rows += here + place.step * self._recipe.training.batch_size
        return rows

    def _where(self) -> str:
        place = self.place
        if place.stage == len(self._recipe.stages):
            return "the end"
        name = self._recipe.stages[place.stage].name
        return f"stage '{name}', epoch {place.epoch + 1}, step {place.step + 1}"

    def _estimate(self) -> str:
        """Say what the rest costs, unless a stage stops early."""
        stages, place, training = self._recipe.stages, self.place, self._recipe.training
        splits = [self._splits.train[stage.name] for stage in stages]
        counts = [stage.epochs * self._steps(rows) for stage, rows in zip(stages, splits, strict=True)]
        done = sum(counts[: place.stage]) + place.epoch * self._steps(splits[place.stage]) + place.step
        steps = sum(counts) - done
        rows = steps * training.batch_size
        waiting = self._examples.waiting((u for part in splits for u in part), rows)
        seconds = steps * self._clock.mean + waiting * self._examples.seconds_each
        return (
            f"about {duration(seconds)} for {steps} steps of {self._clock.mean:.3g} s, and to prepare "
            f"{waiting} utterances at {self._examples.seconds_each:.2g} s"
        )


class _Objective(nn.Module):
    """The loss as a module, so that Accelerate can wrap it."""

    def __init__(self, trainable: Trainable) -> None:
        super().__init__()
        self.network = trainable.network
        self._trainable = trainable

    def forward(self, rows: Sequence[Row]) -> Tensor:
        self.network.train()
        return self._trainable.loss(rows)


class Clock:
    """The mean time of a step; the first one, which also warms caches up, counts only while it is alone."""

    def __init__(self) -> None:
        self.steps = 0
        self._seconds: list[float] = []

    def step(self, seconds: float) -> None:
        """Count one step."""
        self.steps += 1
        self._seconds.append(seconds)

    @property
    def mean(self) -> float:
        """Seconds per step."""
        later = self._seconds[1:] or self._seconds
        return sum(later) / max(1, len(later))


def learning_rate(stage: Stage, step: int, steps: int) -> float:
    """Return the learning rate of a step: a linear rise from 0, then half a cosine to the final rate."""
    rise = int(stage.warmup * steps)
    if step < rise:
        return stage.learning_rate * (step + 1) / rise
    share = (step - rise) / max(1, steps - rise)
    swing = (1 + math.cos(math.pi * share)) / 2
    return stage.final_learning_rate + (stage.learning_rate - stage.final_learning_rate) * swing


def duration(seconds: float) -> str:
    """Return a time for people."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def _better(metric: Metric, new: dict[str, float], old: dict[str, float]) -> bool:
    return new[metric] < old[metric] if metric == "loss" else new[metric] > old[metric]
