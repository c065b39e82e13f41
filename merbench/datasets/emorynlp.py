"""EmoryNLP: what people say in the first four seasons of a sitcom, in seven emotions of the feeling wheel.

The tables are those in which it comes with MELD: fewer scenes than the authors' own JSON, and with times. A
scene is a dialogue. A line that several people say together has them all as its speaker.
"""

from __future__ import annotations

import ast
import unicodedata
from dataclasses import dataclass

from merbench.datasets._base import Card, Finding
from merbench.datasets._files import FileDataset, Index, Source
from merbench.datasets._tabular import Row, read_columns
from merbench.errors import MerbenchError
from merbench.types import Utterance

_COLUMNS = ("Utterance", "Speaker", "Emotion", "Scene_ID", "Utterance_ID", "Season", "Episode")
_TIMES = {"start": "Start_Time", "end": "End_Time"}
_PUBLISHED = {"train": 7_551, "dev": 954, "test": 984}


@dataclass(frozen=True)
class EmoryNlp(FileDataset):
    """The emotion detection part of the Character Mining project, without media."""

    card = Card(
        title="EmoryNLP",
        labels=("joyful", "mad", "neutral", "peaceful", "powerful", "sad", "scared"),
        modalities=("text",),
        text_informative=True,
        licence="Apache-2.0 (annotation); the dialogues are those of a television series",
        licence_url="https://github.com/emorynlp/emotion-detection",
        restricted=True,
        bibtex="""@inproceedings{zahiri2018emorynlp,
  author    = {Zahiri, Sayyed M. and Choi, Jinho D.},
  title     = {Emotion Detection on {TV} Show Transcripts with Sequence-based Convolutional Neural Networks},
  booktitle = {The {AAAI} Workshop on Affective Content Analysis},
  year      = {2018}
}""",
        layout=(
            "emorynlp_train_final.csv, emorynlp_dev_final.csv and emorynlp_test_final.csv "
            "(in the repository of MELD: data/emorynlp)"
        ),
        unit="dialogue",
        expected={"utterances": sum(_PUBLISHED.values())},
    )

    def read_index(self) -> Index:
        """Read the splits that are there."""
        root = self.require_root()
        paths = {split: root / f"emorynlp_{split}_final.csv" for split in _PUBLISHED}
        if not any(path.is_file() for path in paths.values()):
            raise MerbenchError(
                f"{root} holds no split of EmoryNLP",
                fix=f"expected {self.card.layout}; see {self.card.licence_url}",
            )
        utterances: dict[str, Utterance] = {}
        findings: list[Finding] = []
        for split, path in paths.items():
            if not path.is_file():
                findings.append(Finding("info", split, f"is not here: there is no {path.name}"))
                continue
            rows = read_columns(path, _COLUMNS)
            if len(rows) != _PUBLISHED[split]:
                what = f"{len(rows)} rows, and {_PUBLISHED[split]} were published"
                findings.append(Finding("warning", split, what))
            for row in rows:
                try:
                    utterance = _utterance(row, split, self.labels)
                    if utterance.id in utterances:
                        raise MerbenchError(f"id '{utterance.id}' stands there already")
                except MerbenchError as error:
                    findings.append(Finding("error", row.where, str(error)))
                else:
                    utterances[utterance.id] = utterance
        return Index(tuple(u for _, u in sorted(utterances.items())), tuple(findings))


def _utterance(row: Row, split: str, labels: tuple[str, ...]) -> Utterance:
    """Return a row's utterance, named as the authors name it.

    Raises:
        MerbenchError: the row has no number where it should, another emotion, or no list of speakers.
    """
    cells = row.cells
    label = cells["Emotion"].strip().lower()
    if label not in labels:
        raise MerbenchError(f"emotion '{cells['Emotion']}' is not one of {', '.join(labels)}")
    try:
        season, episode = int(cells["Season"]), int(cells["Episode"])
        dialogue = f"s{season:02d}_e{episode:02d}_c{int(cells['Scene_ID']):02d}"
        number = int(cells["Utterance_ID"])
        speakers = [str(name) for name in ast.literal_eval(cells["Speaker"])]
    except (SyntaxError, TypeError, ValueError) as error:
        raise MerbenchError(f"is no row of EmoryNLP ({error})", fix="get the file again") from error
    return Utterance(
        id=f"{dialogue}_u{number:03d}",
        label=label,
        split=split,
        speaker=" and ".join(sorted(speakers)) or None,
        dialogue=dialogue,
        extra={name: cells[column] for name, column in _TIMES.items() if column in cells},
        source=Source(text=unicodedata.normalize("NFC", cells["Utterance"])),
    )
