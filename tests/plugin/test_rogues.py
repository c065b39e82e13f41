"""Somebody else's package that breaks its promises is named, and everything else works on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BASE = """
from typing import ClassVar
from merbench.corruption import Corruption, Measure

class Harmless(Corruption):
    version = 1
    changes = ("audio",)
    exactness = "exact"
    severity: ClassVar = {"rate": (0.1, 0.2, 0.3, 0.4, 0.5)}
    measure = Measure("rate", "rate", worse="higher", kind="per-sample", tolerance=0.01)
    label_validity = ("preserved",) * 5
    validity_source = source = "made up for a test of merbench"

    def draw(self, rng, sample, pool):
        return {"at": rng.one_uniform()}

    def apply(self, batch, params, pool, *, rate):
        return batch, [{"applied": True, "rate": rate} for _ in params]
"""

HEAD = """
import random
from dataclasses import dataclass
from typing import ClassVar
import numpy as np
from rogue.corruptions._base import Harmless
"""

PLUGINS = {
    "fails_on_import": "raise RuntimeError('the licence\\nserver is down')\n",
    "leaves_on_import": "import sys\nsys.exit(0)\n",
    "asks_for_severity": """
@dataclass(frozen=True)
class Asks(Harmless):
    def draw(self, rng, sample, pool, severity=1):
        return {"count": severity}
""",
    "remembers_severity": """
@dataclass(frozen=True)
class Remembers(Harmless):
    seen: ClassVar = [0]
    def draw(self, rng, sample, pool):
        return {"count": self.seen[-1]}
    def apply(self, batch, params, pool, *, rate):
        self.seen.append(rate)
        return super().apply(batch, params, pool, rate=rate)
""",
    "draws_elsewhere": """
@dataclass(frozen=True)
class Elsewhere(Harmless):
    def draw(self, rng, sample, pool):
        return {"at": random.random()}
""",
    "rolls_dice": """
@dataclass(frozen=True)
class Dice(Harmless):
    def apply(self, batch, params, pool, *, rate):
        noise = np.random.default_rng().integers(-9, 9, batch.audio.values.size)
        louder = (batch.audio.values // 2 + noise).astype(np.int16)
        return super().apply(batch.replace(audio=batch.audio.with_values(louder)), params, pool, rate=rate)
""",
    "writes_sound": """
@dataclass(frozen=True)
class WritesSound(Harmless):
    def apply(self, batch, params, pool, *, rate):
        for row in batch.audio:
            row[:100] = 0
        return super().apply(batch, params, pool, rate=rate)
""",
    "writes_unlocked": """
@dataclass(frozen=True)
class WritesUnlocked(Harmless):
    def apply(self, batch, params, pool, *, rate):
        batch.frames.values.setflags(write=True)
        batch.frames.values[:100] ^= 255
        return super().apply(batch, params, pool, rate=rate)
""",
    "writes_params": """
@dataclass(frozen=True)
class WritesParams(Harmless):
    def apply(self, batch, params, pool, *, rate):
        for row in params:
            row["at"] += 1
        return super().apply(batch, params, pool, rate=rate)
""",
    "loses_rows": """
@dataclass(frozen=True)
class Loses(Harmless):
    def apply(self, batch, params, pool, *, rate):
        return batch, [{"applied": True, "rate": rate}]
""",
    "stumbles": """
@dataclass(frozen=True)
class Stumbles(Harmless):
    def apply(self, batch, params, pool, *, rate):
        return batch, params["no such thing"]
""",
    "behaves": """
@dataclass(frozen=True)
class Behaves(Harmless):
    pass
""",
}

BROKEN = {
    "fails_on_import": "RuntimeError: the licence server is down",
    "leaves_on_import": "SystemExit: 0",
    "asks_for_severity": "Asks.draw takes (self, rng, sample, pool, severity), and may only take",
}

CAUGHT = {
    "remembers_severity": "draws differently after it was applied",
    "draws_elsewhere": "draws differently after it was applied",
    "rolls_dice": "does something else each time it is applied with the same params",
    "writes_sound": "writes to what it is given",
    "writes_unlocked": "writes to what it is given",
    "writes_params": "writes to what it is given",
    "loses_rows": "gives 4 rows and 1 reports for 4 rows",
    "stumbles": "fails: TypeError: list indices must be integers",
}

COMMANDS = """
import contextlib, io, json, sys
from merbench.cli import main
told = []
for words in json.loads(sys.stdin.read()):
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(words)
        except SystemExit as stop:
            code = stop.code
    told.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(told))
"""


def package(folder, name, files):
    """Lay a distribution of one package into a folder that can be put on the path."""
    for path, text in files.items():
        module = folder / name / path
        module.parent.mkdir(parents=True, exist_ok=True)
        module.write_text(text, encoding="utf-8")
    record = folder / f"{name}-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text(f"[merbench.corruptions]\n{name} = {name}.corruptions\n")


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What each command says where the rogues are installed; a list of words is the command."""
    folder = tmp_path_factory.mktemp("rogues")
    bodies = {name: body if "_on_import" in name else HEAD + body for name, body in PLUGINS.items()}
    files = {f"corruptions/audio/{name}.py": body for name, body in bodies.items()}
    package(folder, "rogue", {"__init__.py": "", "corruptions/_base.py": BASE, **files})
    package(folder, "ruin", {"__init__.py": "1 / 0\n", "corruptions/__init__.py": ""})

    def corrupt(name):
        return [
            "corrupt", "--limit", "4", "--frames", "1", "--frame-size", "16", "--severity", "2,5",
            "--corruption", f"audio/{name}", "--out", str(folder / "suites" / name),
        ]  # fmt: skip

    asked = {name: corrupt(name) for name in PLUGINS} | {
        "list": ["list", "corruptions"],
        "list --json": ["list", "corruptions", "--json"],
        "list datasets": ["list", "datasets"],
        "show": ["show", "corruption", "audio/fails_on_import"],
        "show another": ["show", "corruption", "text/typo"],
        "unknown": ["show", "corruption", "text/of_the_ruin"],
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", COMMANDS],
        input=json.dumps(list(asked.values())),
        env={**os.environ, "PYTHONPATH": os.fspath(folder)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = dict(zip(asked, json.loads(done.stdout), strict=True))
    return folder / "suites", answers


def refused(answer, *words):
    code, out, err = answer
    assert (code, out) == (2, "")
    last = err.strip().splitlines()[-1]
    assert last.startswith("merbench: ")
    assert "Traceback" not in err and "this is a bug" not in err
    for word in words:
        assert word in last, last


class TestOneThatCannotBeImported:
    @pytest.mark.parametrize("name", BROKEN)
    def test_is_listed_as_broken_with_the_reason(self, told, name):
        code, out, _ = told[1]["list"]
        assert code == 0
        (line,) = [
            line for line in out.splitlines() if line.startswith("broken: ") and f"'audio/{name}'" in line
        ]
        assert BROKEN[name] in line and f"mend rogue.corruptions.audio.{name}" in line

    def test_leaves_every_other_one_in_the_list(self, told):
        rows = {row["name"]: row for row in json.loads(told[1]["list --json"][1])}
        assert {name for name, row in rows.items() if "broken" in row} == {
            "ruin",
            *(f"audio/{n}" for n in BROKEN),
        }
        assert rows["audio/behaves"]["provider"] == "rogue"
        assert rows["text/typo"]["provider"] == "builtin"

    @pytest.mark.parametrize("name", BROKEN)
    def test_is_refused_in_one_line_where_it_is_used(self, told, name):
        refused(told[1][name], f"corruption 'audio/{name}' cannot be imported", BROKEN[name])
        assert not (told[0] / name / "manifest.json").exists()

    def test_does_not_stand_in_the_way_of_others(self, told):
        refused(told[1]["show"], "RuntimeError: the licence server is down")
        assert told[1]["show another"][0] == told[1]["list datasets"][0] == 0


class TestAPackageThatCannotBeRead:
    def test_is_listed_as_broken_with_the_reason(self, told):
        assert "broken: entry point 'ruin' names 'ruin.corruptions', which is not" in told[1]["list"][1]
        assert "ZeroDivisionError: division by zero" in told[1]["list"][1]

    def test_is_named_where_something_is_missing(self, told):
        refused(told[1]["unknown"], "no corruption named 'text/of_the_ruin'", "'ruin'", "ZeroDivisionError")


class TestOneThatBreaksItsPromises:
    @pytest.mark.parametrize("name", CAUGHT)
    def test_is_refused_by_name_and_provider(self, told, name):
        refused(told[1][name], f"corruption 'audio/{name}', which 'rogue' provides, {CAUGHT[name]}")

    @pytest.mark.parametrize("name", CAUGHT)
    def test_leaves_nothing_half_written(self, told, name):
        assert not (told[0] / name / "manifest.json").exists()
        assert not [*(told[0] / name).rglob("*.parquet"), *(told[0] / name).rglob("*.part")]


def test_one_that_keeps_them_is_built(told):
    code, _, err = told[1]["behaves"]
    assert code == 0, err
    assert (told[0] / "behaves" / "manifest.json").exists()
