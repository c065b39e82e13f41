"""Any machine gives the same bytes, and bytes change only together with a version."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from merbench.corruption import corruptions
from tests.corruptions import golden
from tests.processors import OLDER, environment


@pytest.fixture(scope="module")
def found():
    return golden.compute()


def committed():
    return json.loads(golden.GOLDEN.read_text(encoding="utf-8"))


def test_the_committed_bytes_are_reproduced(found):
    assert found == committed()


def test_every_exact_corruption_has_five_hashes(found):
    built_in = [n for n in corruptions.names() if corruptions.entry(n).provider == "builtin"]
    exact = {f"{n}@{corruptions[n].version}" for n in built_in if corruptions[n].exactness == "exact"}
    assert found.keys() == exact
    # Two rates of a rare event may well meet none of the few samples: hence four different ones, not five.
    assert all(len(hashes) == 5 and len(set(hashes.values())) >= 4 for hashes in found.values())


@pytest.mark.parametrize("name", OLDER)
def test_an_older_processor_gives_the_same_bytes(name):
    older = environment(name)
    if older is None:
        pytest.skip("this processor has none of these instructions: it is the older processor")
    out = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.corruptions.golden"],
        env=older,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert json.loads(out) == committed()


def test_moved_bytes_are_not_committed_under_an_old_version(found, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(golden, "compute", lambda: found)
    path = tmp_path / "golden.json"
    golden.main(["--write"], path)
    name = next(iter(found))
    other = {**found, name: dict.fromkeys("12345", "0" * 64)}
    path.write_text(json.dumps(other), encoding="utf-8")
    with pytest.raises(SystemExit, match=f"the bytes of {name} moved: raise the version"):
        golden.main(["--write"], path)
    assert json.loads(path.read_text(encoding="utf-8")) == other
    del other[name]  # as after raising the version
    path.write_text(json.dumps(other), encoding="utf-8")
    golden.main(["--write"], path)
    assert json.loads(path.read_text(encoding="utf-8")) == found
    capsys.readouterr()
