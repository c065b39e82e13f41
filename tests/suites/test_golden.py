"""Any machine makes the same suite from the same recipe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.suites import golden

# Turned off one generation at a time, these stand in for older processors.
AVX512 = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR"
FEATURES = {"without AVX512": AVX512, "without AVX512 and AVX2": f"{AVX512} AVX2 FMA3"}


def supported(names: str) -> str:
    """Keep the features that this numpy dispatches to and this processor has; others would only warn."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    return " ".join(n for n in names.split() if n in __cpu_dispatch__ and __cpu_features__.get(n))


def test_the_committed_roots_are_reproduced():
    assert golden.compute() == json.loads(golden.GOLDEN.read_text(encoding="utf-8"))


@pytest.mark.parametrize("names", FEATURES.values(), ids=FEATURES.keys())
def test_the_same_roots_come_from_another_processor(names):
    disabled = supported(names)
    if not disabled:
        pytest.skip("this processor has none of these instructions: it is the other processor")
    out = subprocess.run(
        [sys.executable, "-m", "tests.suites.golden"],
        env={**os.environ, "NPY_DISABLE_CPU_FEATURES": disabled},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert json.loads(out) == json.loads(golden.GOLDEN.read_text(encoding="utf-8"))
