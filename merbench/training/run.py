"""One training run from end to end: read the data, train or go on, and leave a checkpoint folder."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from merbench.datasets import load_dataset
from merbench.errors import MerbenchError
from merbench.files import contents, locked, sweep, write_json
from merbench.hashing import combine, hash_file, hash_json
from merbench.models._load import CHECKPOINT
from merbench.options import canonical
from merbench.rng import torch_seed
from merbench.training._trainable import load_trainable
from merbench.training.data import CLEAN, Examples, Hardening, make_corruptions, make_splits
from merbench.types import MediaSpec, Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from merbench.corruption import Corruption
    from merbench.datasets import Dataset
    from merbench.protocols import Protocol
    from merbench.training._trainable import Trainable
    from merbench.training.data import Purpose, Splits
    from merbench.training.recipe import Recipe

FORMAT = 2
"""Version of the training folder and of what a recipe means; another one is not gone on with."""

RUN = "training.json"


def _contents(recipe: Recipe) -> dict[str, str]:
    """Return hashes of what a recipe's ``[model]`` names on disk: a class's file, a size, a checkpoint."""
    found, model = {}, recipe.model
    for key, value in sorted({"name": model.name, **model.options}.items()):
        if isinstance(value, str) and value:
            path = Path(value.partition(".py:")[0] + ".py" if ".py:" in value else value)
            if path.is_file():
                found[key] = hash_file(path)
            elif (path / CHECKPOINT).is_file():
                files = (file for file in sorted(path.iterdir()) if file.is_file() and file.name != RUN)
                found[key] = combine(hash_file(file) for file in files)  # how long it took is not what it is
    return found


@dataclass(frozen=True)
class Job:
    """A recipe and the data that it is followed on; nothing is decoded yet."""

    recipe: Recipe
    dataset: Dataset
    splits: Splits
    corruptions: tuple[Corruption, ...]
    """What the recipe hardens with; empty without noise."""
    protocol: Mapping[str, Any] | None = None
    """Which protocol and fold it is trained for (`Protocol.followed`), if one was given."""

    @property
    def rows(self) -> int:
        """How many rows all epochs hold: the total of `train`'s progress."""
        return sum(stage.epochs * len(self.splits.train[stage.name]) for stage in self.recipe.stages)

    @property
    def identity(self) -> dict[str, Any]:
        """What a run of it is a run of; on one machine, equal identities end in equal weights."""
        return {
            "format": FORMAT,
            "recipe": self.recipe.to_json(),
            "dataset": self.dataset.identity(),
            "samples": hash_json([[u.id, u.label] for u in (*self.splits.seen, *self.splits.test)]),
            "noise": [[c.name, c.version, canonical(c), c.content_hash()] for c in self.corruptions],
            "files": _contents(self.recipe),
        }

    def hardening(self, purpose: Purpose) -> Hardening | None:
        """Return the noise for training, or for choosing the best epoch: one version of each utterance."""
        noise, training = self.recipe.noise, self.recipe.training
        if noise is None:
            return None
        rows = [u for part in self.splits.train.values() for u in part]
        return Hardening(
            corruptions=self.corruptions,
            noise=noise if purpose == "train" else dataclasses.replace(noise, draws=1),
            dataset=self.dataset.name,
            purpose=purpose,
            seed=training.seed,
            pool=Pool(tuple(rows) if purpose == "train" else self.splits.validation, self.dataset.load),
        )

    @property
    def record(self) -> dict[str, Any]:
        """What a checkpoint says about how it came about."""
        seen = self.splits.seen
        material = (c.material(canonical(c)) for c in self.corruptions)
        return {
            "labels": list(self.dataset.labels),
            "trained_on": [
                {
                    "dataset": self.dataset.name,
                    "options": self.dataset.draw_options(),
                    "samples": sorted(u.id for u in seen),
                    "speakers": sorted({u.speaker for u in seen if u.speaker is not None}),
                    "noise": sorted(frozenset[str]().union(*material)),
                }
            ],
            "recipe": self.recipe.to_json(),
            "seed": self.recipe.training.seed,
            **({} if self.protocol is None else {"protocol": dict(self.protocol)}),
        }


def plan_training(
    recipe: Recipe,
    *,
    root: Path | None = None,
    noise_root: Path | None = None,
    protocol: Protocol | None = None,
    fold: int | None = None,
) -> Job:
    """Open the data of a recipe and split it.

    Args:
        recipe: what to do.
        root: where the dataset's files lie.
        noise_root: where the noise bank lies, for recipes with one.
        protocol: whose data, classes and splits to take instead of the recipe's own.
        fold: which of its folds, from 1, the model is not to see.

    Raises:
        MerbenchError: the recipe does not fit the data (see `make_splits`), its noise is not there, or the
            protocol does not have the fold.
    """
    noise = () if recipe.noise is None else make_corruptions(recipe.noise, noise_root)
    if protocol is None:
        dataset, followed = load_dataset(recipe.data.dataset, root, _spec(recipe, MediaSpec())), None
    else:
        dataset = protocol.open_for_training(root, fold, _spec(recipe, protocol.media))
        followed = protocol.followed(fold)
        data = dataclasses.replace(recipe.data, dataset=protocol.dataset, **protocol.parts())
        recipe = dataclasses.replace(recipe, data=data)
    return Job(recipe, dataset, make_splits(dataset, recipe), noise, followed)


def _spec(recipe: Recipe, media: MediaSpec) -> MediaSpec:
    size = recipe.data.frame_size
    return media if size is None else dataclasses.replace(media, frame_size=size)


def train(
    job: Job,
    folder: Path,
    *,
    device: str = "auto",
    workers: int = 2,
    progress: Callable[[int], None] | None = None,
    tell: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Train, and leave a checkpoint in `folder`; return what its ``training.json`` says.

    A folder that holds an unfinished run of the same job is gone on with; a finished one is returned.
    Started by ``torchrun`` in several processes, all of them share every batch.

    Args:
        job: recipe and data.
        folder: where the checkpoint goes; evaluate it as ``--model FOLDER``.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        workers: threads that decode.
        progress: called with the number of rows just learned from, repeats included.
        tell: called with a line for the user.

    Raises:
        MerbenchError: the device is not here, or the folder holds another run.
        DivergedError: the loss is no longer finite; the last good weights are in `folder`.
    """
    from merbench.training.checkpointing import Checkpoints
    from merbench.training.distributed import accelerator, is_main
    from merbench.training.loop import DivergedError, Loop
    from merbench.training.scoring import score

    started = time.perf_counter()
    settings, splits = job.recipe.training, job.splits
    # By every process before it joins the others: one that fails later leaves them waiting.
    _check_claim(folder, job.identity)
    with (
        locked(folder) if is_main() else contextlib.nullcontext(),
        accelerator(device, settings.precision) as joined,
    ):
        if is_main():
            _claim(folder, job.identity)
            sweep(folder)
        joined.wait_for_everyone()
        state: dict[str, Any] = json.loads((folder / RUN).read_text(encoding="utf-8"))
        if state["finished"]:
            if is_main():
                Checkpoints(folder).discard()  # killed just before it came to that
            return state
        trainable = _build(job.recipe, job.dataset.labels, str(joined.device))
        prepared = partial(Examples, job.dataset, trainable, keep=job.recipe.data.keep, workers=workers)
        training, validating = job.hardening("train"), job.hardening("validation")
        epochs = max(stage.epochs for stage in job.recipe.stages)
        versions = (CLEAN,) if validating is None else (CLEAN, 1)
        always = {CLEAN} if training is None or trainable.compares else set[int]()
        learned = prepared(
            training, lambda u: always if training is None else always | training.versions(u, epochs)
        )
        held_out, unseen = prepared(validating, lambda _: versions), prepared(None, lambda _: (CLEAN,))
        together = settings.batch_size // settings.accumulation
        judged = [(u, version) for version in versions for u in splits.validation]
        checkpoints, record = Checkpoints(folder), job.record
        loop = Loop(
            trainable,
            job.recipe,
            splits,
            learned,
            lambda: score(trainable, held_out, judged, joined, together),
            joined,
            checkpoints,
            progress=progress or _ignore,
            tell=tell if tell and is_main() else _ignore,
        )
        try:
            place = loop.run()
        except DivergedError as error:
            if loop.restore_last_good() and is_main():
                trainable.save(folder, {**record, "scores": {}, "stopped": str(error)})
                raise DivergedError(f"{error}; the last good weights are in {folder}") from None
            raise
        scores = {"validation": score(trainable, held_out, judged, joined, together)}
        if splits.test:
            items = [(u, CLEAN) for u in splits.test]
            scores["test"] = score(trainable, unseen, items, joined, together)
        state |= {"finished": True, "scores": scores, "epochs": place.epochs, "losses": place.losses}
        state["cost"] = {  # of the last sitting, where it was interrupted
            "wall_s": round(time.perf_counter() - started, 3),
            "device": str(joined.device),
            "processes": joined.num_processes,
        }
        if is_main():
            trainable.save(folder, {**record, "scores": scores})
            write_json(folder / RUN, state)
            checkpoints.discard()
    return state


def _build(recipe: Recipe, labels: tuple[str, ...], device: str) -> Trainable:
    """Make the model with the weights that the seed gives it."""
    import torch

    from merbench.training.hardening import hardened

    torch.manual_seed(torch_seed("network", str(recipe.training.seed)))
    trainable = hardened(load_trainable(recipe.model, labels), recipe)
    trainable.network.to(device)
    if recipe.training.gradient_checkpointing:
        trainable.checkpoint_gradients()
    return trainable


def _claim(folder: Path, identity: dict[str, Any]) -> None:
    """Write what this folder is a run of, unless that run has begun."""
    _check_claim(folder, identity)  # again, for now it is locked
    if not _begun(folder):
        run = {"run_id": hash_json(identity), **identity, "finished": False}
        write_json(folder / RUN, run)


def _begun(folder: Path) -> bool:
    """Tell whether the folder holds more than a claim: a run that fails before its first save leaves none."""
    return folder.is_dir() and any(path.name != RUN for path in contents(folder))


def _check_claim(folder: Path, identity: dict[str, Any]) -> None:
    """Check that nothing has begun in this folder, or a run of just this."""
    path = folder / RUN
    if not _begun(folder):
        return
    if path.exists():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            run_id, name = found["run_id"], found["recipe"]["name"]
        except (ValueError, KeyError, TypeError) as error:
            raise MerbenchError(
                f"{path} is damaged ({error})", fix="delete the folder or choose another --out"
            ) from error
        if run_id != hash_json(identity):
            raise MerbenchError(
                f"{folder} holds another training run (recipe '{name}', or another seed, dataset or setting)",
                fix="choose another --out, or delete that folder",
            )
    else:
        raise MerbenchError(f"{folder} is not empty and holds no training run", fix="choose another --out")


def _ignore(_: object) -> None:
    pass
