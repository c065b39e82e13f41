"""RAVDESS: 24 professional actors speak (and sing) two sentences in eight emotions.

The file name is the annotation: ``modality-channel-emotion-intensity-statement-repetition-actor``,
two digits each. There are no official splits: everything is ``test``, and protocols fold by actor.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from merbench.datasets._base import Card, Finding
from merbench.datasets._files import FileDataset, Index, Source, note
from merbench.errors import MerbenchError
from merbench.options import option
from merbench.types import Utterance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_NAME = re.compile(
    r"(?P<modality>0[1-3])-(?P<channel>0[12])-(?P<emotion>0[1-8])-(?P<intensity>0[12])"
    r"-(?P<statement>0[12])-(?P<repetition>0[12])-(?P<actor>0[1-9]|1\d|2[0-4])"
)
_MODALITIES = {"av": "01", "audio": "03", "video": "02"}  # in the order in which `auto` prefers them
_SUFFIXES = {"01": ".mp4", "02": ".mp4", "03": ".wav"}
_CHANNELS = {"speech": "01", "song": "02"}
_EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
_STATEMENTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
_FOLDERS = ("Actor_*/*", "*/Actor_*/*", "*/*/Actor_*/*")

# Per modality: 60 spoken trials by 24 actors, and 44 sung ones by 23 (Actor_18 did not sing).
_PUBLISHED = {
    "speech": {"utterances": 1440, "speakers": 24},
    "song": {"utterances": 1012, "speakers": 23},
    "all": {"utterances": 2452, "speakers": 24},
}


@dataclass(frozen=True)
class Ravdess(FileDataset):
    """The Ryerson Audio-Visual Database of Emotional Speech and Song."""

    card = Card(
        title="RAVDESS",
        labels=_EMOTIONS,
        modalities=("audio", "vision", "text"),
        text_informative=False,
        licence="CC BY-NC-SA 4.0",
        licence_url="https://zenodo.org/records/1188976",
        restricted=True,
        bibtex="""@article{livingstone2018ravdess,
  author  = {Livingstone, Steven R. and Russo, Frank A.},
  title   = {The {R}yerson {A}udio-{V}isual {D}atabase of {E}motional {S}peech and {S}ong ({RAVDESS}):
             A dynamic, multimodal set of facial and vocal expressions in {N}orth {A}merican {E}nglish},
  journal = {PLoS ONE},
  volume  = {13},
  number  = {5},
  pages   = {e0196391},
  year    = {2018},
  doi     = {10.1371/journal.pone.0196391}
}""",
        layout=(
            "Actor_XX/03-01-EE-II-SS-RR-AA.wav (audio), "
            "or Video_Speech_Actor_XX/Actor_XX/01-01-EE-II-SS-RR-AA.mp4 (audio and video)"
        ),
        expected=_PUBLISHED["speech"],
    )

    channel: Literal["speech", "song", "all"] = option("speech", "spoken, sung, or both")
    modality: Literal["auto", "audio", "av", "video"] = option(
        "auto", "which of the three releases; auto: audio-video files if there are any, else audio"
    )

    @property
    def expected(self) -> Mapping[str, int]:
        """How many utterances and speakers were published in one modality."""
        return _PUBLISHED[self.channel]

    def read_index(self) -> Index:
        """Find the files and read their names."""
        root = self.require_root()
        named: dict[str, Path] = {}
        copies: list[str] = []
        strays: list[str] = []
        for path in _candidates(root):
            fields = _NAME.fullmatch(path.stem)
            if fields is None or path.suffix.lower() != _SUFFIXES[fields["modality"]]:
                strays.append(str(path.relative_to(root)))
            elif path.stem in named:
                copies.append(str(path.relative_to(root)))
            else:
                named[path.stem] = path
        if not named:
            raise self._wrong_layout(root, strays)
        utterances = [_utterance(stem, named[stem]) for stem in self._wanted(sorted(named))]
        return Index(
            tuple(utterances),
            (
                *note("warning", "do not follow the naming convention and are left out", strays),
                *note("warning", "are further copies of a file of that name and are left out", copies),
                *_misplaced(utterances),
            ),
        )

    def _wanted(self, stems: list[str]) -> list[str]:
        """Return the ids of the wanted vocal channel and release."""
        channels = _CHANNELS.values() if self.channel == "all" else (_CHANNELS[self.channel],)
        sung_or_spoken = [stem for stem in stems if stem[3:5] in channels]
        present = {stem[:2] for stem in sung_or_spoken}
        choices = _MODALITIES.values() if self.modality == "auto" else (_MODALITIES[self.modality],)
        release = next((code for code in choices if code in present), None)
        if release is None:
            raise MerbenchError(
                f"{self.root} holds nothing with channel={self.channel} and modality={self.modality}",
                fix=f"it holds {_inventory(stems)}",
            )
        return [stem for stem in sung_or_spoken if stem[:2] == release]

    def _wrong_layout(self, root: Path, strays: list[str]) -> MerbenchError:
        here = strays or sorted(path.name for path in root.iterdir()) if root.is_dir() else [root.name]
        return MerbenchError(
            f"{root} does not hold RAVDESS (found: {', '.join(here[:3]) or 'nothing'})",
            fix=f"expected {self.card.layout}; get it from {self.card.licence_url}",
        )


def _candidates(root: Path) -> Iterator[Path]:
    """Yield the files in actors' folders, those nearest to the root first."""
    for pattern in _FOLDERS:
        yield from sorted(p for p in root.glob(pattern) if p.is_file() and not p.name.startswith("."))


def _utterance(stem: str, path: Path) -> Utterance:
    _, channel, emotion, intensity, statement, repetition, actor = stem.split("-")
    has_sound, has_pictures = not stem.startswith("02"), not stem.startswith("03")
    return Utterance(
        id=stem,
        label=_EMOTIONS[int(emotion) - 1],
        split="test",
        speaker=f"Actor_{actor}",
        extra={
            "channel": "speech" if channel == "01" else "song",
            "gender": "male" if int(actor) % 2 else "female",
            "intensity": "normal" if intensity == "01" else "strong",
            "statement": int(statement),
            "repetition": int(repetition),
        },
        source=Source(
            audio=path if has_sound else None,
            video=path if has_pictures else None,
            text=_STATEMENTS[statement],
        ),
    )


def _misplaced(utterances: list[Utterance]) -> Iterator[Finding]:
    yield from note(
        "warning",
        "lie in another actor's folder; the name is believed",
        [u.id for u in utterances if u.source.files[0].parent.name != u.speaker],
    )


def _inventory(stems: list[str]) -> str:
    modalities = {code: name for name, code in _MODALITIES.items()}
    channels = {code: name for name, code in _CHANNELS.items()}
    counted = Counter((channels[stem[3:5]], modalities[stem[:2]]) for stem in stems)
    return ", ".join(f"{n} with channel={c} and modality={m}" for (c, m), n in sorted(counted.items()))
