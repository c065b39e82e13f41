"""DFEW: clips of over 1500 films, labelled with one of seven emotions, for five-fold cross-validation.

Of the three releases this reads the original clips, which have sound and true times: the cropped faces
(``clip_224x224``) lack the pictures without a face, and those with 16 pictures (``clip_224x224_16f``) are
interpolated. The folds hold the 11 697 clips with a single label in which a face was found.

The clips are short, their sound often begins or ends within a word, and there is no transcript. Nobody
annotated who is seen, nor which film it is, so the unit of analysis is the sample, and intervals are too
narrow as far as one actor is in several clips.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from merbench.datasets._base import Card, Finding
from merbench.datasets._files import FileDataset, Index, Source, note
from merbench.datasets._tabular import read_columns
from merbench.errors import MerbenchError
from merbench.options import option
from merbench.types import Utterance

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from merbench.datasets._tabular import Row

_LABELS = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")  # numbered from 1
_SPLITS = ("train", "test")
_PUBLISHED = 11_697
_TESTED = {"1": 2341, "2": 2341, "3": 2340, "4": 2339, "5": 2336}  # of these, per fold
_CLIPS = "Clip/original"
_FOLDS = "EmoLabel_DataSplit"


@dataclass(frozen=True)
class Dfew(FileDataset):
    """The Dynamic Facial Expression in-the-Wild database, with a single label per clip."""

    card = Card(
        title="DFEW",
        labels=_LABELS,
        modalities=("audio", "vision"),
        text_informative=False,
        licence="non-commercial research and education, on request",
        licence_url="https://dfew-dataset.github.io",
        restricted=True,
        bibtex="""@inproceedings{jiang2020dfew,
  author    = {Jiang, Xingxun and Zong, Yuan and Zheng, Wenming and Tang, Chuangao and Xia, Wanchuang and
               Lu, Cheng and Liu, Jiateng},
  title     = {{DFEW}: A Large-Scale Database for Recognizing Dynamic Facial Expressions in the Wild},
  booktitle = {Proceedings of the 28th {ACM} International Conference on Multimedia},
  pages     = {2881--2889},
  year      = {2020},
  doi       = {10.1145/3394171.3413620}
}""",
        layout=(
            f"{_FOLDS}/train(single-labeled)/set_1.csv to set_5.csv, "
            f"{_FOLDS}/test(single-labeled)/set_1.csv to set_5.csv, "
            f"and {_CLIPS}/N.mp4 or {_CLIPS}/part_P/N.mp4"
        ),
        unit="sample",
        expected={"utterances": _PUBLISHED},
    )

    fold: Literal["1", "2", "3", "4", "5"] = option("1", "which of the five folds is tested")

    @property
    def expected(self) -> Mapping[str, int]:
        """How many clips the chosen fold holds."""
        tested = _TESTED[self.fold]
        return {**self.card.expected, "split train": _PUBLISHED - tested, "split test": tested}

    def read_index(self) -> Index:
        """Read a fold's two tables and find the clips."""
        root = self.require_root()
        clips = _find_clips(root / _CLIPS)
        utterances: dict[str, Utterance] = {}
        findings = [Finding("info", "speakers", "are not annotated: samples count as independent")]
        for split in _SPLITS:
            missing = []
            for row in read_columns(self._table(root, split), ("video_name", "label")):
                parsed = _parse(row)
                if parsed is None:
                    what = f"is not a clip's number and a label from 1 to {len(_LABELS)}"
                    findings.append(Finding("error", row.where, what))
                    continue
                number, label = parsed
                id = f"{number:05d}"
                if id in utterances:
                    what = f"clip {number} stands already in {utterances[id].split}"
                    findings.append(Finding("error", row.where, what))
                elif number not in clips:
                    missing.append(id)
                else:
                    source = Source(video=clips[number])
                    utterances[id] = Utterance(id=id, label=label, split=split, source=source)
            what = f"are in {split} of fold {self.fold} and have no clip: left out"
            findings += note("warning", what, missing)
        if not utterances and not clips:
            raise MerbenchError(
                f"{root / _CLIPS} holds no clips (N.mp4)",
                fix="unpack the original clips there; the releases of cropped faces are not read",
            )
        return Index(tuple(sorted(utterances.values(), key=lambda u: u.id)), tuple(findings))

    def _table(self, root: Path, split: str) -> Path:
        """Return the table of a fold's split, whose folder is spelt in two ways."""
        names = (f"{split}(single-labeled)", f"{split}(single_labeled)")
        paths = [root / _FOLDS / name / f"set_{self.fold}.csv" for name in names]
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            raise MerbenchError(
                f"{root} does not hold {paths[0].relative_to(root)}",
                fix=f"expected {self.card.layout}; get it from {self.card.licence_url}",
            )
        return path


def _find_clips(folder: Path) -> dict[int, Path]:
    """Return the clips by their number, which some releases pad with zeros."""
    files = [path for pattern in ("part*/*.mp4", "*.mp4") for path in sorted(folder.glob(pattern))]
    return {int(path.stem): path for path in files if path.stem.isdecimal()}


def _parse(row: Row) -> tuple[int, str] | None:
    number, label = (str(row.cells[column]).strip() for column in ("video_name", "label"))
    if not (number.isdecimal() and label.isdecimal() and 1 <= int(label) <= len(_LABELS)):
        return None
    return int(number), _LABELS[int(label) - 1]
