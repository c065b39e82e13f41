"""MER2023: clips of Chinese films and series, as the Multimodal Emotion Recognition challenge gave them out.

One label file per split; ``test1`` is the track MER-MULTI, ``test2`` MER-NOISE, ``test3`` MER-SEMI, of whose
73 148 clips 834 are labelled. All but ``test3`` have a valence too. Evaluate one with ``--split``.

Transcripts are no part of the release. Where the file that its authors' toolkit makes by speech recognition
and translation lies beside the labels, it is used; those sentences hold errors that no corruption put there.
Nobody annotated who is seen, so the unit of analysis is the sample, and intervals are too narrow as far as
one actor is in several clips.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Literal

from merbench.datasets._base import Card, Finding
from merbench.datasets._files import FileDataset, Index, Source, note
from merbench.datasets._tabular import read_columns
from merbench.errors import MerbenchError
from merbench.options import option
from merbench.targets import Task
from merbench.types import Utterance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from merbench.datasets._tabular import Row

_PUBLISHED = {"train": 3373, "test1": 411, "test2": 412, "test3": 834}
_FOLDERS = ("mer2023train", "test-labels", ".")  # as the archives unpack, and all in one place
_CLIPS = (".avi", ".mp4")  # of a clip in both forms, the last is taken
_TRANSCRIPTS = "transcription-engchi-polish.csv"
_VALENCE = Task(kind="dimensional", targets=("valence",))


@dataclass(frozen=True)
class Mer2023(FileDataset):
    """The dataset of the MER 2023 challenge."""

    card = Card(
        title="MER2023",
        labels=("neutral", "angry", "happy", "sad", "worried", "surprise"),
        modalities=("audio", "vision", "text"),
        text_informative=True,
        licence="CC BY-NC 4.0, after an end-user licence agreement",
        licence_url="https://huggingface.co/datasets/MERChallenge/MER2023",
        restricted=True,
        bibtex="""@inproceedings{lian2023mer,
  author    = {Lian, Zheng and Sun, Haiyang and Sun, Licai and Chen, Kang and Xu, Mingyu and Wang, Kexin and
               Xu, Ke and He, Yu and Li, Ying and Zhao, Jinming and Liu, Ye and Liu, Bin and Yi, Jiangyan and
               Wang, Meng and Cambria, Erik and Zhao, Guoying and Schuller, Bj{\\"o}rn W. and Tao, Jianhua},
  title     = {{MER} 2023: Multi-label Learning, Modality Robustness, and Semi-Supervised Learning},
  booktitle = {Proceedings of the 31st {ACM} International Conference on Multimedia},
  year      = {2023},
  doi       = {10.1145/3581783.3612836}
}""",
        layout=(
            "train-label.csv, test1-label.csv, test2-label.csv and test3-label.csv (there, in mer2023train "
            "or in test-labels) and the clips NAME.avi or NAME.mp4 in train, test1, test2 and test3"
        ),
        unit="sample",
        expected={
            "utterances": sum(_PUBLISHED.values()),
            **{f"split {split}": count for split, count in _PUBLISHED.items()},
        },
    )

    language: Literal["chinese", "english"] = option(
        "chinese", f"which column of {_TRANSCRIPTS}: what was recognised, or its translation"
    )
    target: Literal["label", "valence"] = option(
        "label",
        "valence: asked beside the emotion, as in MER-MULTI; clips without one are left out",
        later=True,
    )

    @property
    def task(self) -> Task | None:
        """The valence, if it is asked."""
        return _VALENCE if self.target == "valence" else None

    @property
    def expected(self) -> Mapping[str, int]:
        """How many labelled clips there are; how many have a valence was not published."""
        return self.card.expected if self.target == "label" else {}

    def read_index(self) -> Index:
        """Read the label files and find the clips."""
        root = self.require_root()
        labelled = {split: path for split in _PUBLISHED if (path := _find(root, f"{split}-label.csv"))}
        if not labelled:
            raise MerbenchError(
                f"{root} holds no labels of MER2023 (train-label.csv ...)",
                fix=f"expected {self.card.layout}; get it from {self.card.licence_url}",
            )
        spoken = self._transcripts(root)
        findings = [Finding("info", "speakers", "are not annotated: samples count as independent")]
        absent = [f"{split}-label.csv" for split in _PUBLISHED if split not in labelled]
        findings += note("warning", "are not there: half of a download?", absent)
        utterances: dict[str, Utterance] = {}
        unrated: list[str] = []
        for split, path in labelled.items():
            clips = _find_clips([root / folder / split for folder in _FOLDERS])
            missing = []
            for row in read_columns(path, ("name", "discrete")):
                utterance = _utterance(split, row, clips, spoken)
                valence = utterance.extra.get("valence")
                wrong = self._wrong(row, utterance, utterances)
                if wrong is not None:
                    findings.append(Finding("error", row.where, wrong))
                elif utterance.source.video is None:
                    missing.append(utterance.id)
                elif self.target == "label":
                    utterances[utterance.id] = utterance
                elif isinstance(valence, float):
                    utterances[utterance.id] = replace(utterance, targets=(valence,))
                else:
                    unrated.append(utterance.id)
            findings += note("warning", f"are labelled and have no clip in {split}: left out", missing)
            known = utterances.keys() | set(unrated)
            unlabelled = [f"{split}/{name}" for name in clips if name not in known]
            findings += note("info", "are clips without a label", unlabelled)
        findings += note("info", "have no valence: left out", unrated)
        mute = [id for id, utterance in utterances.items() if utterance.source.text is None]
        findings += note("info", f"have no transcript in {_TRANSCRIPTS}", sorted(mute))
        return Index(tuple(sorted(utterances.values(), key=lambda u: u.id)), tuple(findings))

    def _transcripts(self, root: Path) -> dict[str, str]:
        """Return sentences by the clip's name; nothing if the file is not there."""
        path = _find(root, _TRANSCRIPTS)
        rows = [] if path is None else read_columns(path, ("name", self.language))
        return {
            str(row.cells["name"]): unicodedata.normalize("NFC", str(row.cells[self.language]).strip())
            for row in rows
        }

    def _wrong(self, row: Row, utterance: Utterance, others: Mapping[str, Utterance]) -> str | None:
        """Return why a row of a label file cannot be used."""
        if utterance.label not in self.labels:
            return f"has the unknown emotion '{utterance.label}'"
        if utterance.id in others:
            return f"labels {utterance.id} a second time"
        if row.cells.get("valence") and "valence" not in utterance.extra:
            return f"has a valence that is no number: {row.cells['valence']}"
        return None


def _find(root: Path, name: str) -> Path | None:
    paths = (root / folder / name for folder in _FOLDERS)
    return next((path for path in paths if path.is_file()), None)


def _find_clips(folders: Sequence[Path]) -> dict[str, Path]:
    """Return every clip by its name, sorted, without those that macOS adds to archives (``._*``)."""
    files = [
        path
        for folder in folders
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".")
    ]
    return {path.stem: path for suffix in _CLIPS for path in files if path.suffix == suffix}


def _utterance(split: str, row: Row, clips: Mapping[str, Path], spoken: Mapping[str, str]) -> Utterance:
    name, valence = str(row.cells["name"]).strip(), _valence(row)
    return Utterance(
        id=name,
        label=str(row.cells["discrete"]).strip().lower(),
        split=split,
        extra={} if valence is None else {"valence": valence},
        source=Source(video=clips.get(name), text=spoken.get(name)),
    )


def _valence(row: Row) -> float | None:
    """Return a clip's valence, negative to positive, if it has one that is a number."""
    try:
        value = float(str(row.cells.get("valence")))
    except ValueError:
        return None
    return value if isfinite(value) else None
