"""nEMO: nine actors speak ninety Polish sentences in six emotions.

``data.tsv`` is the annotation, one row per file of ``samples``: a file's name says speaker, emotion and
sentence too, but the table is believed. There are no splits: everything is ``test``.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from merbench.datasets._base import Card, Finding
from merbench.datasets._files import FileDataset, Index, Source, note
from merbench.datasets._tabular import read_columns
from merbench.errors import MerbenchError
from merbench.types import Utterance

if TYPE_CHECKING:
    from pathlib import Path

    from merbench.datasets._tabular import Row

_TABLE = "data.tsv"
_COLUMNS = ("file_id", "emotion", "raw_text", "speaker_id", "gender", "age")


@dataclass(frozen=True)
class Nemo(FileDataset):
    """The dataset of emotional speech in Polish."""

    card = Card(
        title="nEMO",
        labels=("anger", "fear", "happiness", "neutral", "sadness", "surprised"),
        modalities=("audio", "text"),
        text_informative=False,
        licence="CC BY-NC-SA 4.0",
        licence_url="https://github.com/amu-cai/nEMO",
        restricted=True,
        bibtex="""@inproceedings{christop2024nemo,
  author    = {Christop, Iwona},
  title     = {{nEMO}: Dataset of Emotional Speech in {P}olish},
  booktitle = {Proceedings of the 2024 Joint International Conference on Computational Linguistics,
               Language Resources and Evaluation ({LREC-COLING} 2024)},
  year      = {2024}
}""",
        layout=f"{_TABLE} and samples/SPEAKER_EMOTION_SENTENCE.wav",
        expected={"utterances": 4481, "speakers": 9},
    )

    def read_index(self) -> Index:
        """Read the table and look which files are there."""
        root = self.require_root()
        if not (root / _TABLE).is_file():
            raise MerbenchError(
                f"{root} does not hold {_TABLE}",
                fix=f"expected {self.card.layout}; get it from {self.card.licence_url}",
            )
        rows = read_columns(root / _TABLE, _COLUMNS)
        files = {path.name: path for path in (root / "samples").glob("*.wav")}
        utterances: dict[str, Utterance] = {}
        findings: list[Finding] = []
        absent: list[str] = []
        for row in rows:
            name = row.cells["file_id"].strip()
            if row.cells["emotion"] not in self.labels:
                findings.append(Finding("error", row.where, f"has the emotion '{row.cells['emotion']}'"))
            elif name.removesuffix(".wav") in utterances:
                findings.append(Finding("error", row.where, f"names {name} a second time"))
            elif name not in files:
                absent.append(name)
            else:
                utterance = _utterance(row, files[name])
                utterances[utterance.id] = utterance
        if absent and not utterances:
            raise MerbenchError(
                f"none of the {len(absent)} files that {_TABLE} names is in {root / 'samples'}",
                fix=f"expected {self.card.layout}; get it from {self.card.licence_url}",
            )
        listed = {row.cells["file_id"].strip() for row in rows}
        findings += note("warning", f"are in {_TABLE} and have no file: left out", absent)
        findings += note("warning", f"are not in {_TABLE}: left out", sorted(set(files) - listed))
        return Index(tuple(u for _, u in sorted(utterances.items())), tuple(findings))


def _utterance(row: Row, path: Path) -> Utterance:
    speaker, age = (row.cells[column].strip() for column in ("speaker_id", "age"))  # published with blanks
    return Utterance(
        id=path.stem,
        label=row.cells["emotion"],
        split="test",
        speaker=speaker,
        extra={"gender": row.cells["gender"].strip(), "age": int(age) if age.isdecimal() else None},
        source=Source(audio=path, text=unicodedata.normalize("NFC", row.cells["raw_text"])),
    )
