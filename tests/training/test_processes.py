"""What only real processes show: `kill -9`, and two of them sharing every batch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

MERBENCH = "from merbench.cli import main; main()"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}


def command(workshop, recipe, out):
    words = ["train", "--recipe", recipe, "--root", workshop.table, "--out", workshop.folder / out]
    return [*map(str, words), "--device", "cpu"]


@pytest.mark.parametrize(
    "steps", [1, pytest.param(7, marks=pytest.mark.slow), pytest.param(13, marks=pytest.mark.slow)]
)
def test_it_goes_on_after_kill_9_to_the_same_weights(workshop, same, steps):
    whole = workshop.train(workshop.recipe(options="dropout = 0.2"), "whole")
    slow = workshop.path(options="dropout = 0.2\nslow = 0.05")
    arguments = command(workshop, slow, "killed")
    with subprocess.Popen(
        [sys.executable, "-c", MERBENCH, *arguments], env=ENVIRONMENT, stderr=subprocess.DEVNULL
    ) as process:
        progress = workshop.folder / "killed" / "progress.pt"
        while not progress.exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(0.05 * steps)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (workshop.folder / "killed" / "weights.pt").exists()
    resumed = workshop.train(workshop.recipe(options="dropout = 0.2\nslow = 0.05"), "killed")
    assert resumed["losses"] == whole["losses"]
    assert same(workshop.weights("whole"), workshop.weights("killed"))


@pytest.mark.slow
def test_two_processes_give_the_loss_curve_of_one(workshop):
    """The gradient is a mean over the same rows, added up in another order: float32 rounding and no more."""
    lines = {"batch": "13", "training": "accumulation = 2"}  # of 79 rows: the last batch is a single one
    one = workshop.train(workshop.recipe(**lines), "one")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    path = workshop.path(**lines)
    done = subprocess.run(
        [*torchrun, "--no-python", sys.executable, "-c", MERBENCH, *command(workshop, path, "two"), "--json"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    two = json.loads(done.stdout)  # printed once
    assert two["cost"]["processes"] == 2
    assert two["losses"] == pytest.approx(one["losses"], abs=1e-5)
    for here, there in zip(two["epochs"], one["epochs"], strict=True):
        assert here["validation"] == pytest.approx(there["validation"], abs=1e-4)
