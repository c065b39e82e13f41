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
from merbench.datasets._view import FOLD
from merbench.errors import MerbenchError
from merbench.evaluation.marks import marks_of
from merbench.evaluation.result import read_result, scored_predictions
from merbench.evaluation.run import PLACEHOLDER, evaluate
from merbench.files import write_json
from merbench.hashing import hash_json
from merbench.models import TrainingRecord
from merbench.models._load import CHECKPOINT, load_model
from merbench.suites.plan import make_plan, parse_corruption
from merbench.training.run import plan_training, train
from merbench.types import MediaSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from merbench.ablation.study import Arm, Study, Test
    from merbench.suites.plan import Plan
    from merbench.training.run import Job
    from merbench.types import Utterance

FORMAT = 1
"""Version of the folder's layout; another one is not gone on with."""

_CLAIM = "study.json"
_PROBED = 3  # batches that are trained on twice to tell what a step costs, and what preparing does
_PROBED_SAMPLES = 8


@dataclass(frozen=True)
class Ablation:
    """A study and the folder that it is done in.

    ``models/<arm>/seed<k>`` hold the checkpoints, a ``fold<j>`` each below it where there are folds, and
    ``runs/<test>/<arm>/seed<k>`` their answers.

    Args:
        study: what is asked.
        folder: where everything goes.
        clean: where clean models are that were trained before, e.g. ``runs/clean-{seed}``, and with folds
            ``runs/clean-{seed}/fold{fold}``.
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
        """Return the tests, arms and seeds of which there is no intact result yet."""
        return [
            (test, arm, seed)
            for seed in seeds
            for arm in self.study.arms
            for test in self.study.tests
            if not _is_answered(self.run(test, arm, seed))
        ]

    def _needed(self, seed: int) -> list[Arm]:
        """Return whose models are wanted: those with answers missing, and what others of them begin with."""
        left = {arm.name for _, arm, _ in self.missing([seed])}
        begins = any(arm.starts for arm in self.study.arms if arm.name in left)
        return [arm for arm in self.study.arms if arm.name in left or (begins and not arm.starts)]

    def require_ready(self, seeds: Sequence[int]) -> None:
        """Refuse what would only be refused after hours of training.

        Raises:
            MerbenchError: ``clean`` does not name a model per seed and fold, one of them is not there, or a
                test would be on samples, speakers or noise that a model learns from.
        """
        folds = self.study.folds
        if self.clean is not None:
            for mark, several in (
                ("{seed}", len(self.study.train.seeds) > 1),
                (PLACEHOLDER, folds != (None,)),
            ):
                if several and mark not in self.clean:
                    what = f"{mark[1:-1]}s"
                    raise MerbenchError(
                        f"--clean '{self.clean}' is one model for all {what}", fix=f"write {mark} in it"
                    )
        for seed in seeds:
            left = {(name, arm.name) for name, arm, _ in self.missing([seed])}
            for arm in self._needed(seed):
                for fold in folds:
                    trained_on = self._learns_from(arm, seed, fold)
                    for name in (name for name in self.study.tests if (name, arm.name) in left):
                        self._require_unseen(name, arm, fold, trained_on)

    def _learns_from(self, arm: Arm, seed: int, fold: int | None) -> tuple[TrainingRecord, ...] | None:
        if arm.starts or self.clean is None:
            return tuple(map(TrainingRecord.from_json, self._job(arm, seed, fold).record["trained_on"]))
        model = self.model(arm, seed, fold)
        if not model.is_dir():
            raise MerbenchError(
                f"there is no clean model {model} for seed {seed}",
                fix="give --clean with {seed} in it, or leave it out to train one",
            )
        return load_model(str(model)).trained_on

    def _require_unseen(
        self, name: str, arm: Arm, fold: int | None, trained_on: tuple[TrainingRecord, ...] | None
    ) -> None:
        plan = self._plan(name, self.study.tests[name])
        rows = [u for u in plan.index() if fold is None or u.extra[FOLD] == fold]
        for mark in marks_of(trained_on, plan.facts, rows, plan.cells):
            if mark.kind == "contaminated":
                raise MerbenchError(
                    f"test '{name}' would be on what '{arm.name}' learns from: {mark.why}",
                    fix="test on another split, other samples or other noise folds",
                )

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
            MerbenchError: what `require_ready`, `train` and `evaluate` refuse.
        """
        self.require_ready(seeds)
        if not self.claimed():
            write_json(self.folder / _CLAIM, {"study_id": hash_json(self._asked), **self._asked})
        for seed in seeds:
            left = {(name, arm.name) for name, arm, _ in self.missing([seed])}
            for arm in self._needed(seed):
                tests = {n: test for n, test in self.study.tests.items() if (n, arm.name) in left}
                tell(f"{arm.name}, seed {seed}")
                for fold in self.study.folds:
                    self._train(arm, seed, fold, tell, progress)
                several = self.study.folds != (None,)
                model = self.model(arm, seed, PLACEHOLDER if several else None)
                for name, test in tests.items():
                    plan = self._plan(name, test)
                    with progress(f"evaluating {arm.name}, seed {seed}: {name}", plan.size) as advance:
                        self._answer(plan, test, str(model), self.run(name, arm, seed), progress=advance)

    def _train(
        self,
        arm: Arm,
        seed: int,
        fold: int | None,
        tell: Callable[[str], None],
        progress: Callable[[str, int], Any],
    ) -> None:
        if not arm.starts and self.clean is not None:
            return
        job, model = self._job(arm, seed, fold), self.model(arm, seed, fold)
        what = f"training {arm.name}, seed {seed}" + ("" if fold is None else f", fold {fold}")
        with progress(what, job.rows) as advance:
            train(job, model, device=self.device, workers=self.workers, progress=advance, tell=tell)

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
        needed = {seed: self._needed(seed) for seed in seeds}
        with tempfile.TemporaryDirectory() as folder:
            model, another = Path(folder) / "model", Path(folder) / "another"
            if self.clean is not None:
                model = self.model(self.study.arms[0], seeds[0], folds[0])
            for arm in self.study.arms:
                given = not arm.starts and self.clean is not None
                models = [
                    self.model(arm, seed, fold)
                    for seed in seeds
                    for fold in folds
                    if arm in needed[seed] and not given
                ]
                untrained = [one for one in models if not (one / CHECKPOINT).exists()]
                each = 0.0
                if (
                    left and not arm.starts and not given
                ):  # others begin with what it leaves, and tests ask that
                    each = self._training_seconds(arm, model, None)
                elif untrained:
                    each = self._training_seconds(arm, another, str(model))
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
        whole = plan_training(
            arm.recipe.with_(start=start),
            root=self.root,
            noise_root=self.noise_root,
            protocol=self.study.protocol,
            fold=self.study.folds[0],
        )
        first, *others = whole.recipe.stages
        rows = whole.splits.train[first.name][: _PROBED * whole.recipe.training.batch_size]
        few = dataclasses.replace(
            whole,
            recipe=dataclasses.replace(whole.recipe, stages=(dataclasses.replace(first, epochs=2),)),
            splits=dataclasses.replace(
                whole.splits,
                train={first.name: rows},
                validation=whole.splits.validation[:_PROBED_SAMPLES],
                test=(),
            ),
        )
        clock = _Clock()
        shutil.rmtree(out, ignore_errors=True)
        train(few, out, device=self.device, workers=self.workers, progress=clock.tick)
        fresh, again = clock.halves()
        learned = {u.id: u for part in whole.splits.train.values() for u in part}.values()
        each = max(0.0, fresh - again) * len(rows) / _versions(few, rows, 2)
        epochs = max(stage.epochs for stage in (first, *others))
        return each * _versions(whole, learned, epochs) + whole.rows * again

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


def _is_answered(run: Path) -> bool:
    """Tell whether a run has its result and the answers it is of; a damaged one is made again."""
    try:
        scored_predictions(run, read_result(run))
    except MerbenchError:
        return False
    return True


def _versions(job: Job, utterances: Collection[Utterance], epochs: int) -> int:
    """Return how many versions of these utterances so many epochs show."""
    noise = job.hardening("train")
    return len(utterances) if noise is None else sum(len(noise.versions(u, epochs)) for u in utterances)


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
