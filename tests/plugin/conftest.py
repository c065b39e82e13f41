"""The example plug-in, installed as anybody would install it, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which pip put the plug-in: real metadata, no network, nothing left behind."""
    work = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(
        HERE, work / "source", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
    )
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", work / "site", source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return work / "site"


@pytest.fixture
def python(installed: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python where the plug-in (and whatever else is named) can be imported."""

    def run(*arguments: str, also: Path | None = None) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(os.fspath(p) for p in (installed, also) if p is not None)
        return subprocess.run(
            [sys.executable, *arguments],
            env={**os.environ, "PYTHONPATH": path},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    return run
