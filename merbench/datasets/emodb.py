"""EmoDB: ten actors speak ten German sentences in seven emotions, in an anechoic chamber.

The file name is the annotation: ``03a01Fa`` is speaker 03, sentence a01, the emotion's first letter in
German (Freude), and the version. The published 535 are those that at least 80 % of the listeners
recognised and 60 % found natural. There are no splits: everything is ``test``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from merbench.datasets._base import Card
from merbench.datasets._files import FileDataset, Index, Source, note
from merbench.errors import MerbenchError
from merbench.types import Utterance

if TYPE_CHECKING:
    from pathlib import Path

_EMOTIONS = {
    "W": "anger",  # Wut
    "L": "boredom",  # Langeweile
    "E": "disgust",  # Ekel
    "A": "fear",  # Angst
    "F": "happiness",  # Freude
    "N": "neutral",
    "T": "sadness",  # Trauer
}
_SPEAKERS = {
    "03": ("male", 31),
    "08": ("female", 34),
    "09": ("female", 21),
    "10": ("male", 32),
    "11": ("male", 26),
    "12": ("male", 30),
    "13": ("female", 32),
    "14": ("female", 35),
    "15": ("male", 25),
    "16": ("female", 31),
}
_SENTENCES = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}
_NAME = re.compile(
    rf"({'|'.join(_SPEAKERS)})({'|'.join(_SENTENCES)})([{''.join(_EMOTIONS)}])([a-z]?)", re.ASCII
)


@dataclass(frozen=True)
class EmoDb(FileDataset):
    """The Berlin Database of Emotional Speech."""

    card = Card(
        title="EmoDB",
        labels=tuple(_EMOTIONS.values()),
        modalities=("audio", "text"),
        text_informative=False,
        licence="CC0 1.0",
        licence_url="https://github.com/audeering/emodb",
        restricted=False,
        bibtex="""@inproceedings{burkhardt2005emodb,
  author    = {Burkhardt, Felix and Paeschke, Astrid and Rolfes, Miriam and Sendlmeier, Walter F. and
               Weiss, Benjamin},
  title     = {A Database of {German} Emotional Speech},
  booktitle = {Proceedings of {INTERSPEECH}},
  pages     = {1517--1520},
  year      = {2005},
  doi       = {10.21437/Interspeech.2005-446}
}""",
        layout="wav/03a01Fa.wav, or the WAV files themselves",
        expected={"utterances": 535, "speakers": 10},
    )

    def read_index(self) -> Index:
        """Find the files and read their names."""
        root = self.require_root()
        folder = root / "wav" if (root / "wav").is_dir() else root
        files = sorted(path for path in folder.glob("*.wav") if not path.name.startswith("."))
        named = [(match, path) for path in files if (match := _NAME.fullmatch(path.stem))]
        if not named:
            here = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else [folder.name]
            raise MerbenchError(
                f"{folder} does not hold EmoDB (found: {', '.join(here[:3]) or 'nothing'})",
                fix=f"expected {self.card.layout}; get it from {self.card.licence_url}",
            )
        strays = [path.name for path in files if not _NAME.fullmatch(path.stem)]
        return Index(
            tuple(_utterance(match, path) for match, path in named),
            tuple(note("warning", "do not follow the naming convention and are left out", strays)),
        )


def _utterance(name: re.Match[str], path: Path) -> Utterance:
    speaker, sentence, emotion, version = name.groups()
    gender, age = _SPEAKERS[speaker]
    return Utterance(
        id=path.stem,
        label=_EMOTIONS[emotion],
        split="test",
        speaker=speaker,
        extra={"gender": gender, "age": age, "sentence": sentence, "version": version},
        source=Source(audio=path, text=_SENTENCES[sentence]),
    )
