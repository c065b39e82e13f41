"""CREMA-D: 91 actors say twelve sentences in six emotions, and a crowd says what it heard and saw.

A clip is ``actor_sentence_EMOTION_LEVEL``, and comes as Flash video (VP6 and MP3), MP3 and WAV. About
ten people each judged it by the voice alone, by the face alone and by both, so there are two labels: the
emotion that the actor was asked for, and the one that most people perceived. All votes travel along in
`extra`, as counts in the order of the labels: soft labels, and what people can tell from which channel.
There are no official splits: everything is ``test``, and protocols fold by actor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from merbench.datasets._base import Card, Finding
from merbench.datasets._files import FileDataset, Index, Source, note
from merbench.datasets._tabular import read_columns
from merbench.errors import MerbenchError
from merbench.options import option
from merbench.targets import Task
from merbench.types import Utterance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from merbench.types import JSON

_LABELS = ("anger", "disgust", "fear", "happiness", "neutral", "sadness")
_EMOTIONS = dict(zip(("ANG", "DIS", "FEA", "HAP", "NEU", "SAD"), _LABELS, strict=True))
_LETTERS = dict(zip("ADFHNS", _LABELS, strict=True))
_LEVELS = {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified"}
_SENTENCES = {
    "IEO": "It's eleven o'clock",
    "TIE": "That is exactly what happened",
    "IOM": "I'm on my way to the meeting",
    "IWW": "I wonder what this is about",
    "TAI": "The airplane is almost full",
    "MTI": "Maybe tomorrow it will be cold",
    "IWL": "I would like a new alarm clock",
    "ITH": "I think I have a doctor's appointment",
    "DFA": "Don't forget a jacket",
    "ITS": "I think I've seen this before",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}
_NAME = re.compile(rf"(1\d{{3}})_({'|'.join(_SENTENCES)})_({'|'.join(_EMOTIONS)})_({'|'.join(_LEVELS)})")
_MISNAMED = {"1040_ITH_SAD_X": "1040_ITH_SAD_XX"}  # in older copies of AudioWAV

_RELEASES = {"flv": "VideoFlash", "wav": "AudioWAV", "mp3": "AudioMP3"}  # in the order of `auto`
_VOTES = "processedResults/tabulatedVotes.csv"
_WINNERS = "processedResults/summaryTable.csv"
_DEMOGRAPHICS = "VideoDemographics.csv"

# The first digit of a row's number in tabulatedVotes.csv is the question; summaryTable.csv has a column.
_QUESTIONS = {"1": "voice", "2": "face", "3": "multimodal"}
_WINNER_COLUMNS = {"voice": "VoiceVote", "face": "FaceVote", "multimodal": "MultiModalVote"}
_SUBSETS = {"voice": "{a}", "face": "{v}", "multimodal": "{av}"}

_FATE = {"drop": "left out", "keep": "kept"}
_VOTED = Task(kind="soft", targets=_LABELS)

_POINTER = b"version https://git-lfs"
_POINTER_BYTES = 1024  # the Git LFS specification: a pointer is smaller


@dataclass(frozen=True, slots=True)
class _Ballot:
    """What the raters of one clip said to one question: who won (several on a tie), and the counts."""

    winners: tuple[str, ...]
    counts: tuple[int, ...] | None = None


_Ballots = dict[str, dict[str, _Ballot]]
"""Ballots by clip and question."""


@dataclass(frozen=True)
class CremaD(FileDataset):
    """The Crowd-sourced Emotional Multimodal Actors Dataset."""

    card = Card(
        title="CREMA-D",
        labels=_LABELS,
        modalities=("audio", "vision", "text"),
        text_informative=False,
        licence="ODbL 1.0 (database), DbCL 1.0 (contents)",
        licence_url="https://github.com/CheyneyComputerScience/CREMA-D",
        restricted=True,
        bibtex="""@article{cao2014cremad,
  author  = {Cao, Houwei and Cooper, David G. and Keutmann, Michael K. and Gur, Ruben C. and
             Nenkova, Ani and Verma, Ragini},
  title   = {{CREMA-D}: Crowd-Sourced Emotional Multimodal Actors Dataset},
  journal = {IEEE Transactions on Affective Computing},
  volume  = {5},
  number  = {4},
  pages   = {377--390},
  year    = {2014},
  doi     = {10.1109/TAFFC.2014.2336244}
}""",
        layout=(
            "VideoFlash/1001_DFA_ANG_XX.flv, AudioWAV/1001_DFA_ANG_XX.wav or AudioMP3/1001_DFA_ANG_XX.mp3, "
            f"and for votes and demographics {_VOTES} and {_DEMOGRAPHICS}"
        ),
        expected={"utterances": 7442, "speakers": 91},
        known_bad={
            "1064_IEO_DIS_MD": "a minute long, and holds the sentence in every emotion",
            "1064_TIE_SAD_XX": "cut off after less than a second",
            "1076_MTI_NEU_XX": "cut off at once; the video has three pictures and no sound",
            "1076_MTI_SAD_XX": "silent; the video shows no face",
        },
    )

    release: Literal["auto", "flv", "wav", "mp3"] = option(
        "auto", "which of the three releases; auto: video if there is any, else WAV, else MP3"
    )
    label: Literal["intended", "perceived"] = option(
        "intended",
        "the emotion that was asked for, or the one that most raters perceived (ties are left out)",
    )
    question: Literal["multimodal", "voice", "face"] = option(
        "multimodal", "what the raters were shown whose votes are the perceived label, or the soft ones"
    )
    known_bad: Literal["drop", "keep"] = option("drop", "the clips that are known to be defective")
    target: Literal["label", "soft"] = option(
        "label",
        "soft: how the votes to the question are spread is asked too; clips without votes are left out",
        later=True,
    )

    @property
    def task(self) -> Task | None:
        """The distribution of the votes, if it is asked."""
        return _VOTED if self.target == "soft" else None

    @property
    def expected(self) -> Mapping[str, int]:
        """How many clips and actors were published; how many votes are tied was not."""
        if self.label == "perceived" or self.target == "soft":
            return {"speakers": self.card.expected["speakers"]}
        dropped = len(self.card.known_bad) if self.known_bad == "drop" else 0
        return {**self.card.expected, "utterances": self.card.expected["utterances"] - dropped}

    def read_index(self) -> Index:
        """Find the clips, read their names, the votes and who the actors are."""
        root = self.require_root()
        found, strays = self._clips(root)
        bad = [id for id in found if id in self.card.known_bad]
        kept = {id: path for id, path in found.items() if self.known_bad == "keep" or id not in bad}
        ballots = _read_ballots(root)
        actors = _read_actors(root)
        if self.label == "perceived" and not ballots:
            raise MerbenchError(
                f"{root} holds no votes, and label=perceived needs them",
                fix=f"put {_VOTES} (or {_WINNERS}) there",
            )
        everything = [_utterance(id, path, actors, ballots.get(id, {})) for id, path in sorted(kept.items())]
        findings = [
            *note("warning", "do not follow the naming convention and are left out", strays),
            *note("error", "are Git LFS pointers, no media: run 'git lfs pull'", _pointers(kept)),
            *note("warning", "are voted on and have no file here", sorted(set(ballots) - set(found))),
            *(
                Finding("warning", id, f"{self.card.known_bad[id]}: {_FATE[self.known_bad]}")
                for id in sorted(bad)
            ),
            *_human_recognition(everything, ballots),
        ]
        if self.label == "perceived":
            everything, undecided = self._perceived(everything, ballots)
            findings += note("info", f"have no single winner by {self.question}: left out", undecided)
        if self.target == "soft":
            counts = {u.id: _counts(ballots, u.id, self.question) for u in everything}
            unjudged = [id for id, votes in counts.items() if not sum(votes)]
            findings += note("info", f"have no votes by {self.question}: left out", unjudged)
            everything = [
                replace(u, targets=tuple(n / sum(counts[u.id]) for n in counts[u.id]))
                for u in everything
                if sum(counts[u.id])
            ]
        return Index(tuple(everything), tuple(findings))

    def _clips(self, root: Path) -> tuple[dict[str, Path], list[str]]:
        """Return the files of the wanted release by id, and the names of files that are none."""
        wanted = [self.release] if self.release != "auto" else list(_RELEASES)
        for release in wanted:
            for folder in (root / _RELEASES[release], root):
                files = sorted(p for p in folder.glob(f"*.{release}") if p.name[0] != ".")
                clips = {_id(path.stem): path for path in files}
                named = {id: path for id, path in clips.items() if _NAME.fullmatch(id)}
                if named:
                    return named, [path.name for id, path in clips.items() if id not in named]
        here = sorted(path.name for path in root.iterdir()) if root.is_dir() else [root.name]
        raise MerbenchError(
            f"{root} holds no clips of CREMA-D with release={self.release} "
            f"(found: {', '.join(here[:3]) or 'nothing'})",
            fix=f"expected {self.card.layout}; get it from {self.card.licence_url}",
        )

    def _perceived(
        self, utterances: Sequence[Utterance], ballots: _Ballots
    ) -> tuple[list[Utterance], list[str]]:
        """Return the utterances with the label that most raters gave, and the ids of those without."""
        winners = {u.id: _winners(ballots, u.id, self.question) for u in utterances}
        decided = [replace(u, label=winners[u.id][0]) for u in utterances if len(winners[u.id]) == 1]
        return decided, [id for id, names in winners.items() if len(names) != 1]


def _id(name: str) -> str:
    return _MISNAMED.get(name, name)


def _utterance(
    id: str, path: Path, actors: Mapping[str, dict[str, JSON]], ballots: Mapping[str, _Ballot]
) -> Utterance:
    actor, sentence, emotion, level = id.split("_")
    votes: JSON = {question: list(b.counts) for question, b in ballots.items() if b.counts is not None}
    return Utterance(
        id=id,
        label=_EMOTIONS[emotion],
        split="test",
        speaker=actor,
        extra={
            "sentence": sentence,
            "level": _LEVELS[level],
            "intended": _EMOTIONS[emotion],
            **actors.get(actor, {}),
            **({"votes": votes} if votes else {}),
        },
        source=Source(
            audio=path,
            video=path if path.suffix == ".flv" else None,
            text=_SENTENCES[sentence],
        ),
    )


def _winners(ballots: _Ballots, id: str, question: str) -> tuple[str, ...]:
    ballot = ballots.get(id, {}).get(question)
    return ballot.winners if ballot is not None else ()


def _counts(ballots: _Ballots, id: str, question: str) -> tuple[int, ...]:
    """Return a clip's votes in the order of the labels; none where they were not counted."""
    ballot = ballots.get(id, {}).get(question)
    return () if ballot is None or ballot.counts is None else ballot.counts


def _read_ballots(root: Path) -> _Ballots:
    """Return all votes, or at least who won; nothing where neither table is there."""
    ballots: _Ballots = {}
    if (root / _VOTES).is_file():
        for row in read_columns(root / _VOTES, ("", *_LETTERS, "fileName")):
            try:
                question = _QUESTIONS[row.cells[""][:1]]
                counts = tuple(int(row.cells[letter]) for letter in _LETTERS)
            except (KeyError, ValueError) as error:
                raise MerbenchError(
                    f"{row.where} is no row of votes ({error})", fix="get the file again"
                ) from error
            most = max(counts)
            winners = tuple(name for name, n in zip(_LABELS, counts, strict=True) if n == most > 0)
            ballots.setdefault(_id(row.cells["fileName"]), {})[question] = _Ballot(winners, counts)
    elif (root / _WINNERS).is_file():
        for row in read_columns(root / _WINNERS, ("FileName", *_WINNER_COLUMNS.values())):
            for question, column in _WINNER_COLUMNS.items():
                try:
                    winners = tuple(_LETTERS[letter] for letter in row.cells[column].split(":"))
                except KeyError as error:
                    raise MerbenchError(
                        f"{row.where} has the unknown emotion {error} in {column}", fix="get the file again"
                    ) from error
                ballots.setdefault(_id(row.cells["FileName"]), {})[question] = _Ballot(winners)
    return ballots


def _read_actors(root: Path) -> dict[str, dict[str, JSON]]:
    """Return what is known of each actor; nothing where the table is not there."""
    path = root / _DEMOGRAPHICS
    if not path.is_file():
        return {}
    facts = {"gender": "Sex", "age": "Age", "race": "Race", "ethnicity": "Ethnicity"}
    rows = read_columns(path, ("ActorID", *facts.values()))
    return {
        row.cells["ActorID"]: {
            name: int(text) if (text := row.cells[column]).isdecimal() else text.lower()
            for name, column in facts.items()
        }
        for row in rows
    }


def _pointers(clips: Mapping[str, Path]) -> list[str]:
    """Return the ids whose file is what Git puts there when LFS is not installed."""

    def starts_with_pointer(path: Path) -> bool:
        with path.open("rb") as file:
            return file.read(len(_POINTER)) == _POINTER

    return [
        id
        for id, path in sorted(clips.items())
        if path.stat().st_size < _POINTER_BYTES and starts_with_pointer(path)
    ]


def _human_recognition(utterances: Sequence[Utterance], ballots: _Ballots) -> Iterator[Finding]:
    """Yield how well people told the intended emotion: the human row of a table of these clips.

    By clips: how often it is the single winner, which compares with a model's accuracy. By votes: how many
    name it. The authors report a recognition of 40.9 % by voice, 58.2 % by face and 63.6 % by both.
    """
    for question, subset in _SUBSETS.items():
        judged = [(ballots[u.id][question], u.label) for u in utterances if question in ballots.get(u.id, {})]
        if not judged:
            continue
        right = sum(ballot.winners == (truth,) for ballot, truth in judged) / len(judged)
        what = f"the majority by {question} names the intended emotion for {right:.1%} of {len(judged)} clips"
        counted = [(b.counts, _LABELS.index(truth)) for b, truth in judged if b.counts is not None]
        total = sum(sum(counts) for counts, _ in counted)
        if total:
            share = sum(counts[truth] for counts, truth in counted) / total
            what += f", {share:.1%} of {total} votes do"
        yield Finding("info", f"people, {subset}", what)
