"""What makes hardening on a CPU affordable, each against doing without it in the same run.

    OMP_NUM_THREADS=1 python benchmarks/training.py

*Preparing* the utterances of the recipe `noise`: only the versions that its epochs show against all that it
draws, and on frames of the size that the network reads against native ones. *The reliability* of two attacks
on 16 rows: what they are held against asked once and for each of them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from merbench.attacks import parse_attack
from merbench.datasets import load_dataset
from merbench.evaluation import attack_reliability
from merbench.evaluation.attacked import attack_model
from merbench.evaluation.run import admit
from merbench.suites.plan import make_plan
from merbench.training._trainable import load_trainable
from merbench.training.data import CLEAN, Examples
from merbench.training.recipe import load_recipe
from merbench.training.run import plan_training
from merbench.types import MediaSpec

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = "synthetic:train=320,validation=48,test=48"
UTTERANCES = 48


def seconds(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def preparing() -> None:
    """Print the time per utterance with frames of both sizes, versions ahead and all."""
    found = {}
    for size in (224, 56):
        recipe = load_recipe("noise").with_(dataset=DATA, frame_size=size)
        job = plan_training(recipe)
        noise = job.hardening("train")
        assert noise is not None and recipe.noise is not None
        epochs, draws = max(stage.epochs for stage in recipe.stages), recipe.noise.draws
        rows = job.splits.train[recipe.stages[0].name][: UTTERANCES + 4]
        network = load_trainable(recipe.model, job.dataset.labels)
        for ahead in (lambda u: noise.versions(u, epochs), lambda _: range(draws + 1)):  # noqa: B023
            examples = Examples(job.dataset, network, noise, ahead, keep=True, workers=1)
            examples.inputs([(u, CLEAN) for u in rows[:4]])  # compiles
            wanted = [(u, noise.version(u, 0)) for u in rows[4:]]
            taken = seconds(lambda: examples.inputs(wanted))  # noqa: B023
            found[size, len(found) % 2 == 0] = taken / len(wanted)
    usual = found[224, False]
    for (size, few), each in found.items():
        what = f"{size} px, {'versions that are shown' if few else 'all versions'}"
        print(f"preparing, {what}: {1000 * each:.1f} ms an utterance, {usual / each:.1f} times as fast")


def believing() -> None:
    """Print the time of the reliability checks of two attacks, together and one after the other."""
    plan = make_plan(load_dataset(DATA, None, MediaSpec(frame_size=56)), [], (), split="test", limit=32)
    adapter, labels, _ = admit(plan, "emollama-base")
    attacks = [parse_attack(spec) for spec in ("pgd:steps=10", "apgd:steps=10")]
    together = attack_model(plan, adapter, labels, attacks, (4,), seed=0)
    alone = [attack_model(plan, adapter, labels, [attack], (4,), seed=0) for attack in attacks]
    attack_reliability.probe(alone[0])  # warms up
    once = seconds(lambda: attack_reliability.probe(together))
    each = sum(seconds(lambda: attack_reliability.probe(one)) for one in alone)  # noqa: B023
    print(f"reliability of two attacks: {once:.1f} s, {each / once:.2f} times as fast as each by itself")


if __name__ == "__main__":
    preparing()
    believing()
