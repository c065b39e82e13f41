"""The example of examples/ci through the steps of action.yml: the same model passes, a degraded one fails."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from merbench.regression.baseline import read_baseline

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "ci"
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
EXPRESSION = re.compile(r"\$\{\{\s*inputs\.([\w-]+)\s*\}\}")


def test_inputs_reach_the_scripts_through_the_environment_only():
    """An expression inside of a script would let a pull request's title or path run commands."""
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"]
        assert step["shell"] == "bash"
        for value in step.get("env", {}).values():
            assert EXPRESSION.fullmatch(value)[1] in ACTION["inputs"]


def test_the_workflow_gives_what_the_action_asks_for():
    workflow = yaml.safe_load((EXAMPLE / "robustness.yml").read_text(encoding="utf-8"))
    step = next(s for s in workflow["jobs"]["gate"]["steps"] if "merbench" in s.get("uses", ""))
    assert set(step["with"]) <= set(ACTION["inputs"])
    assert {name for name, entry in ACTION["inputs"].items() if entry.get("required")} <= set(step["with"])


def test_the_committed_baseline_is_whole():
    found = read_baseline(EXAMPLE / "baseline.json")
    assert len(found.grid.truth) == 200
    assert len(found.grid.cells) == 13


@pytest.fixture(scope="module")
def suite(tmp_path_factory) -> Path:
    """The frozen suite, made once from its recipe."""
    home = tmp_path_factory.mktemp("ci")
    step("Make the suite", home, suite=str(EXAMPLE / "suite"))
    return home


def step(name: str, home: Path, **given: str) -> subprocess.CompletedProcess[str]:
    """Run one step of the action as a runner does."""
    inputs = {key: entry.get("default", "") for key, entry in ACTION["inputs"].items()} | given
    found = next(s for s in ACTION["runs"]["steps"] if s["name"] == name)
    environment = {key: EXPRESSION.sub(lambda m: inputs[m[1]], v) for key, v in found.get("env", {}).items()}
    environment |= {
        "RUNNER_TEMP": str(home),
        "GITHUB_STEP_SUMMARY": str(home / "summary.md"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", found["run"]]
    done = subprocess.run(
        command, env={**os.environ, **environment}, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 or name == "Hold it against the baseline", done.stderr
    return done


def gate(suite: Path, home: Path, model: str, **given: str) -> tuple[int, str, Path]:
    """Evaluate a model and hold it against the baseline; return exit code, summary and JUnit file."""
    (home / "merbench-suite").symlink_to(suite / "merbench-suite")
    junit = home / "junit.xml"
    step("Evaluate the model", home, model=model)
    done = step(
        "Hold it against the baseline",
        home,
        baseline=str(EXAMPLE / "baseline.json"),
        junit=str(junit),
        **given,
    )
    return done.returncode, (home / "summary.md").read_text(encoding="utf-8"), junit


@pytest.mark.slow
def test_the_same_model_passes_within_a_minute(suite, tmp_path):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code, summary, junit = gate(suite, tmp_path, "late-fusion")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert code == 0
    assert "✅ Robustness: held" in summary
    assert ElementTree.parse(junit).getroot().find(".//failure") is None
    # Processor time on one core, whatever else the machine does; on two it takes no longer.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 60


@pytest.mark.slow
def test_a_degraded_model_fails_with_a_reason_that_clean_accuracy_does_not_show(suite, tmp_path):
    code, summary, junit = gate(suite, tmp_path, str(EXAMPLE / "quantised.py:Quantised"))
    assert code == 1
    assert "❌ Robustness: regressed" in summary
    assert "under vision/occlusion_mask" in summary
    cases = {case.get("name"): case for case in ElementTree.parse(junit).getroot().iter("testcase")}
    assert cases["vision/occlusion_mask"].find("failure") is not None
    assert cases["clean"].find("failure") is None
