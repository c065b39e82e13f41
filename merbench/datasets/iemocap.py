"""IEMOCAP: ten actors in five sessions, two at a time, improvise and play scripted scenes.

The unit of release is the dialogue: annotations, transcripts and the video are per dialogue, and only the
sound is cut into utterances. In an utterance's name, ``Ses01F_impro01_M003``, the first letter after the
session is who wore the motion-capture markers in that dialogue and the last one who speaks. The video shows
both side by side, and whoever wore the markers is on the left.

There are no official splits: the five sessions are the splits here, to be left out one after the other
(``--split Session5``); speakers of one session never occur in another.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from merbench.datasets._base import Card, Finding
from merbench.datasets._files import FileDataset, Index, Source, note
from merbench.datasets._tabular import read_utf8
from merbench.errors import MerbenchError
from merbench.media.decode import Excerpt
from merbench.options import option
from merbench.targets import Task
from merbench.types import Utterance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_SESSIONS = tuple(f"Session{number}" for number in range(1, 6))
_RELEASE = "IEMOCAP_full_release"  # the folder that the archive unpacks to
_NUMBER = r"\d+(?:\.\d+)?"
_UTTERANCE = r"(?P<name>Ses0[1-5][FM]_\w+_[FM]\d{3})"
_ANNOTATED = re.compile(
    rf"\[(?P<start>{_NUMBER}) - (?P<end>{_NUMBER})\]\s+{_UTTERANCE}\s+(?P<code>[a-z]{{3}})\s+"
    rf"\[(?P<valence>-?{_NUMBER}), (?P<arousal>-?{_NUMBER}), (?P<dominance>-?{_NUMBER})\]\s*"
)
_SPOKEN = re.compile(rf"{_UTTERANCE} \[{_NUMBER}-{_NUMBER}\]:(?P<text>.*)")
_TAG = re.compile(r"\s*(?:\[[^\]]*\]|\+\+[A-Z]+\+\+)")  # [LAUGHTER], ++BREATHING++
_LEFT, _RIGHT = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)
_AFFECT = Task(
    kind="dimensional",
    targets=("valence", "arousal", "dominance"),
    low=1,
    steps=tuple(f"valence {step}" for step in range(1, 6)),
)

_EMOTIONS = {
    "ang": "angry",
    "dis": "disgusted",
    "exc": "excited",
    "fea": "fearful",
    "fru": "frustrated",
    "hap": "happy",
    "neu": "neutral",
    "oth": "other",
    "sad": "sad",
    "sur": "surprised",
    "xxx": "undecided",  # the annotators did not agree
}
_FOUR = {"ang": "angry", "hap": "happy", "neu": "neutral", "sad": "sad"}
_CLASSES = {
    "4way": {**_FOUR, "exc": "happy"},
    "4way-happy-only": _FOUR,
    "6way": {code: _EMOTIONS[code] for code in ("ang", "exc", "fru", "hap", "neu", "sad")},
    "all": _EMOTIONS,
}
_PUBLISHED = {
    "ang": 1103,
    "dis": 2,
    "exc": 1041,
    "fea": 40,
    "fru": 1849,
    "hap": 595,
    "neu": 1708,
    "oth": 3,
    "sad": 1084,
    "sur": 107,
    "xxx": 2507,
}
_PUBLISHED_4WAY = {"Session1": 1085, "Session2": 1023, "Session3": 1151, "Session4": 1031, "Session5": 1241}


@dataclass(frozen=True)
class Iemocap(FileDataset):
    """The Interactive Emotional Dyadic Motion Capture database."""

    card = Card(
        title="IEMOCAP",
        labels=("angry", "happy", "neutral", "sad"),
        modalities=("audio", "vision", "text"),
        text_informative=True,
        licence="IEMOCAP release agreement (academic research, on request)",
        licence_url="https://sail.usc.edu/iemocap/iemocap_release.htm",
        restricted=True,
        bibtex="""@article{busso2008iemocap,
  author  = {Busso, Carlos and Bulut, Murtaza and Lee, Chi-Chun and Kazemzadeh, Abe and Mower, Emily and
             Kim, Samuel and Chang, Jeannette N. and Lee, Sungbok and Narayanan, Shrikanth S.},
  title   = {{IEMOCAP}: Interactive emotional dyadic motion capture database},
  journal = {Language Resources and Evaluation},
  volume  = {42},
  number  = {4},
  pages   = {335--359},
  year    = {2008},
  doi     = {10.1007/s10579-008-9076-6}
}""",
        layout=(
            "Session1 to Session5 with sentences/wav/DIALOGUE/UTTERANCE.wav, "
            "dialog/EmoEvaluation/DIALOGUE.txt, dialog/transcriptions/DIALOGUE.txt "
            "and dialog/avi/DivX/DIALOGUE.avi"
        ),
        unit="speaker",
        expected={
            "utterances": sum(_PUBLISHED_4WAY.values()),
            "speakers": 10,
            **{f"split {session}": count for session, count in _PUBLISHED_4WAY.items()},
        },
    )

    classes: Literal["4way", "4way-happy-only", "6way", "all"] = option(
        "4way",
        "4way: excited counts as happy; 4way-happy-only: without excited; 6way: excited, frustrated apart; "
        "all: every annotation, for protocols to merge",
    )
    tags: Literal["strip", "keep"] = option(
        "strip", "sounds written into the transcript, such as [LAUGHTER], which give the emotion away"
    )
    target: Literal["label", "dimensions"] = option(
        "label",
        "dimensions: valence, arousal and dominance of the chosen classes are asked; the label is a step of "
        "the valence scale then",
        later=True,
    )

    @property
    def labels(self) -> tuple[str, ...]:
        """The chosen classes, sorted, or the steps of the valence scale."""
        if self.target == "dimensions":
            return _AFFECT.steps
        return tuple(sorted(set(_CLASSES[self.classes].values())))

    @property
    def task(self) -> Task | None:
        """Valence, arousal and dominance, if they are asked."""
        return _AFFECT if self.target == "dimensions" else None

    @property
    def expected(self) -> Mapping[str, int]:
        """How many utterances the five sessions hold, of each chosen class; per session if it is four."""
        labels: Counter[str] = Counter()
        for code, label in _CLASSES[self.classes].items():
            labels[f"label {label}"] += _PUBLISHED[code]
        overall = self.card.expected if self.classes == "4way" else {"speakers": 10}
        of_each = labels if self.target == "label" else {}
        return {**overall, "utterances": labels.total(), **of_each}

    def read_index(self) -> Index:
        """Read every dialogue's annotation and find its files."""
        root = self.require_root()
        home = root / _RELEASE if (root / _RELEASE).is_dir() else root
        present = [home / name for name in _SESSIONS if (home / name).is_dir()]
        if not present:
            raise MerbenchError(
                f"{root} does not hold IEMOCAP: there is no {_SESSIONS[0]}",
                fix=f"expected {self.card.layout}; get it from {self.card.licence_url}",
            )
        utterances: list[Utterance] = []
        absent = [name for name in _SESSIONS if not (home / name).is_dir()]
        findings = list(note("warning", "are not there: half of a download?", absent))
        outside: Counter[str] = Counter()
        for folder in present:
            session = _Session(folder)
            for turn in session.turns.values():
                label = _CLASSES[self.classes].get(turn.code)
                if label is None:
                    outside[_EMOTIONS[turn.code]] += 1
                elif turn.name in session.sounds:
                    utterance = session.utterance(turn, label, keep_tags=self.tags == "keep")
                    utterances.append(self._rated(utterance, turn))
            findings += session.findings(_CLASSES[self.classes])
        if outside:
            counted = ", ".join(f"{n} {emotion}" for emotion, n in sorted(outside.items()))
            findings.append(Finding("info", f"classes={self.classes}", f"left out: {counted}"))
        return Index(tuple(sorted(utterances, key=lambda u: u.id)), tuple(findings))

    def _rated(self, utterance: Utterance, turn: _Turn) -> Utterance:
        """Return the utterance with what is asked of it."""
        if self.target == "label":
            return utterance
        ratings = tuple(turn.ratings[name] for name in _AFFECT.targets)
        return replace(utterance, label=_AFFECT.label(np.array([ratings]), self.labels)[0], targets=ratings)


@dataclass(frozen=True, slots=True)
class _Turn:
    """One annotated utterance: when it is in its dialogue, in seconds, and what was rated, 1 to 5."""

    name: str
    start: float
    end: float
    code: str
    ratings: dict[str, float]

    @property
    def dialogue(self) -> str:
        return self.name.rpartition("_")[0]

    @property
    def gender(self) -> str:
        return self.name[-4]

    @property
    def box(self) -> tuple[float, float, float, float]:
        wears_markers = self.name[5]
        return _LEFT if wears_markers == self.gender else _RIGHT


class _Session:
    """One session's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wrong: list[Finding] = []
        self.sounds = _named(folder / "sentences" / "wav", "*/*.wav")
        self.videos = _named(folder / "dialog" / "avi" / "DivX", "*.avi")
        self.turns = self._annotated(_named(folder / "dialog" / "EmoEvaluation", "Ses*.txt"))
        self.spoken = self._transcribed(_named(folder / "dialog" / "transcriptions", "Ses*.txt"))

    def _annotated(self, files: Mapping[str, Path]) -> dict[str, _Turn]:
        if not files:
            what = "there is no annotation: get the session again"
            self.wrong.append(Finding("error", f"{self.folder.name}/dialog/EmoEvaluation", what))
        turns: dict[str, _Turn] = {}
        for path in files.values():
            for number, line in enumerate(read_utf8(path).splitlines(), start=1):
                if not line.startswith("["):
                    continue  # the single annotators' opinions, which the line before sums up
                turn, where = _parse(line), f"{self.folder.name}/{path.name}:{number}"
                if turn is None:
                    what = f"is not '[start - end] utterance emotion [v, a, d]': {line.strip()}"
                    self.wrong.append(Finding("error", where, what))
                elif turn.code not in _EMOTIONS:
                    self.wrong.append(Finding("error", where, f"has the unknown emotion '{turn.code}'"))
                elif turn.name in turns:
                    self.wrong.append(Finding("error", where, f"annotates {turn.name} a second time"))
                else:
                    turns[turn.name] = turn
        return turns

    def _transcribed(self, files: Mapping[str, Path]) -> dict[str, str]:
        lines = (line for path in files.values() for line in read_utf8(path).splitlines())
        found = (match for line in lines if (match := _SPOKEN.fullmatch(line.strip())))
        return {match["name"]: unicodedata.normalize("NFC", match["text"].strip()) for match in found}

    def utterance(self, turn: _Turn, label: str, *, keep_tags: bool) -> Utterance:
        video, text = self.videos.get(turn.dialogue), self.spoken.get(turn.name)
        if text is not None and not keep_tags:
            text = _TAG.sub("", text).strip()
        return Utterance(
            id=turn.name,
            label=label,
            split=self.folder.name,
            speaker=f"{turn.name[:5]}{turn.gender}",
            dialogue=turn.dialogue,
            extra={
                "session": self.folder.name,
                "gender": "female" if turn.gender == "F" else "male",
                "scenario": "scripted" if "script" in turn.dialogue else "improvised",
                "emotion": _EMOTIONS[turn.code],
                **turn.ratings,
            },
            source=Source(
                audio=self.sounds[turn.name],
                video=None if video is None else Excerpt(video, turn.start, turn.end, turn.box),
                text=text,
            ),
        )

    def findings(self, wanted: Mapping[str, str]) -> Iterator[Finding]:
        """Yield what is wrong in this session, and what the wanted classes lack."""
        yield from self.wrong
        annotated = {turn.dialogue for turn in self.turns.values()}
        recorded = dict.fromkeys(path.parent.name for path in self.sounds.values())
        unrated = [dialogue for dialogue in recorded if dialogue not in annotated]
        yield from note("warning", "are dialogues with sounds and no annotation: left out", unrated)
        chosen = [turn for turn in self.turns.values() if turn.code in wanted]
        silent = [turn.name for turn in chosen if turn.name not in self.sounds]
        where = f"{self.folder.name}/sentences/wav"
        yield from note("warning", f"are annotated and not in {where}: left out", silent)
        heard = [turn for turn in chosen if turn.name in self.sounds]
        unspoken = [turn.name for turn in heard if turn.name not in self.spoken]
        yield from note("warning", "have no transcript", unspoken)
        dialogues = list(dict.fromkeys(turn.dialogue for turn in heard))
        unseen = [dialogue for dialogue in dialogues if dialogue not in self.videos]
        if not self.videos:
            what = "no videos, as in the release without them"
            yield Finding("info", f"{self.folder.name}/dialog/avi/DivX", what)
        else:
            yield from note("warning", "are dialogues without a video, though others have one", unseen)


def _named(folder: Path, pattern: str) -> dict[str, Path]:
    """Return files by their stem, sorted, without those that macOS adds to archives (``._*``)."""
    return {path.stem: path for path in sorted(folder.glob(pattern)) if not path.name.startswith(".")}


def _parse(line: str) -> _Turn | None:
    match = _ANNOTATED.fullmatch(line)
    if match is None or float(match["start"]) > float(match["end"]):
        return None
    return _Turn(
        name=match["name"],
        start=float(match["start"]),
        end=float(match["end"]),
        code=match["code"],
        ratings={key: float(match[key]) for key in ("valence", "arousal", "dominance")},
    )
