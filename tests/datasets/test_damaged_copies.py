"""What every reader of files does with a copy that is not as it was published.

A table that went through a spreadsheet, a download that broke off, a clip with nothing in it: either it
means the same, or it is refused in one line that names it. Every miniature is damaged in every way.
"""

from __future__ import annotations

import csv
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from merbench.datasets import datasets
from merbench.errors import MerbenchError
from merbench.options import build
from merbench.types import MediaSpec
from tests.datasets.miniature import MINIATURES
from tests.media.clips import counting_frames, tone, write_clip

SPEC = MediaSpec(frames=3, frame_size=16)
CASES = [
    (name, i)
    for name, builders in sorted(MINIATURES.items())
    for i in range(len(builders))
    if datasets[name].card.needs_root
]

NAMES_ARE_THE_INDEX = ("emodb", "ravdess")
"""Where nothing but the files themselves says which files there should be."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A function that makes each miniature once; nobody damages these."""

    @cache
    def make(name, i):
        folder = tmp_path_factory.mktemp(name)
        return folder, *MINIATURES[name][i](folder)

    return make


@pytest.fixture(params=CASES, ids=[f"{name}-{i}" for name, i in CASES])
def copy(request, whole, tmp_path):
    """The folder of a miniature of one's own, and a function that opens it anew."""
    name, i = request.param
    folder, root, options = whole(name, i)
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    mine = tmp_path / root.relative_to(folder)
    return tmp_path, lambda: build(datasets[name], name, options, root=mine, media=SPEC)


def tables(folder: Path) -> list[Path]:
    """The tables among the files, hidden ones aside."""
    return sorted(p for p in folder.rglob("*") if p.suffix in (".csv", ".tsv") and p.name[0] != ".")


def records(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.reader(handle))


def write(path: Path, rows: list[list[str]], **form: object) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle, **form).writerows(rows)


def said(dataset) -> list[tuple]:
    """What a reader says of its utterances without their media."""
    return [
        (u.id, u.label, u.split, u.speaker, u.dialogue, u.source.text, dict(u.extra))
        for u in dataset.utterances()
    ]


def first_file(dataset):
    """The first utterance with a file of its own, and that file; skips where there is none."""
    for u in dataset.utterances():
        own = [file for file in u.source.own_files if isinstance(file, Path)]
        if own:
            return u, own[0]
    pytest.skip("its media do not lie in files of their own")


class TestTables:
    def test_a_byte_order_mark_and_windows_line_ends_mean_nothing(self, copy):
        folder, make = copy
        if not tables(folder):
            pytest.skip("it has no table")
        expected = said(make())
        for path in tables(folder):
            if path.suffix == ".tsv":
                text = path.read_text(encoding="utf-8-sig")
                path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
            else:
                write(path, records(path), lineterminator="\r\n", quoting=csv.QUOTE_ALL)
                path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        assert said(make()) == expected

    def test_semicolons_are_refused_by_the_name_of_the_table(self, copy):
        folder, make = copy
        found = [path for path in tables(folder) if path.suffix == ".csv"]
        if not found:
            pytest.skip("it has no table with commas")
        for path in found:
            before = path.read_bytes()
            write(path, records(path), delimiter=";")
            try:
                same = make()
                same.utterances()
            except MerbenchError as error:
                assert path.name in str(error)
                assert "\n" not in str(error)
            else:  # a table that is not asked for with these options
                path.unlink()
                assert said(make()) == said(same)
            path.write_bytes(before)

    def test_a_line_break_within_a_transcript_is_part_of_it(self, copy):
        folder, make = copy
        texts = {u.source.text for u in make().utterances()} - {None, ""}
        for path in [p for p in tables(folder) if p.suffix == ".csv"]:
            rows = records(path)
            for row in rows[1:]:
                spoken = [i for i, cell in enumerate(row) if cell in texts]
                if spoken:
                    row[spoken[0]] = "over\ntwo lines"
                    write(path, rows)
                    assert "over\ntwo lines" in {u.source.text for u in make().utterances()}
                    return
        pytest.skip("it has no transcript in a table with commas")


class TestHalfADownload:
    def test_a_missing_file_is_named_or_counted(self, copy):
        _, make = copy
        u, file = first_file(make())
        everything = len(make().utterances())
        file.unlink()
        report = make().check()
        named = [f for f in report.findings if u.id in f.where + f.what or file.stem in f.where + f.what]
        if type(make()).name in NAMES_ARE_THE_INDEX:
            assert len(make().utterances()) == everything - 1
            assert any("published: a subset" in f.what for f in report.findings)
        else:
            assert any(f.level in ("warning", "error") for f in named), report.findings

    @pytest.mark.parametrize("what", ["half of it", "nothing", "a tag and no frames"])
    def test_a_file_that_broke_off_is_an_error_with_its_name(self, copy, what):
        _, make = copy
        u, file = first_file(make())
        data = file.read_bytes()
        tag = b"ID3\x03" + bytes(90)
        file.write_bytes({"half of it": data[: len(data) // 2], "nothing": b""}.get(what, tag))
        try:
            with pytest.raises(MerbenchError) as caught:
                make().load(next(v for v in make().utterances() if v.id == u.id))
        except StopIteration:  # left out while indexing, which is told
            assert any(u.id in f.where + f.what for f in make().index.findings)
            return
        assert file.name in str(caught.value)
        assert "\n" not in str(caught.value)

    @pytest.mark.slow
    def test_the_check_names_it_too(self, copy):
        _, make = copy
        u, file = first_file(make())
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        report = make().check()
        assert not report.ok
        assert any(f.level == "error" and u.id in f.where for f in report.findings)


def test_sound_that_outlasts_the_pictures_is_heard_to_its_end(copy):
    """As in many downloaded clips: the pictures stop, the voice does not."""
    _, make = copy
    dataset = make()
    clips = [
        u
        for u in dataset.utterances()
        if isinstance(u.source.video, Path) and u.source.audio in (None, u.source.video)
    ]
    if not clips:
        pytest.skip("it has no files with both")
    u = next((u for u in clips if dataset.load(u).audio is not None), None)
    if u is None:
        pytest.skip("its clips are silent")
    container = {".mp4": "mp4", ".flv": "flv", ".avi": "avi"}[u.source.video.suffix]
    codec = {"flv": "flv"}.get(container, "libx264")
    write_clip(
        u.source.video,
        counting_frames(6),
        codec=codec,
        audio=tone(2.0, 44_100),
        audio_codec="libmp3lame",
        rate=44_100,
        container=container,
    )
    sample = dataset.load(u)
    assert len(sample.audio) / sample.sample_rate == pytest.approx(2.0, abs=0.15)
    assert len(sample.frames) == SPEC.frames
    assert sample.timestamps[-1] < 0.6
    assert (np.diff(sample.timestamps) > 0).all()
