"""Runs and boards that tests may spoil."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from merbench.datasets import load_dataset
from merbench.evaluation.run import evaluate
from merbench.leaderboard.board import add_run
from merbench.leaderboard.row import Statement
from merbench.suites.plan import make_plan, parse_corruption
from tests import adapters

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def answered(texts, tmp_path_factory) -> Callable[..., Path]:
    """Evaluate one of the tests' text models under typos, once per model; return the run's folder."""
    runs: dict[tuple, Path] = {}

    def run(model: str = "TextOnly", *, limit: int = 120, verify: bool = True) -> Path:
        key = (model, limit, verify)
        if key not in runs:
            plan = make_plan(
                load_dataset("table", texts), [parse_corruption("text/typo", {})], (1, 3, 5), limit=limit
            )
            out = tmp_path_factory.mktemp("runs") / "run"
            runs[key], _ = evaluate(
                plan, f"{adapters.__file__}:{model}", out, verify=verify, label_mode="strict"
            )
        return runs[key]

    return run


@pytest.fixture
def board(answered, tmp_path) -> Path:
    """A board with one row."""
    folder = tmp_path / "typos"
    add_run(answered(), folder, Statement(recipe="clean", about="counts vowels"))
    return folder


@pytest.fixture
def row(board) -> Path:
    """The path of that row."""
    return next(path for path in board.glob("*.json") if path.name != "board.json")


def edit(path: Path, change: Callable[[Any], None]) -> None:
    """Change a JSON file as somebody with an editor would."""
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    path.write_text(json.dumps(value), encoding="utf-8")


def copy_of(run: Path, out: Path) -> Path:
    """Copy a run that a test is going to spoil."""
    shutil.copytree(run, out)
    return out
