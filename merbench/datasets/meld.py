"""MELD: 1433 dialogues of the series Friends, a label and a clip for every line.

The annotation is a CSV file per split, the clips lie in folders per split. Dialogue numbers start anew in
every split. With the CSV files alone this is a text dataset.

Two quirks are mended, and `check` tells where: apostrophes that were once Windows-1252 and are control
characters now, and the prefix ``final_videos_test`` of some test clips, which are taken where there is none
without it. The clips were cut by an automatic aligner: some do not hold the line that is annotated
(https://github.com/declare-lab/MELD/issues/9), which nobody has listed, and which stay in.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from merbench.datasets._base import Card, Finding
from merbench.datasets._files import FileDataset, Index, Source, note
from merbench.datasets._tabular import read_columns
from merbench.errors import MerbenchError
from merbench.options import option
from merbench.types import Utterance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from merbench.datasets._tabular import Row
    from merbench.types import JSON

_FOLDERS = {
    "train": "train_splits",
    "dev": "dev_splits_complete",
    "test": "output_repeated_splits_test",
}
_PUBLISHED = {"train": 9989, "dev": 1109, "test": 2610}
_COLUMNS = ("Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID")
_FACTS = {"Sentiment": "sentiment", "Season": "season", "Episode": "episode"}
_CLIP = re.compile(r"(?P<again>final_videos_test)?(?P<name>dia\d+_utt\d+)")
_WINDOWS_1252 = range(0x80, 0xA0)  # control characters in Unicode, quotation marks and dashes there
_FATE = {"drop": "left out", "keep": "kept if there is a clip"}


@dataclass(frozen=True)
class Meld(FileDataset):
    """The Multimodal EmotionLines Dataset."""

    card = Card(
        title="MELD",
        labels=("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"),
        modalities=("audio", "vision", "text"),
        text_informative=True,
        licence="GPL 3.0 (annotation); the clips are from a television series, for research only",
        licence_url="https://affective-meld.github.io",
        restricted=True,
        bibtex="""@inproceedings{poria2019meld,
  author    = {Poria, Soujanya and Hazarika, Devamanyu and Majumder, Navonil and Naik, Gautam and
               Cambria, Erik and Mihalcea, Rada},
  title     = {{MELD}: A Multimodal Multi-Party Dataset for Emotion Recognition in Conversations},
  booktitle = {Proceedings of the 57th Annual Meeting of the Association for Computational Linguistics},
  pages     = {527--536},
  year      = {2019},
  doi       = {10.18653/v1/P19-1050}
}""",
        layout=(
            "train_sent_emo.csv, dev_sent_emo.csv and test_sent_emo.csv (there or in train, dev and test), "
            "and the clips diaD_uttU.mp4 in train_splits, dev_splits_complete and output_repeated_splits_test"
        ),
        unit="dialogue",
        expected={
            "utterances": sum(_PUBLISHED.values()),
            **{f"split {split}": count for split, count in _PUBLISHED.items()},
        },
        known_bad={
            "dev-dia110_utt7": "was never published as a clip",
            "train-dia125_utt3": "is a corrupt clip",
        },
    )

    modality: Literal["auto", "av", "text"] = option(
        "auto", "clips and transcripts, or transcripts alone; auto: clips if there are any"
    )
    known_bad: Literal["drop", "keep"] = option("drop", "where clips are used: lines whose clip is defective")

    @property
    def expected(self) -> Mapping[str, int]:
        """How many lines were published; two of them have no clip that can be used."""
        counts = Counter(self.card.expected)
        if self._with_clips and self.known_bad == "drop":
            for id in self.card.known_bad:
                counts.subtract(["utterances", f"split {id.partition('-')[0]}"])
        return counts

    @property
    def _with_clips(self) -> bool:
        return any(u.source.video is not None for u in self.index.utterances)

    def read_index(self) -> Index:
        """Read the CSV files and find the clips."""
        root = self.require_root()
        splits = [_Split.read(root, name, self.labels) for name in _FOLDERS]
        with_clips = self.modality != "text" and any(split.clips for split in splits)
        if not any(split.annotation for split in splits):
            raise MerbenchError(
                f"{root} holds no annotation of MELD (train_sent_emo.csv ...)",
                fix=f"expected {self.card.layout}; get it from {self.card.licence_url}",
            )
        if self.modality == "av" and not with_clips:
            raise MerbenchError(
                f"{root} holds no clips of MELD",
                fix=f"expected {self.card.layout}; or say meld:modality=text",
            )
        utterances: list[Utterance] = []
        findings: list[Finding] = []
        absent = [f"{split.name}_sent_emo.csv" for split in splits if split.annotation is None]
        findings += note("warning", "are not there: half of a download?", absent)
        for split in splits:
            rows = self._playable(split, findings) if with_clips else split.rows
            utterances += [
                _utterance(split.name, id, line, split.clips[line.name] if with_clips else None)
                for id, line in rows.items()
            ]
            mended = [id for id, line in rows.items() if line.mended]
            findings += note("info", "have characters in a wrong encoding, which are mended", mended)
            findings += split.findings
        return Index(tuple(sorted(utterances, key=lambda u: u.id)), tuple(findings))

    def _playable(self, split: _Split, findings: list[Finding]) -> dict[str, _Line]:
        """Return the lines of a split that have a clip, and tell about the others."""
        bad = [id for id in split.rows if id in self.card.known_bad]
        findings += [Finding("info", id, f"{self.card.known_bad[id]}: {_FATE[self.known_bad]}") for id in bad]
        kept = {id: line for id, line in split.rows.items() if self.known_bad == "keep" or id not in bad}
        findings += split.gaps(kept)
        return {id: line for id, line in kept.items() if line.name in split.clips}


@dataclass(frozen=True, slots=True)
class _Line:
    """One row of the annotation."""

    name: str
    dialogue: str
    speaker: str
    emotion: str
    text: str
    mended: bool
    facts: dict[str, JSON]


@dataclass
class _Split:
    """One split: its annotation by utterance id, its clips by name, and what is wrong with the former."""

    name: str
    annotation: Path | None
    clips: dict[str, Path]
    clones: list[str]
    rows: dict[str, _Line] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @classmethod
    def read(cls, root: Path, name: str, labels: Sequence[str]) -> _Split:
        places = (root, root / name)
        files = (place / f"{name}_sent_emo.csv" for place in places)
        annotation = next((path for path in files if path.is_file()), None)
        clips, clones = _find_clips([place / _FOLDERS[name] for place in places])
        split = cls(name, annotation, clips, clones)
        for row in [] if annotation is None else read_columns(annotation, _COLUMNS):
            split.add(row, labels)
        return split

    def add(self, row: Row, labels: Sequence[str]) -> None:
        line = _parse(row)
        if line is None:
            what = "Dialogue_ID and Utterance_ID are not whole numbers"
        elif line.emotion not in labels:
            what = f"has the unknown emotion '{line.emotion}'"
        elif f"{self.name}-{line.name}" in self.rows:
            what = f"annotates {line.name} a second time"
        else:
            self.rows[f"{self.name}-{line.name}"] = line
            return
        self.findings.append(Finding("error", row.where, what))

    def gaps(self, wanted: Mapping[str, _Line]) -> Iterator[Finding]:
        """Yield which clips are missing, and which nobody annotated."""
        absent = [id for id, line in wanted.items() if line.name not in self.clips]
        folder = _FOLDERS[self.name]
        yield from note("warning", f"are annotated and have no clip in {folder}: left out", absent)
        annotated = {line.name for line in self.rows.values()}
        extra = [f"{folder}/{name}" for name in sorted(self.clips) if name not in annotated]
        yield from note("info", "are clips that nobody annotated", extra)
        twins = [f"{folder}/final_videos_test{name}" for name in self.clones]
        yield from note("info", "are second clips of a line; those without this prefix are used", twins)


def _find_clips(folders: Sequence[Path]) -> tuple[dict[str, Path], list[str]]:
    """Return the clips by name, and the names of those that are there twice."""
    plain: dict[str, Path] = {}
    again: dict[str, Path] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("*.mp4"))):
        match = _CLIP.fullmatch(path.stem)  # not so those that macOS adds to archives (._dia0_utt0.mp4)
        if match is not None:
            (again if match["again"] else plain).setdefault(match["name"], path)
    return {**again, **plain}, sorted(again.keys() & plain.keys())


def _parse(row: Row) -> _Line | None:
    cells = {key: str(value).strip() for key, value in row.cells.items()}
    if not (cells["Dialogue_ID"].isdecimal() and cells["Utterance_ID"].isdecimal()):
        return None
    dialogue = f"dia{int(cells['Dialogue_ID'])}"
    text = _mend(cells["Utterance"])
    return _Line(
        name=f"{dialogue}_utt{int(cells['Utterance_ID'])}",
        dialogue=dialogue,
        speaker=_mend(cells["Speaker"]),
        emotion=cells["Emotion"].lower(),
        text=text,
        mended=text != unicodedata.normalize("NFC", cells["Utterance"]),
        facts={fact: cells[column] for column, fact in _FACTS.items() if column in cells},
    )


def _mend(text: str) -> str:
    """Return the text in NFC, with what was read in a wrong encoding read in the right one."""
    with suppress(UnicodeError):  # what was read rightly is hardly ever UTF-8 too
        text = text.encode("windows-1252").decode("utf-8")  # UTF-8 read as Windows-1252: "Itâ€™s"
    return unicodedata.normalize("NFC", "".join(map(_windows_1252, text)))


def _windows_1252(character: str) -> str:
    """Return what a C1 control character is in Windows-1252, and any other character as it is."""
    if ord(character) not in _WINDOWS_1252:
        return character
    return bytes([ord(character)]).decode("windows-1252", errors="replace")


def _utterance(split: str, id: str, line: _Line, clip: Path | None) -> Utterance:
    return Utterance(
        id=id,
        label=line.emotion,
        split=split,
        speaker=line.speaker,
        dialogue=f"{split}-{line.dialogue}",
        extra=line.facts,
        source=Source(video=clip, text=line.text),
    )
