"""A small dataset, a protocol over it, and a model per fold that answers at once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

SPELLER = f"{Path(__file__).with_name('speller.py')}:Speller"

PROTOCOL = """
title = "Letters"
about = "three classes out of five labels, three folds of two speakers"
dataset = "table"
unit = "dialogue"
metric = "macro_f1"
transcript = "typed"
{top}

[labels]
dropped = {dropped}

[labels.classes]
calm = ["calm"]
glad = ["glad"]
low = {low}

[folds]
by = "speaker"
members = {members}
{folds}

[suite]
corruptions = ["text/typo"]
severities = [1, 3]
{suite}

{more}
"""

THREE_FOLDS = '[["s0", "s1"], ["s2", "s3"], ["s4", "s5"]]'


@dataclass(frozen=True)
class Bench:
    """Writes the data, the protocol and the models of one test."""

    folder: Path

    @property
    def table(self) -> Path:
        """120 texts by six speakers in ten dialogues, whose label shows in their letters."""
        path = self.folder / "letters.csv"
        if not path.exists():
            texts = {
                "calm": "slow sea calm sleep",
                "glad": "good gold jig dog",
                "low": "wet rut murk turn",
                "dull": "buzz zigzag zoo jazz",
                "odd": "quiz quay aqua quip",
            }
            rows = ["id,text,label,speaker,dialogue"]
            for i in range(120):
                label = list(texts)[i % 5]
                words = [*texts[label].split(), "the", "tin", "man", "ran", "on"]
                text = " ".join(words[(i * 7 + k * (i % 4 + 1)) % len(words)] for k in range(4))
                rows.append(f"t{i:03d},{text},{label},s{i // 5 % 6},d{i // 12}")
            path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        return path

    def protocol(self, name: str = "letters", **parts: str) -> Path:
        """Write the protocol with some of its parts exchanged."""
        usual = {"dropped": '["odd"]', "low": '["low", "dull"]', "members": THREE_FOLDS}
        path = self.folder / f"{name}.toml"
        blank = dict.fromkeys(("top", "folds", "suite", "more"), "")
        path.write_text(PROTOCOL.format(**{**blank, **usual, **parts}), encoding="utf-8")
        return path

    def model(self, name: str, *, trained_on: list[dict[str, Any]] | None = None, **record: Any) -> Path:
        """Write a model of `speller.py`, trained on nothing unless told."""
        folder = self.folder / "models" / name
        folder.mkdir(parents=True, exist_ok=True)
        record = {"trained_on": trained_on or [], "seed": name, **record}
        (folder / "record.json").write_text(json.dumps(record), encoding="utf-8")
        return folder

    def models(self) -> str:
        """Write a model for each of the three folds, trained on the other two; return what names them."""
        for fold in (1, 2, 3):
            tested = {f"s{2 * fold - 2}", f"s{2 * fold - 1}"}
            speakers = sorted({f"s{i}" for i in range(6)} - tested)
            self.model(f"m{fold}", trained_on=[{"dataset": "table", "samples": [], "speakers": speakers}])
        return self.named("m{fold}")

    def named(self, name: str) -> str:
        """Return how ``--model`` names a model of this folder."""
        return f"{SPELLER}:folder={self.folder}/models/{name}"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def evaluated(merbench: Callable[..., Any], bench: Bench) -> Callable[..., Any]:
    """Evaluate by the protocol; further words go to the command."""

    def run(*words: object, model: str | None = None, out: str = "run", protocol: Path | None = None) -> Any:
        return merbench(
            *("eval", "--protocol", protocol or bench.protocol(), "--root", bench.table),
            *("--model", model or bench.models(), "--out", bench.folder / out, *words),
        )

    return run
