"""Fixtures shared by every test."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Callable

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

settings.register_profile("merbench", deadline=None)  # a busy machine is no defect
settings.load_profile("merbench")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings, faces and texts; tests that need it skip where it is absent."""
    given = os.environ.get("MERBENCH_TEST_DATA")
    path = Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip("the real recordings are not here: set MERBENCH_TEST_DATA to the folder that holds them")
    return path


@dataclass(frozen=True)
class Outcome:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    def refused(self, *words: str) -> None:
        """Check that it ended with code 2 and one line that holds `words`, and no traceback."""
        assert self.code == 2, self
        assert self.out == "", self.out
        last = self.err.strip().splitlines()[-1]
        assert last.startswith("merbench: "), self.err
        assert "Traceback" not in self.err
        assert "unexpected" not in last, last
        for word in words:
            assert word in last, f"{word!r} is not in {last!r}"


@pytest.fixture
def merbench(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run a command line in this process."""

    def run(*words: object) -> Outcome:
        from merbench.cli import main

        capsys.readouterr()
        code: object = 0
        try:
            main([str(word) for word in words])
        except SystemExit as stop:
            code = stop.code or 0
        printed = capsys.readouterr()
        return Outcome(int(str(code)), printed.out, printed.err)

    return run


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 700 short texts: three shards, and nothing slow to decode."""
    rows = ["id,text,label,speaker"]
    words = ("today", "we", "walk", "home", "under", "the", "quiet", "lamps", "again", "and", "sing")
    for i in range(700):
        text = " ".join(words[(i * 7 + j * (i % 5 + 1)) % len(words)] for j in range(5 + i % 6))
        rows.append(f"t{i:04d},{text},{('calm', 'glad', 'low')[i % 3]},s{i % 9}")
    path = tmp_path_factory.mktemp("texts") / "texts.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path
