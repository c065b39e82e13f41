"""Train and evaluate everything that a study asks for, going on wherever an earlier run stopped."""

from __future__ import annotations

import dataclasses
import json
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from merbench.attacks import parse_attack
from merbench.datasets import load_dataset
from merbench.errors import MerbenchError
from merbench.evaluation.run import PLACEHOLDER, evaluate
from merbench.files import write_json
from merbench.hashing import hash_json
from merbench.models._load import CHECKPOINT
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

    def model(self, arm: Arm, seed: int, fold: int | str | None = None) -> Path:
        """Return where the checkpoint of an arm, or of one of its folds, is."""
        if not arm.starts and self.clean is not None:
            given = self.clean.replace("{seed}", str(seed))
            return Path(given if fold is None else given.replace(PLACEHOLDER, str(fold)))
        place = self.folder / "models" / arm.folder / f"seed{seed}"
        return place if fold is None else place / f"fold{fold}"

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
            left = {(name, arm.name) for name, arm, _ in self.missing([seed])}
            for arm in self.study.arms:
                tests = {n: test for n, test in self.study.tests.items() if (n, arm.name) in left}
                if not tests and not self._is_needed(arm, {other for _, other in left}):
                    continue
                tell(f"{arm.name}, seed {seed}")
                for fold in self.study.folds:
                    self._train(arm, seed, fold, tell, progress)
                several = self.study.folds != (None,)
                model = self.model(arm, seed, PLACEHOLDER if several else None)
                for name, test in tests.items():
                    plan = self._plan(name, test)
                    with progress(f"evaluating {arm.name}, seed {seed}: {name}", plan.size) as advance:
                        self._answer(plan, test, str(model), self.run(name, arm, seed), progress=advance)

    def _is_needed(self, arm: Arm, left: set[str]) -> bool:
        """Tell whether others that are left begin with this arm's model."""
        return not arm.starts and any(other.starts for other in self.study.arms if other.name in left)

    def _train(
        self,
        arm: Arm,
        seed: int,
        fold: int | None,
        tell: Callable[[str], None],
        progress: Callable[[str, int], Any],
    ) -> None:
        model = self.model(arm, seed, fold)
        if arm.starts or self.clean is None:
            job = self._job(arm, seed, fold)
            what = f"training {arm.name}, seed {seed}" + ("" if fold is None else f", fold {fold}")
            with progress(what, job.rows) as advance:
                train(job, model, device=self.device, workers=self.workers, progress=advance, tell=tell)
        elif not model.is_dir():
            raise MerbenchError(
                f"there is no clean model {model} for seed {seed}",
                fix="give --clean with {seed} in it, or leave it out to train one",
            )

    def _job(self, arm: Arm, seed: int, fold: int | None) -> Job:
        start = str(self.model(self.study.arms[0], seed, fold)) if arm.starts else None
        recipe = arm.recipe.with_(seed=seed, start=start)
        return plan_training(
            recipe, root=self.root, noise_root=self.noise_root, protocol=self.study.protocol, fold=fold
        )

    def _answer(self, plan: Plan, test: Test, model: str, out: Path, **how: Any) -> None:
        evaluate(
            plan,
            model,
            out,
            attacks=[parse_attack(spec) for spec in test.attacks],
            severities=test.severities,
            device=self.device,
            workers=self.workers,
            **how,
        )

    def _plan(self, name: str, test: Test) -> Plan:
        if name not in self._plans:
            protocol = self.study.protocol
            if protocol is None:
                named = test.dataset or self.study.arms[0].recipe.data.dataset
                dataset = load_dataset(named, self.root, MediaSpec(frame_size=test.frame_size))
                split: str | None = test.split
            else:
                dataset = protocol.open(self.root)
                split = None if protocol.split is None else protocol.split.test
            self._plans[name] = make_plan(
                dataset,
                [parse_corruption(spec, {"noise_root": self.noise_root}) for spec in test.corruptions],
                test.severities,
                split=split,
                limit=test.limit,
                protocol=None if protocol is None else protocol.facts(),
            )
        return self._plans[name]

    def estimate(self, seeds: Sequence[int], tell: Callable[[str], None]) -> float:
        """Return about how many seconds are left, measured on a few batches of every recipe that is to run.

        Args:
            seeds: of those of the study.
            tell: called with a line per arm.
        """
        left, total, folds = self.missing(seeds), 0.0, self.study.folds
        with tempfile.TemporaryDirectory() as folder:
            model, another = Path(folder) / "model", Path(folder) / "another"
            for arm in self.study.arms:
                todo = {seed for _, other, seed in left if other is arm}
                models = [self.model(arm, seed, fold) for seed in todo for fold in folds]
                untrained = [one for one in models if not (one / CHECKPOINT).exists()]
                if left and not arm.starts:  # the others begin with what it leaves, and tests ask that
                    each = self._training_seconds(arm, model, None)
                else:
                    each = self._training_seconds(arm, another, str(model)) if untrained else 0.0
                total += each * len(untrained)
                tell(f"{arm.name}: {len(untrained)} to train, about {each * len(untrained) / 60:.1f} min")
            for name, test in self.study.tests.items():
                runs = sum(test_name == name for test_name, _, _ in left)
                seconds = self._test_seconds(name, test, str(model)) * runs if runs else 0.0
                total += seconds
                tell(f"test '{name}': {runs} runs, about {seconds / 60:.1f} min")
        return total

    def _training_seconds(self, arm: Arm, out: Path, start: str | None) -> float:
        """Return what one training takes, from `_PROBED` batches gone through twice; leave the model."""
        recipe = arm.recipe.with_(start=start)
        whole = plan_training(
            recipe,
            root=self.root,
            noise_root=self.noise_root,
            protocol=self.study.protocol,
            fold=self.study.folds[0],
        )
        stage = dataclasses.replace(recipe.stages[0], epochs=2)
        rows = whole.splits.train[stage.name][: _PROBED * recipe.training.batch_size]
        few = dataclasses.replace(
            whole,
            recipe=dataclasses.replace(whole.recipe, stages=(stage,)),
            splits=dataclasses.replace(
                whole.splits,
                train={stage.name: rows},
                validation=whole.splits.validation[:_PROBED_SAMPLES],
                test=(),
            ),
        )
        clock = _Clock()
        shutil.rmtree(out, ignore_errors=True)
        train(few, out, device=self.device, workers=self.workers, progress=clock.tick)
        first, again = clock.halves()
        distinct = len({u.id for part in whole.splits.train.values() for u in part})
        return distinct * max(0.0, first - again) + whole.rows * again

    def _test_seconds(self, name: str, test: Test, model: str) -> float:
        """Return what one run of a test takes, from a few samples."""
        plan = self._plan(name, test)
        seconds = 0.0
        for limit in (1, _PROBED_SAMPLES):  # the first one compiles and loads
            few = dataclasses.replace(plan, utterances=plan.utterances[:limit])
            with tempfile.TemporaryDirectory() as folder:
                started = time.perf_counter()
                # Its answers are thrown away: it may have seen the samples.
                self._answer(few, test, model, Path(folder) / "probe", allow_contaminated=True)
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
        """Return the seconds per row of the first half, which prepared them, and of the second.

        Before the first batch is done, libraries are loaded: it counts only if it is alone.
        """
        middle = len(self._ticks) // 2
        begun = 0 if middle == 1 else 1
        start = self._ticks[0][0] if begun else self._started
        (split, _), (end, _) = self._ticks[middle - 1], self._ticks[-1]
        rows = [sum(n for _, n in part) for part in (self._ticks[begun:middle], self._ticks[middle:])]
        return (split - start) / rows[0], (end - split) / rows[1]
