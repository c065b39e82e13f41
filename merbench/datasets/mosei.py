"""CMU-MOSEI: people who speak their mind in videos of YouTube, rated for sentiment and six emotions.

A video is cut into segments, a sentence or so each, and every segment has a sentiment from -3 to 3 and for
six emotions an intensity from 0 to 3: means over three raters. ``target=sentiment`` asks for the former;
the label is its class on the scale, so that accuracy is what papers call Acc-7. ``target=emotions`` asks
which emotions are present, those with an intensity above 0; the label is the strongest one.

It is around in two forms, and either is read:

- The authors' archive, whole videos with the times of segments. Labels are those of the SDK's
  ``CMU_MOSEI_Labels.csd`` (HDF5, for which h5py is needed), splits the lists of videos in the SDK's
  ``cmu_mosei_std_folds.py``, which is read and never run. The annotators' own sheets in ``Raw/Labels`` are
  not used: how they became the published labels is not published. A segment's number is its place in the
  label file, ``VIDEO[3]`` as the SDK writes it; the transcripts number segments otherwise and are matched
  by their times.
- The form of the MMSA toolkit, clips in ``Raw/VIDEO/CLIP.mp4`` with a ``label.csv``, which says the split
  too. It has no emotions.

Some segments of the label file begin up to half a second before their video; they are read from its start.
Others end after it, and end with it here; one that begins after it is left out. 399 segments are of videos
in no list. Who speaks is not annotated, so the unit of analysis is the video.
"""

from __future__ import annotations

import ast
import json
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from math import inf, isfinite
from typing import TYPE_CHECKING, Literal

import numpy as np

from merbench.datasets._base import Card, Finding
from merbench.datasets._files import FileDataset, Index, Source, note
from merbench.datasets._tabular import read_columns, read_utf8
from merbench.errors import MerbenchError
from merbench.media.decode import Excerpt
from merbench.options import option
from merbench.targets import Task
from merbench.types import Utterance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

# The Likert scale of the paper, section 3.2, from -3 to 3.
_STEPS = (
    "highly negative",
    "negative",
    "weakly negative",
    "neutral",
    "weakly positive",
    "positive",
    "highly positive",
)
_EMOTIONS = ("happy", "sad", "anger", "surprise", "disgust", "fear")  # in the order of the label file
_SCORES = ("sentiment", *_EMOTIONS)
_NONE = "neutral"
_LOWEST = -3
_DIGITS = 6  # of a score that is kept as float32
_SENTIMENT = Task(kind="dimensional", targets=("sentiment",), low=_LOWEST, steps=_STEPS)
_PRESENT = Task(kind="multi-label", targets=_EMOTIONS)

_LABELS, _FOLDS, _TABLE = "CMU_MOSEI_Labels.csd", "cmu_mosei_std_folds.py", "label.csv"
_SPLITS = {"train": "standard_train_fold", "valid": "standard_valid_fold", "test": "standard_test_fold"}
_SDK = "https://github.com/CMU-MultiComp-Lab/CMU-MultimodalSDK"
_COLUMNS = ("video_id", "clip_id", "text", "label", "mode")
_IN_NO_LIST = "are of videos in no list: left out"

_PUBLISHED = {"train": 16326, "valid": 1871, "test": 4659}  # as in papers, and in the MMSA toolkit's table
_LABELLED = {"train": 16327, "valid": 1871, "test": 4662}  # of the label file, by the lists (as s3prl counts)


@dataclass(frozen=True)
class Mosei(FileDataset):
    """CMU Multimodal Opinion Sentiment and Emotion Intensity."""

    card = Card(
        title="CMU-MOSEI",
        labels=_STEPS,
        modalities=("audio", "vision", "text"),
        text_informative=True,
        licence="none stated; the videos are from YouTube, for research only",
        licence_url=_SDK,
        restricted=True,
        bibtex="""@inproceedings{zadeh2018multimodal,
  author    = {Zadeh, AmirAli Bagher and Liang, Paul Pu and Poria, Soujanya and Cambria, Erik and
               Morency, Louis-Philippe},
  title     = {Multimodal Language Analysis in the Wild: {CMU-MOSEI} Dataset and Interpretable Dynamic
               Fusion Graph},
  booktitle = {Proceedings of the 56th Annual Meeting of the Association for Computational Linguistics},
  pages     = {2236--2246},
  year      = {2018},
  doi       = {10.18653/v1/P18-1208}
}""",
        layout=(
            f"{_LABELS}, {_FOLDS} and Raw with Audio/Full/WAV_16000/VIDEO.wav, "
            "Videos/Full/Combined/VIDEO.mp4 and Transcript/Segmented/Combined/VIDEO.txt; "
            f"or {_TABLE} and Raw/VIDEO/CLIP.mp4"
        ),
        unit="dialogue",
        expected={
            "utterances": sum(_PUBLISHED.values()),
            **{f"split {split}": count for split, count in _PUBLISHED.items()},
        },
    )

    target: Literal["sentiment", "emotions"] = option(
        "sentiment", "what is asked: how positive it is, -3 to 3, or which of six emotions are present"
    )

    @property
    def labels(self) -> tuple[str, ...]:
        """The steps of the sentiment scale, or the six emotions and ``neutral`` where none is present."""
        return _STEPS if self.target == "sentiment" else (*_EMOTIONS, _NONE)

    @property
    def task(self) -> Task:
        """The sentiment, or which emotions are present."""
        return _SENTIMENT if self.target == "sentiment" else _PRESENT

    @property
    def expected(self) -> Mapping[str, int]:
        """How many segments there are, which differs between the two forms."""
        if not (self.require_root() / _LABELS).is_file():
            return self.card.expected
        splits = {f"split {split}": count for split, count in _LABELLED.items()}
        return {"utterances": sum(_LABELLED.values()), **splits}

    def read_index(self) -> Index:
        """Read the labels of whichever form is there, and find the media."""
        root = self.require_root()
        if (root / _LABELS).is_file():
            segments, findings = _Archive(root).read()
        elif (root / _TABLE).is_file():
            if self.target == "emotions":
                raise MerbenchError(
                    f"{root / _TABLE} has no emotions", fix=f"put {_LABELS} there: {self.card.licence_url}"
                )
            segments, findings = _read_clips(root)
        else:
            raise MerbenchError(
                f"{root} holds no labels of CMU-MOSEI ({_LABELS} or {_TABLE})",
                fix=f"expected {self.card.layout}; get it from {self.card.licence_url}",
            )
        found: dict[str, Utterance] = {}
        for segment in segments:
            if segment.id in found:
                findings.append(Finding("error", segment.where, f"labels {segment.id} a second time"))
            else:
                found[segment.id] = self._utterance(segment)
        return Index(tuple(sorted(found.values(), key=lambda u: u.id)), tuple(findings))

    def _utterance(self, segment: _Segment) -> Utterance:
        sentiment, *intensities = segment.scores
        asked = self.target == "sentiment"
        return Utterance(
            id=segment.id,
            label=self._label(segment.scores),
            split=segment.split,
            dialogue=segment.video,
            extra=dict(zip(_SCORES, segment.scores, strict=False)),
            targets=(sentiment,) if asked else tuple(float(i > 0) for i in intensities),
            source=segment.source,
        )

    def _label(self, scores: Sequence[float]) -> str:
        if self.target == "sentiment":
            return self.task.label(np.array([scores[:1]]), self.labels)[0]
        strongest = max(scores[1:])
        return _EMOTIONS[scores[1:].index(strongest)] if strongest > 0 else _NONE


@dataclass(frozen=True, slots=True)
class _Segment:
    """One labelled segment: its sentiment and, if there are any, the six intensities."""

    id: str
    where: str
    video: str
    split: str
    scores: tuple[float, ...]
    source: Source


class _Archive:
    """The authors' archive with the label file and the lists of videos beside it."""

    def __init__(self, root: Path) -> None:
        self.labels = root / _LABELS
        home = root / "Raw"
        self.sounds = _by_video(home / "Audio" / "Full" / "WAV_16000", ".wav")
        self.films = _by_video(home / "Videos" / "Full" / "Combined", ".mp4")
        self.scripts = _by_video(home / "Transcript" / "Segmented" / "Combined", ".txt")
        self.splits = _read_folds(root / _FOLDS)
        self.skipped: dict[str, list[str]] = defaultdict(list)
        self.mute: list[str] = []

    def read(self) -> tuple[list[_Segment], list[Finding]]:
        """Return the segments that can be used, and what became of the others."""
        segments = [
            segment
            for video, intervals, scores in _read_labels(self.labels)
            for segment in self._segments(video, intervals, scores)
        ]
        findings = [Finding("info", "speakers", "are not annotated: the unit of analysis is the video")]
        for why, ids in self.skipped.items():
            findings += note("info" if why == _IN_NO_LIST else "warning", why, ids)
        findings += note("info", "have no transcript", self.mute)
        return segments, findings

    def _segments(
        self, video: str, intervals: Sequence[Sequence[float]], scores: Sequence[Sequence[float]]
    ) -> Iterator[_Segment]:
        said = _read_transcript(self.scripts[video]) if video in self.scripts else {}
        sound, film = self.sounds.get(video, self.films.get(video)), self.films.get(video)
        length = _seconds(self.sounds[video]) if video in self.sounds else inf
        for number, ((start, end), values) in enumerate(zip(intervals, scores, strict=True)):
            id, text = f"{video}[{number}]", said.get(_times(start, end))
            if video not in self.splits:
                self.skipped[_IN_NO_LIST].append(id)
            elif not all(map(isfinite, values)):
                self.skipped["have a score that is no number: left out"].append(id)
            elif not max(0.0, start) < end:
                self.skipped["end before they begin: left out"].append(id)
            elif start >= length:
                self.skipped["begin after their sound has ended: left out"].append(id)
            elif sound is None and text is None:
                self.skipped["are labelled and have neither sound, video nor transcript: left out"].append(id)
            else:
                if text is None:
                    self.mute.append(id)
                begin = max(0.0, start)
                yield _Segment(
                    id,
                    f"{_LABELS}:{id}",
                    video,
                    self.splits[video],
                    tuple(round(value, _DIGITS) for value in values),
                    Source(
                        audio=None if sound is None else Excerpt(sound, begin, end),
                        video=None if film is None else Excerpt(film, begin, end),
                        text=text,
                    ),
                )


def _by_video(folder: Path, suffix: str) -> dict[str, Path]:
    """Return files by their stem, without those that macOS adds to archives (``._*``)."""
    return {p.stem: p for p in sorted(folder.glob(f"*{suffix}")) if not p.name.startswith("._")}


def _seconds(path: Path) -> float:
    """Return how long a sound file says it is; endless if it says nothing, for loading it will tell why."""
    import soundfile

    try:
        return float(soundfile.info(str(path)).duration)
    except soundfile.LibsndfileError:
        return inf


def _read_labels(path: Path) -> Iterator[tuple[str, list[list[float]], list[list[float]]]]:
    """Yield per video the times and the scores of its segments, in the order of the file."""
    try:
        import h5py
    except ImportError as error:
        raise MerbenchError(
            f"reading {path} needs h5py, which is not installed", fix="pip install h5py"
        ) from error
    try:
        with h5py.File(path) as file:
            (sequence,) = file.values()
            names = json.loads(sequence["metadata"]["dimension names"][0])
            if names != list(_SCORES):
                raise ValueError(f"its scores are {', '.join(names)}")
            for video, data in sequence["data"].items():
                yield video, data["intervals"][()].tolist(), data["features"][()].tolist()
    except (OSError, KeyError, ValueError, TypeError, IndexError) as error:
        raise MerbenchError(
            f"{path} is not the label file of CMU-MOSEI ({error})", fix=f"get it again: see {_SDK}"
        ) from error


def _read_folds(path: Path) -> dict[str, str]:
    """Return the split of every video, read from the SDK's Python file as text."""
    if not path.is_file():
        raise MerbenchError(
            f"there is no {path}, which says what is trained and what is tested on",
            fix=f"get it from {_SDK} (mmsdk/mmdatasdk/dataset/standard_datasets/CMU_MOSEI)",
        )
    try:
        assigned = {
            name.id: node.value
            for node in ast.parse(read_utf8(path)).body
            if isinstance(node, ast.Assign)
            for name in node.targets
            if isinstance(name, ast.Name)
        }
        lists = {split: ast.literal_eval(assigned[name]) for split, name in _SPLITS.items()}
        return {str(video): split for split, videos in lists.items() for video in videos}
    except (SyntaxError, ValueError, TypeError, KeyError) as error:
        raise MerbenchError(
            f"{path} does not list the videos of {', '.join(_SPLITS)} ({error})",
            fix=f"get it again from {_SDK}",
        ) from error


def _read_transcript(path: Path) -> dict[tuple[float, float], str]:
    """Return what is said by when, from lines ``VIDEO___CLIP___START___END___TEXT``."""
    said = {}
    for number, line in enumerate(read_utf8(path).splitlines(), start=1):
        if line.strip():
            try:
                _, _, start, end, text = line.split("___", maxsplit=4)  # some texts have underscores too
                said[_times(float(start), float(end))] = unicodedata.normalize("NFC", text.strip())
            except ValueError:
                raise MerbenchError(
                    f"{path.name}:{number} is not VIDEO___CLIP___START___END___TEXT", fix="mend the line"
                ) from None
    return said


def _times(start: float, end: float) -> tuple[float, float]:
    """Return what tells a segment: its times to the millisecond, as they were written."""
    return round(start, 3), round(end, 3)


def _read_clips(root: Path) -> tuple[list[_Segment], list[Finding]]:
    """Return the segments of the MMSA toolkit's form that have a clip, and what is wrong with the others."""
    segments, missing = [], []
    findings = [Finding("info", "speakers", "are not annotated: the unit of analysis is the video")]
    for row in read_columns(root / _TABLE, _COLUMNS):
        cells = {key: str(value).strip() for key, value in row.cells.items()}
        video, clip = cells["video_id"], cells["clip_id"]
        film = root / "Raw" / video / f"{clip}.mp4"
        score = _score(cells["label"])
        if score is None:
            findings.append(Finding("error", row.where, f"has a sentiment that is none: '{cells['label']}'"))
        elif cells["mode"] not in _SPLITS:
            findings.append(Finding("error", row.where, f"has the unknown split '{cells['mode']}'"))
        elif not film.is_file():
            missing.append(f"{video}/{clip}")
        else:
            text = unicodedata.normalize("NFC", cells["text"])
            source = Source(video=film, text=text)
            segments.append(_Segment(f"{video}_{clip}", row.where, video, cells["mode"], (score,), source))
    findings += note("warning", "are labelled and have no clip in Raw: left out", missing)
    return segments, findings


def _score(text: str) -> float | None:
    """Return a sentiment, -3 to 3."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) <= -_LOWEST else None
