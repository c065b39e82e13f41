"""MERR: the clips of MER2023 that Emotion-LLaMA was trained on, with labels and explanations in words.

Two annotations of the same clips: ``coarse`` (pseudo-labels from facial action units, descriptions put
together from templates) and ``fine`` (a selection, with explanations that a language model wrote). They are
two splits here, so that one training run can learn from one and then from the other; a clip that is in
both has two utterances and one dialogue. Nobody annotated speakers.

A line of ``MERR_coarse_grained.txt`` or ``MERR_fine_grained.txt`` is ``name frames emotion``, for the fine
ones (and sometimes the coarse ones) with a predicted valence behind; ``name emotion`` is read as well.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from merbench.datasets._base import Card, Finding
from merbench.datasets._files import FileDataset, Index, Source, note
from merbench.datasets._tabular import read_columns, read_utf8
from merbench.errors import MerbenchError
from merbench.options import option
from merbench.types import Utterance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_EXPLANATION = {"coarse": "caption", "fine": "smp_reason_caption"}
_PUBLISHED = {"coarse": 28_618, "fine": 4_487}
_CLIPS = (".avi", ".mp4")  # of a clip in both forms, the last is taken
_TRANSCRIPTS = "transcription_en_all.csv"
_FOLDERS = ("video", "test3", ".")  # as its authors lay MER2023 out, as MER2023 comes, and all in one place


@dataclass(frozen=True, slots=True)
class _Line:
    """One annotated clip."""

    where: str
    name: str
    emotion: str
    valence: float | None


@dataclass(frozen=True)
class Merr(FileDataset):
    """The multimodal emotion recognition and reasoning set of Emotion-LLaMA."""

    card = Card(
        title="MERR",
        labels=("happy", "sad", "neutral", "angry", "worried", "surprise", "fear", "contempt", "doubt"),
        modalities=("audio", "vision", "text"),
        text_informative=True,
        licence="annotations CC BY-NC 4.0, clips under the MER2023 end-user licence agreement",
        licence_url="https://github.com/ZebangCheng/Emotion-LLaMA",
        restricted=True,
        bibtex="""@inproceedings{cheng2024emotionllama,
  author    = {Cheng, Zebang and Cheng, Zhi-Qi and He, Jun-Yan and Sun, Jingdong and Wang, Kai and
               Lin, Yuxiang and Lian, Zheng and Peng, Xiaojiang and Hauptmann, Alexander G.},
  title     = {{Emotion-LLaMA}: Multimodal Emotion Recognition and Reasoning with Instruction Tuning},
  booktitle = {Advances in Neural Information Processing Systems},
  year      = {2024}
}""",
        layout=(
            "MERR_coarse_grained.txt and .json, MERR_fine_grained.txt and .json, "
            f"{_TRANSCRIPTS}, and the clips in video/NAME.mp4 or .avi"
        ),
        unit="dialogue",
        expected={"utterances": sum(_PUBLISHED.values())},
    )

    annotation: Literal["both", "coarse", "fine"] = option("both", "which of the two annotations")

    @property
    def expected(self) -> Mapping[str, int]:
        """How many clips were published with these annotations."""
        return {"utterances": sum(_PUBLISHED[split] for split in self._splits)}

    @property
    def _splits(self) -> tuple[str, ...]:
        return ("coarse", "fine") if self.annotation == "both" else (self.annotation,)

    def read_index(self) -> Index:
        """Read the annotations and find the clips."""
        root = self.require_root()
        clips = _find_clips(root)
        spoken = _read_transcripts(root / _TRANSCRIPTS)
        utterances: list[Utterance] = []
        findings: list[Finding] = []
        for split in self._splits:
            path = root / f"MERR_{split}_grained.txt"
            if not path.is_file():
                raise MerbenchError(
                    f"{root} does not hold {path.name}",
                    fix=f"expected {self.card.layout}; see merr:annotation=",
                )
            explained = _read_explanations(path.with_suffix(".json"), _EXPLANATION[split])
            lines, wrong = _read_lines(path, self.labels)
            findings += wrong
            findings += _gaps(split, lines, clips, spoken, explained)
            utterances += [
                _utterance(split, line, clips[line.name], spoken.get(line.name), explained.get(line.name))
                for line in lines
                if line.name in clips
            ]
        return Index(tuple(sorted(utterances, key=lambda u: u.id)), tuple(findings))


def _read_lines(path: Path, labels: tuple[str, ...]) -> tuple[list[_Line], list[Finding]]:
    """Return the clips that an annotation file names, each once, and what is wrong with the others."""
    lines: dict[str, _Line] = {}
    findings = []
    for number, text in enumerate(read_utf8(path).splitlines(), start=1):
        where, fields = f"{path.name}:{number}", text.split()
        if not fields:
            continue
        line = _parse(where, fields)
        if line is None:
            findings.append(
                Finding("error", where, f"is not 'name frames emotion [valence]': {text.strip()}")
            )
        elif line.emotion not in labels:
            findings.append(Finding("error", where, f"has the unknown emotion '{line.emotion}'"))
        elif line.name in lines:
            findings.append(Finding("error", where, f"annotates {line.name} a second time"))
        else:
            lines[line.name] = line
    return list(lines.values()), findings


def _parse(where: str, fields: list[str]) -> _Line | None:
    if len(fields) == 2:
        return _Line(where, fields[0], fields[1], None)
    if len(fields) not in (3, 4) or not fields[1].isdecimal():
        return None
    try:
        valence = float(fields[3]) if len(fields) == 4 else None
    except ValueError:
        return None
    return _Line(where, fields[0], fields[2], valence)


def _find_clips(root: Path) -> dict[str, Path]:
    """Return every clip by its name."""
    folder = next((root / name for name in _FOLDERS if _has_clips(root / name)), None)
    if folder is None:
        raise MerbenchError(
            f"{root} holds no clips", fix=f"put them into {root / 'video'}, as NAME.mp4 or NAME.avi"
        )
    files = sorted(folder.iterdir())
    return {path.stem: path for suffix in _CLIPS for path in files if path.suffix == suffix}


def _has_clips(folder: Path) -> bool:
    return folder.is_dir() and any(path.suffix in _CLIPS for path in folder.iterdir())


def _read_transcripts(path: Path) -> dict[str, str]:
    """Return English sentences by the clip's name; nothing if the file is not there."""
    if not path.is_file():
        return {}
    rows = read_columns(path, ("name", "sentence"))
    sentences = {str(row.cells["name"]): str(row.cells["sentence"]) for row in rows}
    return {name: unicodedata.normalize("NFC", sentence) for name, sentence in sentences.items()}


def _read_explanations(path: Path, key: str) -> dict[str, str]:
    """Return explanations by the clip's name; nothing if the file is not there."""
    if not path.is_file():
        return {}
    try:
        entries: dict[str, dict[str, Any]] = json.loads(read_utf8(path))
        return {name: str(entry[key]).strip() for name, entry in entries.items() if entry.get(key)}
    except (AttributeError, TypeError, ValueError) as error:
        raise MerbenchError(
            f"{path} is not a table of clips with their '{key}' ({error})", fix="get the file again"
        ) from error


def _gaps(
    split: str,
    lines: list[_Line],
    clips: Mapping[str, Path],
    spoken: Mapping[str, str],
    explained: Mapping[str, str],
) -> Iterator[Finding]:
    absent = [line.name for line in lines if line.name not in clips]
    yield from note("warning", f"are in the {split} annotation and have no clip: left out", absent)
    there = [line.name for line in lines if line.name in clips]
    yield from note("info", "have no transcript", [name for name in there if name not in spoken])
    unexplained = [name for name in there if name not in explained]
    yield from note("info", f"have no {split} explanation", unexplained)


def _utterance(
    split: str, line: _Line, clip: Path, sentence: str | None, explanation: str | None
) -> Utterance:
    facts = {"explanation": explanation, "valence": line.valence}
    return Utterance(
        id=f"{line.name}-{split}",
        label=line.emotion,
        split=split,
        dialogue=line.name,
        extra={key: value for key, value in facts.items() if value is not None},
        source=Source(video=clip, text=sentence),
    )
