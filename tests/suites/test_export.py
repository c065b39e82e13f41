"""An export is a suite as plain files: what any player opens and any table reader reads back."""

from __future__ import annotations

import csv
import errno
import json
import os
import re

import numpy as np
import pytest
import soundfile

from merbench import files
from merbench.datasets import load_dataset
from merbench.media import plain
from merbench.media.plain import encode_mp4
from merbench.suites.export import COLUMNS, file_names
from merbench.suites.store import Suite
from merbench.types import MediaSpec
from tests.suites.test_build import fingerprint

MEDIA = MediaSpec(frames=2, frame_size=32)


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    from merbench.suites.build import build_suite
    from tests.suites.test_plan import plan

    return build_suite(plan(limit=4, severities=(5,)), tmp_path_factory.mktemp("export") / "suite")


@pytest.fixture
def exported(merbench, suite, tmp_path):
    out = tmp_path / "plain"
    outcome = merbench("suite", "export", suite.folder, "--out", out)
    assert outcome.code == 0, outcome.err
    return out


def rows_of(folder):
    with (folder / "samples.csv").open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def cells_of(suite):
    """Yield every cell with its utterances, batch, params and achieved, the clean one included."""
    for chunk in suite.chunks(0):
        n = len(chunk.utterances)
        yield suite.cells[0], chunk.utterances, chunk.clean, [{}] * n, [{"applied": False}] * n
        for cell, batch, params, achieved in chunk.cells:
            yield cell, chunk.utterances, batch, params, achieved


def test_every_cell_is_a_folder_with_a_table_of_everything(exported, suite):
    assert {p.name for p in exported.iterdir() if p.is_dir()} == {c.cell_id for c in suite.cells}
    for cell, utterances, batch, params, achieved in cells_of(suite):
        rows = rows_of(exported / cell.cell_id)
        assert tuple(rows[0]) == COLUMNS
        for i, (row, u) in enumerate(zip(rows, utterances, strict=True)):
            assert (row["id"], row["label"], row["speaker"], row["dialogue"], row["split"]) == (
                u.id,
                u.label,
                u.speaker,
                u.dialogue,
                u.split,
            )
            assert row["text"] == (batch.text[i] or "")
            assert row["applied"] == str(achieved[i]["applied"]).lower()
            assert (json.loads(row["params"]), json.loads(row["achieved"])) == (params[i], achieved[i])


def test_a_missing_modality_is_an_empty_cell_and_no_file(exported, suite):
    (cell,) = (c for c in suite.cells if c.corruption == "modality/dropout")
    for c, _, batch, *_ in cells_of(suite):
        if c == cell:
            rows = rows_of(exported / cell.cell_id)
            assert [bool(r["audio"]) for r in rows] == batch.present("audio").tolist()
            assert [bool(r["video"]) for r in rows] == batch.present("vision").tolist()
            assert not all(r["audio"] and r["video"] and r["text"] for r in rows)
    listed = {r[m] for r in rows_of(exported / cell.cell_id) for m in ("audio", "video")} - {""}
    there = {p.name for p in (exported / cell.cell_id).iterdir()} - {"samples.csv"}
    assert there == listed


def test_the_sound_is_lossless_and_the_frames_are_close(exported, suite):
    for cell, utterances, batch, *_ in cells_of(suite):
        dataset = load_dataset("table", exported / cell.cell_id, MEDIA)
        read = {u.id: dataset.load(u) for u in dataset.utterances()}
        for i, u in enumerate(utterances):
            sample = read[u.id]
            assert (sample.utterance.label, sample.utterance.speaker, sample.utterance.split) == (
                u.label,
                u.speaker,
                u.split,
            )
            assert (sample.text or "") == (batch.text[i] or "")
            assert (sample.audio is None) == (batch.audio[i] is None)
            if sample.audio is not None:
                assert sample.sample_rate == batch.sample_rates[i]
                assert np.array_equal(sample.audio, batch.audio[i])
            assert (sample.frames is None) == (batch.frames[i] is None)
            if sample.frames is not None:
                assert sample.frames.shape == batch.frames[i].shape
                for mine, theirs in zip(sample.frames, batch.frames[i], strict=True):
                    assert np.abs(mine.astype(int) - theirs).mean() < 12  # 4:2:0 halves the colour at 32 px
                assert np.allclose(sample.timestamps, batch.timestamps[i], atol=1e-4)


def test_a_cell_is_a_table_that_corrupt_takes(merbench, exported, tmp_path):
    outcome = merbench(
        "corrupt", "--dataset", "table", "--root", exported / "clean", "--frames", 2, "--frame-size", 32,
        "--corruption", "vision/occlusion_mask", "--severity", 1, "--out", tmp_path / "again", "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert Suite.open(tmp_path / "again").size == 4


def test_exporting_again_gives_the_same_bytes(merbench, exported, suite, tmp_path):
    assert merbench("suite", "export", suite.folder, "--out", tmp_path / "b", "--workers", 1).code == 0
    assert fingerprint(tmp_path / "b") == fingerprint(exported)


def test_one_cell_alone(merbench, suite, exported, tmp_path):
    cell = suite.cells[2].cell_id
    outcome = merbench("suite", "export", suite.folder, "--out", tmp_path / "one", "--cell", cell, "--json")
    assert json.loads(outcome.out) == {"folder": str(tmp_path / "one"), "cells": [cell], "samples": 4}
    assert sorted(p.name for p in (tmp_path / "one").iterdir() if p.name != ".lock") == sorted(
        ["README.txt", cell]
    )
    assert fingerprint(tmp_path / "one" / cell) == fingerprint(exported / cell)


def test_a_cell_that_is_not_there_is_refused(merbench, suite, tmp_path):
    out = tmp_path / "x"
    merbench("suite", "export", suite.folder, "--out", out, "--cell", "fog").refused("'fog'", "suite show")
    assert not out.exists()


def test_what_is_no_suite_is_refused(merbench, tmp_path):
    merbench("suite", "export", tmp_path / "nowhere", "--out", tmp_path / "x").refused("no suite")
    assert not (tmp_path / "x").exists()


def test_a_folder_that_is_not_empty_is_left_alone(merbench, suite, tmp_path):
    (tmp_path / "README.txt").write_text("mine")
    merbench("suite", "export", suite.folder, "--out", tmp_path).refused("not empty", "--out")
    merbench("suite", "export", suite.folder, "--out", suite.folder).refused("not empty")
    assert (tmp_path / "README.txt").read_text() == "mine"


def test_a_target_that_is_a_file_is_refused(merbench, suite, tmp_path):
    (tmp_path / "file").write_text("mine")
    merbench("suite", "export", suite.folder, "--out", tmp_path / "file").refused("is a file")


def test_a_full_disk_leaves_no_half_file_and_the_next_run_finishes(
    merbench, suite, exported, tmp_path, monkeypatch
):
    calls = iter(range(100))

    def full(descriptor: int) -> None:
        if next(calls) >= 7:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        merbench("suite", "export", suite.folder, "--out", tmp_path / "full").refused("the disk is full")
    assert not list((tmp_path / "full").rglob("*.part"))
    assert not list((tmp_path / "full").rglob("samples.csv"))
    assert merbench("suite", "export", suite.folder, "--out", tmp_path / "full").code == 0
    assert fingerprint(tmp_path / "full") == fingerprint(exported)


@pytest.mark.parametrize("restricted", ["true", "false"])
def test_the_licence_travels_along(merbench, texts, tmp_path, restricted):
    data = f"table:licence=CC BY-NC-SA 4.0,restricted={restricted}"
    assert merbench(
        "corrupt", "--dataset", data, "--root", texts, "--limit", 3, "--corruption", "text/typo",
        "--severity", 1, "--out", tmp_path / "suite",
    ).code == 0  # fmt: skip
    assert merbench("suite", "export", tmp_path / "suite", "--out", tmp_path / "plain").code == 0
    readme = (tmp_path / "plain" / "README.txt").read_text()
    assert "CC BY-NC-SA 4.0" in readme
    assert ("may not be redistributed" in readme) == (restricted == "true")


def test_ids_that_are_no_file_names_and_texts_of_any_kind(merbench, tmp_path):
    ids = ["../../etc/passwd", "a/b", ".hidden", "-3g5y[13]", "Same", "same", "\u8272", "x" * 300, "plain.id"]
    sound = (3000 * np.sin(np.arange(8000) / 9)).astype(np.int16)
    soundfile.write(tmp_path / "voice.wav", sound, 16_000)
    with (tmp_path / "table.csv").open("w", newline="", encoding="utf-8") as handle:
        rows = [(id, "voice.wav", f'a "quoted", \u8272\u5f69\nsecond {i}', "sad") for i, id in enumerate(ids)]
        csv.writer(handle).writerows([("id", "audio", "text", "label"), *rows])
    assert merbench(
        "corrupt", "--dataset", "table", "--root", tmp_path / "table.csv", "--corruption",
        "audio/environment", "--severity", 1, "--out", tmp_path / "suite",
    ).code == 0  # fmt: skip
    out = tmp_path / "down" / "plain"
    assert merbench("suite", "export", tmp_path / "suite", "--out", out).code == 0
    assert len(list((out / "clean").glob("*.wav"))) == len(ids)
    assert not list(tmp_path.glob("down/*.wav")) and not (tmp_path / "etc").exists()
    read = load_dataset("table", out / "clean", MEDIA).utterances()
    assert {u.id: u.source.text for u in read} == {row[0]: row[2] for row in rows}
    assert {u.source.audio.name for u in read if u.id == "plain.id"} == {"plain.id.wav"}


def test_file_names_are_safe_and_all_different():
    ids = ["a", "A", "a/b", "a_b", "..", "", " a", "x" * 101, "y" * 100, "con.1"]
    names = file_names(ids)
    assert len({name.casefold() for name in names.values()}) == len(ids)
    assert all(re.fullmatch("[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", name) for name in names.values())
    assert (names["con.1"], names["a_b"], names["y" * 100]) == ("con.1", "a_b", "y" * 100)


def test_a_clip_has_the_colours_the_times_and_even_sides(tmp_path):
    from merbench.media.decode import read_video

    colours = np.array([[200, 30, 60], [20, 180, 90], [240, 240, 240]], np.uint8)
    frames = np.broadcast_to(colours[:, None, None], (3, 33, 35, 3))
    path = tmp_path / "clip.mp4"
    path.write_bytes(encode_mp4(frames, np.array([0.0, 0.5, 1.0])))
    video = read_video(path, MediaSpec(frames=3, frame_size=None))
    assert video.frames.shape == (3, 34, 36, 3)
    assert np.abs(video.frames.astype(int) - colours[:, None, None]).max() <= 4
    assert video.timestamps.tolist() == [0.0, 0.5, 1.0]


def test_a_clip_is_the_same_bytes_every_time():
    frames = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
    assert len({encode_mp4(frames, np.arange(8) / 8) for _ in range(5)}) == 1


def test_a_clip_is_the_same_bytes_on_a_processor_without_simd(suite, monkeypatch):
    clean = next(suite.chunks(0)).clean
    usual = [encode_mp4(*clip) for clip in zip(clean.frames, clean.timestamps, strict=True)]
    without = plain._H264["x264-params"] + ":asm=0"
    monkeypatch.setitem(plain._H264, "x264-params", without)
    assert [encode_mp4(*clip) for clip in zip(clean.frames, clean.timestamps, strict=True)] == usual


@pytest.mark.parametrize("timestamps", [[0.0], [0.2, 0.2, 0.2]])
def test_a_clip_without_motion_shows_every_frame_for_a_second(tmp_path, timestamps):
    import av

    frames = np.zeros((len(timestamps), 32, 32, 3), np.uint8)
    (tmp_path / "clip.mp4").write_bytes(encode_mp4(frames, np.array(timestamps)))
    with av.open(str(tmp_path / "clip.mp4")) as clip:
        stream = clip.streams.video[0]
        assert stream.frames == len(timestamps)
        assert stream.duration * stream.time_base == len(timestamps)
