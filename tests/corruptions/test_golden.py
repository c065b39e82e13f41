"""Any machine gives the same bytes, and bytes change only together with a version."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.corruptions import golden
from tests.processors import OLDER, environment


@pytest.fixture(scope="module")
def found():
    return golden.compute()


def committed():
    return golden.committed(golden.GOLDEN)


def test_the_committed_bytes_are_reproduced(found):
    assert found == committed()


def test_every_exact_corruption_has_five_hashes(found):
    assert found.keys() == {golden.key(name) for name in golden.names("exact")}
    # Two rates of a rare event may well meet none of the few samples: hence four different ones, not five.
    assert all(len(hashes) == 5 and len(set(hashes.values())) >= 4 for hashes in found.values())


@pytest.mark.parametrize("name", golden.names("pinned"))
def test_a_known_build_of_its_libraries_gives_the_committed_bytes(name):
    builds = golden.committed(golden.PINNED)[golden.key(name)]
    here = golden.build_of(name)
    if here not in builds:
        pytest.skip(f"no bytes are kept for {here}, but for {' and '.join(builds)}: golden.py --write adds")
    assert golden.pinned(name) == builds[here]


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
    monkeypatch.setattr(golden, "pinned", lambda name: {"1": golden.key(name)})
    exact, pinned = tmp_path / "golden.json", tmp_path / "golden_pinned.json"

    def write():
        golden.main(["--write"], exact, pinned)
        capsys.readouterr()

    def spoilt(path, name, hashes):
        held = golden.committed(path)
        kept = path.read_text(encoding="utf-8")
        path.write_text(json.dumps({**held, name: hashes}), encoding="utf-8")
        with pytest.raises(SystemExit, match=f"the bytes of {name} moved: raise the version"):
            write()
        path.write_text(kept, encoding="utf-8")
        del held[name]  # as after raising the version
        path.write_text(json.dumps(held), encoding="utf-8")
        write()
        assert path.read_text(encoding="utf-8") == kept

    write()
    assert golden.committed(exact) == found
    spoilt(exact, next(iter(found)), dict.fromkeys("12345", "0" * 64))
    spoilt(pinned, "vision/jpeg@1", {golden.build_of("vision/jpeg"): {"1": "0" * 64}})


def test_bytes_of_other_builds_are_kept(found, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(golden, "compute", lambda: found)
    monkeypatch.setattr(golden, "pinned", lambda name: {"1": golden.key(name)})
    exact, pinned = tmp_path / "golden.json", tmp_path / "golden_pinned.json"
    other = {"vision/jpeg@1": {"another build": {"1": "0" * 64}}, "vision/jpeg@0": {"any": {}}}
    pinned.write_text(json.dumps(other), encoding="utf-8")
    golden.main(["--write"], exact, pinned)
    capsys.readouterr()
    written = golden.committed(pinned)
    assert set(written["vision/jpeg@1"]) == {"another build", golden.build_of("vision/jpeg")}
    assert "vision/jpeg@0" not in written
