"""A built suite is the streamed suite on disk: the same content, whatever happens on the way."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from merbench import files
from merbench.datasets import load_dataset
from merbench.suites.build import build_suite, estimate_bytes, write_recipe
from merbench.suites.content import content_root
from merbench.suites.plan import make_plan, parse_corruption
from merbench.suites.store import Suite, shard_path
from merbench.suites.verify import roots_of, verify_suite
from tests.suites.test_plan import plan

TYPOS = ("--corruption", "text/typo", "--severity", "1,4")


def fingerprint(folder: Path) -> dict[str, str]:
    """Return the hash of every file below a folder, the lock aside."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    return build_suite(plan(), tmp_path_factory.mktemp("suite") / "core")


@pytest.fixture
def typo_suite(merbench, texts, tmp_path) -> Path:
    folder = tmp_path / "suite"
    assert merbench("corrupt", "--dataset", "table", "--root", texts, *TYPOS, "--out", folder).code == 0
    return folder


def test_streamed_and_built_have_the_same_content(built):
    streamed = roots_of(plan())
    assert streamed == built.manifest["roots"]
    assert content_root(streamed) == built.content_root


def test_what_is_read_back_is_what_was_streamed(built):
    for mine, theirs in zip(built.chunks(0), plan().chunks(0), strict=True):
        assert mine.utterances == theirs.utterances
        for (cell, batch, params, achieved), (cell_, batch_, params_, achieved_) in zip(
            mine.cells, theirs.cells, strict=True
        ):
            assert (cell, params, achieved) == (
                cell_,
                json.loads(json.dumps(params_)),
                json.loads(json.dumps(achieved_)),
            )
            assert batch.text == batch_.text
            for own, other in ((batch.audio, batch_.audio), (batch.frames, batch_.frames)):
                assert own.shapes == other.shapes
                for a, b in zip(own, other, strict=True):
                    assert (a is None and b is None) or np.array_equal(a, b)


def test_verify_accepts_what_was_built(built):
    verify_suite(built)


def test_the_number_of_workers_does_not_change_a_byte(built, tmp_path):
    build_suite(plan(), tmp_path / "one", workers=1)
    assert fingerprint(tmp_path / "one") == fingerprint(built.folder)


def test_a_cell_stores_only_what_it_changed(built):
    for cell in built.cells[1:]:
        row = pq.read_table(shard_path(built.folder, cell.cell_id, 0), partitioning=None).to_pylist()[0]
        stored = {name for name in ("audio", "frames", "text") if row[name] is not None}
        family = cell.corruption.split("/")[0]
        assert (
            stored <= {"audio": {"audio"}, "vision": {"frames"}, "text": {"text"}, "modality": set()}[family]
        )
        assert all(row["sha256"][m] for m in ("audio", "vision", "text") if row["present"][m])


def test_every_cell_loads_with_the_datasets_library(built, tmp_path):
    import datasets

    for cell in built.cells:
        rows = datasets.load_dataset(str(built.folder), cell.cell_id, split="test", cache_dir=str(tmp_path))
        assert rows.num_rows == built.size
        assert set(rows["cell_id"]) == {cell.cell_id}


def test_no_path_and_no_time_is_in_the_folder(built):
    for name in ("manifest.json", "recipe.json", "README.md"):
        text = (built.folder / name).read_text(encoding="utf-8")
        assert str(built.folder.parent) not in text
        assert str(Path.home()) not in text


def test_building_again_does_nothing(built):
    before = {path: path.stat().st_mtime_ns for path in built.folder.rglob("*.parquet")}
    build_suite(plan(), built.folder)
    assert before == {path: path.stat().st_mtime_ns for path in built.folder.rglob("*.parquet")}


def test_another_recipe_is_refused_in_the_same_folder(merbench, typo_suite, texts):
    before = fingerprint(typo_suite)
    merbench(
        "corrupt", "--dataset", "table", "--root", texts, *TYPOS, "--seed", 1, "--out", typo_suite
    ).refused("holds another suite", "--out")
    assert fingerprint(typo_suite) == before


def test_a_folder_of_something_else_is_left_alone(merbench, texts, tmp_path):
    (tmp_path / "thesis.tex").write_text("do not lose me")
    merbench("corrupt", "--dataset", "table", "--root", texts, *TYPOS, "--out", tmp_path).refused("not empty")
    assert [p.name for p in tmp_path.iterdir() if p.name != ".lock"] == ["thesis.tex"]


def test_a_path_that_is_a_file_is_refused(merbench, texts, tmp_path):
    path = tmp_path / "file"
    path.write_text("here")
    merbench("corrupt", "--dataset", "table", "--root", texts, *TYPOS, "--out", path).refused("is a file")
    merbench("suite", "verify", path).refused("is a file")
    assert path.read_text() == "here"


def test_a_folder_that_cannot_be_made_is_one_line(merbench, texts, tmp_path):
    (tmp_path / "file").write_text("here")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for out in (tmp_path / "file" / "suite", tmp_path / "dangling", tmp_path / ("x" * 300)):
        merbench("corrupt", "--dataset", "table", "--root", texts, *TYPOS, "--out", out).refused(out.name)


def test_a_second_process_is_refused_while_the_first_one_writes(merbench, texts, tmp_path):
    with files.locked(tmp_path / "suite"):
        merbench(
            "corrupt", "--dataset", "table", "--root", texts, *TYPOS, "--out", tmp_path / "suite"
        ).refused("another process")


@pytest.mark.parametrize("call", [1, 2, 5, 8])
def test_a_full_disk_loses_nothing_and_the_next_run_finishes(
    merbench, texts, tmp_path, typo_suite, monkeypatch, call
):
    folder = tmp_path / "full"
    calls = 0

    def full(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls >= call:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    command = ("corrupt", "--dataset", "table", "--root", texts, *TYPOS, "--out", folder)
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        merbench(*command).refused("the disk is full")
    assert not list(folder.rglob("*.part"))
    assert not (folder / "manifest.json").exists()
    assert merbench(*command).code == 0
    assert fingerprint(folder) == fingerprint(typo_suite)


def in_a_process(*words: object, before: str = "", **options: object) -> subprocess.Popen[str]:
    code = f"{before}\nfrom merbench.cli import main\nmain({[str(word) for word in words]!r})"
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def test_a_file_size_limit_is_one_line_and_the_next_run_finishes(merbench, texts, tmp_path, typo_suite):
    folder = tmp_path / "limited"
    command = ("corrupt", "--dataset", "table", "--root", texts, *TYPOS, "--out", folder)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))"
    process = in_a_process(*command, before=limit)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "file size limit" in err.strip().splitlines()[-1]
    assert "Traceback" not in err
    assert merbench(*command).code == 0
    assert fingerprint(folder) == fingerprint(typo_suite)


SLOWED = """
import time, merbench.files as files
inner = files.os.fsync
def slow(descriptor):
    time.sleep(0.15)
    inner(descriptor)
files.os.fsync = slow
"""


@pytest.mark.parametrize("shards", [1, 4])
def test_kill_9_at_any_moment_changes_no_byte(merbench, texts, tmp_path, typo_suite, shards):
    folder = tmp_path / "killed"
    command = ("corrupt", "--dataset", "table", "--root", texts, *TYPOS, "--out", folder)
    process = in_a_process(*command, before=SLOWED)
    deadline = time.monotonic() + 60
    while len(list(folder.rglob("*.parquet"))) < shards:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "manifest.json").exists()
    assert merbench(*command).code == 0
    assert fingerprint(folder) == fingerprint(typo_suite)


def test_ctrl_c_is_one_line_and_the_next_run_finishes(merbench, texts, tmp_path, typo_suite):
    folder = tmp_path / "interrupted"
    command = ("corrupt", "--dataset", "table", "--root", texts, *TYPOS, "--out", folder)
    # A shell that starts the tests in the background has interrupts ignored: the child listens again.
    listening = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    process = in_a_process(*command, before=f"{listening}\n{SLOWED}")
    deadline = time.monotonic() + 60
    while not list(folder.rglob("*.parquet")):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "interrupted" in err.strip().splitlines()[-1]
    assert "Traceback" not in err
    assert merbench(*command).code == 0
    assert fingerprint(folder) == fingerprint(typo_suite)


def tamper(path: Path, column: str, change) -> str:
    """Rewrite one value of a shard; return the id of its sample."""
    table = pq.read_table(path, partitioning=None)
    rows = table.to_pylist()
    rows[3][column] = change(rows[3][column])
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path, row_group_size=32)
    return str(rows[3]["sample_id"])


def test_verify_names_a_tampered_row(merbench, typo_suite):
    suite = Suite.open(typo_suite)
    path = shard_path(typo_suite, suite.cells[2].cell_id, 1)
    sample = tamper(path, "text", lambda text: text + "!")
    merbench("suite", "verify", typo_suite).refused(sample, "text", path.name)


def test_verify_notices_a_changed_label(merbench, typo_suite):
    tamper(shard_path(typo_suite, "clean", 0), "label", lambda _: "glad!")
    merbench("suite", "verify", typo_suite).refused("clean")


def test_verify_notices_a_changed_parameter(merbench, typo_suite):
    suite = Suite.open(typo_suite)
    tamper(shard_path(typo_suite, suite.cells[1].cell_id, 0), "achieved", lambda _: "{}")
    merbench("suite", "verify", typo_suite).refused("achieved")


def test_verify_notices_damaged_bytes(merbench, typo_suite):
    path = shard_path(typo_suite, "clean", 2)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    merbench("suite", "verify", typo_suite).refused()


def test_rows_in_another_order_or_too_few_are_nobodys(merbench, typo_suite, tmp_path):
    """Joined by position, they would be scored with other samples' labels."""
    path = shard_path(typo_suite, Suite.open(typo_suite).cells[1].cell_id, 0)
    table = pq.read_table(path, partitioning=None)
    for changed in (table.take([1, 0, *range(2, len(table))]), table.slice(0, 40), table.slice(0, 0)):
        pq.write_table(changed, path, row_group_size=32)
        merbench("suite", "verify", typo_suite).refused(str(path))
        merbench("eval", "--suite", typo_suite, "--model", "majority", "--out", tmp_path / "run").refused(
            str(path)
        )


def test_running_again_does_not_sign_what_was_tampered_with(merbench, texts, typo_suite):
    suite = Suite.open(typo_suite)
    tamper(shard_path(typo_suite, suite.cells[1].cell_id, 0), "achieved", lambda _: "{}")
    shard_path(typo_suite, suite.cells[2].cell_id, 1).unlink()
    command = ("corrupt", "--dataset", "table", "--root", texts, *TYPOS, "--out", typo_suite)
    assert merbench(*command).code == 0
    merbench("suite", "verify", typo_suite).refused("achieved")


def test_a_damaged_shard_is_named_when_the_suite_is_built_again(merbench, texts, typo_suite):
    path = shard_path(typo_suite, "clean", 1)
    before = fingerprint(typo_suite)
    path.write_bytes(path.read_bytes()[:200])
    command = ("corrupt", "--dataset", "table", "--root", texts, *TYPOS, "--out", typo_suite)
    merbench(*command).refused(str(path), "delete it")
    path.unlink()
    assert merbench(*command).code == 0
    assert fingerprint(typo_suite) == before


def test_a_missing_shard_is_named(merbench, typo_suite):
    path = shard_path(typo_suite, "clean", 1)
    path.unlink()
    merbench("suite", "verify", typo_suite).refused(path.name)


def test_a_suite_of_another_format_is_refused_with_the_reason(merbench, typo_suite):
    path = typo_suite / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["recipe"]["format"] = 99
    path.write_text(json.dumps(manifest))
    merbench("suite", "verify", typo_suite).refused("format 99")
    merbench("eval", "--suite", typo_suite, "--model", "majority").refused("format 99")


def test_an_unfinished_suite_says_how_to_finish_it(merbench, typo_suite):
    (typo_suite / "manifest.json").unlink()
    merbench("suite", "show", typo_suite).refused("unfinished", "merbench corrupt")


def test_the_room_that_is_asked_for_is_about_what_is_taken(texts, tmp_path):
    data = load_dataset("table", texts)
    for number, name in enumerate(("text/typo", "modality/dropout")):
        small = make_plan(data, [parse_corruption(name, {})], (1, 2, 3))
        written = build_suite(small, tmp_path / str(number)).manifest["shards"].values()
        assert 0.5 < estimate_bytes(small) / sum(shard["bytes"] for shard in written) < 2


def test_too_little_room_is_said_before_anything_is_written(merbench, texts, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    merbench("corrupt", "--dataset", "table", "--root", texts, *TYPOS, "--out", tmp_path / "suite").refused(
        "free"
    )
    assert not (tmp_path / "suite").exists()


def fail(*_: object) -> None:
    raise ValueError("a face box of three numbers")


def test_a_build_that_fails_at_once_leaves_its_folder_free(merbench, texts, tmp_path):
    out = tmp_path / "suite"
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr("merbench.suites.build.encoded", fail)
        with pytest.raises(ValueError, match="face box"):
            build_suite(plan(), out)
    assert fingerprint(out) == {}
    mended = merbench("corrupt", "--dataset", "table", "--root", texts, *TYPOS, "--out", out)
    assert mended.code == 0, mended.err


def test_a_build_that_fails_keeps_a_recipe_that_was_there_before(tmp_path, monkeypatch):
    out = tmp_path / "suite"
    write_recipe(plan(), out)
    monkeypatch.setattr("merbench.suites.build.encoded", fail)
    with pytest.raises(ValueError, match="face box"):
        build_suite(plan(), out)
    assert fingerprint(out).keys() == {"recipe.json"}
