"""Train and evaluate everything that a study asks for, going on wherever an earlier run stopped."""

from __future__ import annotations

import dataclasses
import json
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from merbench.attacks import parse_attack
from merbench.datasets import load_dataset
from merbench.errors import MerbenchError
from merbench.evaluation.run import evaluate
from merbench.files import write_json
from merbench.hashing import hash_json
from merbench.suites.plan import make_plan, parse_corruption
from merbench.training.run import plan_training, train
from merbench.types import MediaSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from merbench.ablation.study import Arm, Study, Test
    from merbench.suites.plan import Plan
    from merbench.training.run import Job

FORMAT = 1
"""Version of the folder's layout; another one is not gone on with."""

_CLAIM = "study.json"
_PROBED = 3  # batches that are trained on twice to tell what a step costs, and what preparing does
_PROBED_SAMPLES = 8


@dataclass(frozen=True)
class Ablation:
    """A study and the folder that it is done in.

    ``models/<arm>/seed<k>`` hold the checkpoints, ``runs/<test>/<arm>/seed<k>`` their answers.

    Args:
        study: what is asked.
        folder: where everything goes.
        clean: where clean models are that were trained before, e.g. ``runs/clean-{seed}``.
        root: where the datasets' files lie.
        noise_root: where noise recordings lie.
        device: where to compute.
        workers: threads that decode.
    """

    study: Study
    folder: Path
    clean: str | None = None
    root: Path | None = None
    noise_root: Path | None = None
    device: str = "cpu"
    workers: int = 2
    _plans: dict[str, Plan] = field(default_factory=dict, repr=False)

    def claimed(self) -> bool:
        """Tell whether the study has begun in the folder. Seeds may be added to it later.

        Raises:
            MerbenchError: another study has.
        """
        path = self.folder / _CLAIM
        if not path.exists():
            return False
        try:
            found = json.loads(path.read_text(encoding="utf-8"))["study_id"]
        except (ValueError, KeyError, TypeError) as error:
            raise MerbenchError(f"{path} is damaged ({error})", fix="choose another --out") from error
        if found != hash_json(self._asked):
            raise MerbenchError(
                f"{self.folder} holds another study, or the same one with other recipes or settings",
                fix="choose another --out, or delete that folder",
            )
        return True

    @property
    def _asked(self) -> dict[str, Any]:
        study = self.study.to_json()
        del study["train"]["seeds"]
        return {"format": FORMAT, "study": study, "clean": self.clean}

    def model(self, arm: Arm, seed: int) -> Path:
        """Return where the checkpoint of an arm is."""
        if not arm.starts and self.clean is not None:
            return Path(self.clean.replace("{seed}", str(seed)))
        return self.folder / "models" / arm.folder / f"seed{seed}"

    def run(self, test: str, arm: Arm, seed: int) -> Path:
        """Return where an arm's answers to a test are."""
        return self.folder / "runs" / test / arm.folder / f"seed{seed}"

    def missing(self, seeds: Sequence[int]) -> list[tuple[str, Arm, int]]:
        """Return the tests, arms and seeds of which there is no result yet."""
        return [
            (test, arm, seed)
            for seed in seeds
            for arm in self.study.arms
            for test in self.study.tests
            if not (self.run(test, arm, seed) / "result.json").exists()
        ]

    def do(
        self,
        seeds: Sequence[int],
        *,
        tell: Callable[[str], None],
        progress: Callable[[str, int], Any],
    ) -> None:
        """Train and evaluate every arm for these seeds, seed by seed: what is done is of use at any moment.

        Args:
            seeds: of those of the study.
            tell: called with a line for the user.
            progress: called with a title and a total; its context gives what is called with rows just done.

        Raises:
            MerbenchError: a clean model given is not there, or what `train` and `evaluate` refuse.
        """
        if not self.claimed():
            write_json(self.folder / _CLAIM, {"study_id": hash_json(self._asked), **self._asked})
        for seed in seeds:
            for arm in self.study.arms:
                model = self.model(arm, seed)
                tell(f"{arm.name}, seed {seed}")
                if arm.starts or self.clean is None:
                    job = self._job(arm, seed)
                    with progress(f"training {arm.name}, seed {seed}", job.rows) as advance:
                        train(
                            job, model, device=self.device, workers=self.workers, progress=advance, tell=tell
                        )
                elif not model.is_dir():
                    raise MerbenchError(
                        f"there is no clean model {model} for seed {seed}",
                        fix="give --clean with {seed} in it, or leave it out to train one",
                    )
                for name, test in self.study.tests.items():
                    plan = self._plan(name, test)
                    with progress(f"evaluating {arm.name}, seed {seed}: {name}", plan.size) as advance:
                        self._answer(plan, test, str(model), self.run(name, arm, seed), advance)

    def _job(self, arm: Arm, seed: int) -> Job:
        start = str(self.model(self.study.arms[0], seed)) if arm.starts else None
        recipe = arm.recipe.with_(seed=seed, start=start)
        return plan_training(recipe, root=self.root, noise_root=self.noise_root)

    def _answer(
        self, plan: Plan, test: Test, model: str, out: Path, progress: Callable[[int], None] | None = None
    ) -> None:
        evaluate(
            plan,
            model,
            out,
            attacks=[parse_attack(spec) for spec in test.attacks],
            severities=test.severities,
            device=self.device,
            workers=self.workers,
            progress=progress,
        )

    def _plan(self, name: str, test: Test) -> Plan:
        if name not in self._plans:
            dataset = test.dataset or self.study.arms[0].recipe.data.dataset
            self._plans[name] = make_plan(
                load_dataset(dataset, self.root, MediaSpec(frame_size=test.frame_size)),
                [parse_corruption(spec, {"noise_root": self.noise_root}) for spec in test.corruptions],
                test.severities,
                split=test.split,
                limit=test.limit,
            )
        return self._plans[name]

    def estimate(self, seeds: Sequence[int], tell: Callable[[str], None]) -> float:
        """Return about how many seconds are left, measured on a few batches of every recipe that is to run.

        Args:
            seeds: of those of the study.
            tell: called with a line per arm.
        """
        left, total = self.missing(seeds), 0.0
        for arm in self.study.arms:
            todo = {seed for _, other, seed in left if other is arm}
            untrained = [seed for seed in todo if not (self.model(arm, seed) / "checkpoint.json").exists()]
            seconds = self._training_seconds(arm, seeds[0]) * len(untrained) if untrained else 0.0
            total += seconds
            tell(f"{arm.name}: {len(untrained)} to train, about {seconds / 60:.1f} min")
        for name, test in self.study.tests.items():
            runs = sum(test_name == name for test_name, _, _ in left)
            seconds = self._test_seconds(name, test) * runs if runs else 0.0
            total += seconds
            tell(f"test '{name}': {runs} runs, about {seconds / 60:.1f} min")
        return total

    def _training_seconds(self, arm: Arm, seed: int) -> float:
        """Return what one training takes, from `_PROBED` batches that are gone through twice."""
        # The clean model of the study need not be there yet; any other costs the same.
        recipe = arm.recipe.with_(seed=seed, start="emollama-base" if arm.starts else None)
        whole = plan_training(recipe, root=self.root, noise_root=self.noise_root)
        stage = dataclasses.replace(recipe.stages[0], epochs=2)
        rows = whole.splits.train[stage.name][: _PROBED * recipe.training.batch_size]
        few = dataclasses.replace(
            whole,
            recipe=dataclasses.replace(recipe, stages=(stage,)),
            splits=dataclasses.replace(
                whole.splits,
                train={stage.name: rows},
                validation=whole.splits.validation[:_PROBED_SAMPLES],
                test=(),
            ),
        )
        clock = _Clock()
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "probe"
            train(few, out, device=self.device, workers=self.workers, progress=clock.tick)
        first, again = clock.halves()
        distinct = len({u.id for part in whole.splits.train.values() for u in part})
        return distinct * max(0.0, first - again) + whole.rows * again

    def _test_seconds(self, name: str, test: Test) -> float:
        """Return what one run of a test takes, from a few samples."""
        plan = self._plan(name, test)
        seconds = 0.0
        for limit in (1, _PROBED_SAMPLES):  # the first one compiles and loads
            few = dataclasses.replace(plan, utterances=plan.utterances[:limit])
            with tempfile.TemporaryDirectory() as folder:
                started = time.perf_counter()
                self._answer(few, test, "emollama-base", Path(folder) / "probe")
                seconds = (time.perf_counter() - started) / few.size * plan.size
        return seconds


class _Clock:
    """When rows were learned from."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._ticks: list[tuple[float, int]] = []

    def tick(self, rows: int) -> None:
        """Count some rows."""
        self._ticks.append((time.perf_counter(), rows))

    def halves(self) -> tuple[float, float]:
        """Return the seconds per row of the first half, which prepared them, and of the second."""
        middle = len(self._ticks) // 2
        (split, _), (end, _) = self._ticks[middle - 1], self._ticks[-1]
        rows = [sum(n for _, n in part) for part in (self._ticks[:middle], self._ticks[middle:])]
        return (split - self._started) / rows[0], (end - split) / rows[1]
