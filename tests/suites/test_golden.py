"""Any machine makes the same suite from the same recipe."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processors import OLDER, environment
from tests.suites import golden


def test_the_committed_roots_are_reproduced():
    assert golden.compute() == json.loads(golden.GOLDEN.read_text(encoding="utf-8"))


@pytest.mark.parametrize("processor", OLDER)
def test_the_same_roots_come_from_another_processor(processor):
    env = environment(processor)
    if env is None:
        pytest.skip("this processor has none of these instructions: it is the other processor")
    out = subprocess.run(
        [sys.executable, "-m", "tests.suites.golden"],
        env=env,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert json.loads(out) == json.loads(golden.GOLDEN.read_text(encoding="utf-8"))
