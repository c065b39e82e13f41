"""Noise banks of recordings, read from the folders in which they are distributed."""

from __future__ import annotations

import csv
from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from corruptions.audio._banks import Clip, NoiseBank
from merbench.errors import MerbenchError
from merbench.media.decode import read_audio
from merbench.media.resample import resample, to_pcm16
from merbench.rng import derive_key
from merbench.types import MediaSpec

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    PCM16 = npt.NDArray[np.int16]


class RecordedBank(NoiseBank):
    """Noise clips in files below one folder."""

    corruption: ClassVar[str]
    """The name of the corruption that plays it."""
    home: ClassVar[str]
    """The name of its folder below ``MERBENCH_DATA``."""
    licence_page: ClassVar[str]
    licence: ClassVar[str]
    layout: ClassVar[str]

    def __init__(self, root: Path | None) -> None:
        super().__init__()
        if root is None or not root.is_dir():
            where = "no noise root was given" if root is None else f"the noise root is not a folder: {root}"
            raise MerbenchError(f"{self.corruption} needs {self.name}, and {where}", fix=self._how_to_get_it)
        self.root = root

    @property
    @abstractmethod
    def listed(self) -> tuple[Clip, ...]:
        """Every clip that the bank has, here or not, sorted by id."""

    @abstractmethod
    def path(self, clip: Clip) -> Path:
        """Return where the file of a clip lies."""

    def load(self, clip_id: str, sample_rate: int | None) -> tuple[PCM16, int]:
        """Read the file, channels averaged."""
        path = self.path(self._by_id[clip_id])
        read = read_audio(path, MediaSpec(sample_rate=sample_rate))
        if not read.audio.any():
            raise MerbenchError(
                f"the noise file {path} is silent", fix="get it again, or leave it out of a copy of the bank"
            )
        return read.audio, read.sample_rate

    def _other_layout(self, missing: str = "") -> MerbenchError:
        lacks = f": {missing} is missing" if missing else ""
        return MerbenchError(
            f"{self.root} does not have the layout of {self.name}{lacks}", fix=self._how_to_get_it
        )

    @property
    def _how_to_get_it(self) -> str:
        return (
            f"get it from {self.licence_page} ({self.licence}) and pass --noise-root DIR, where DIR holds "
            f"{self.layout}, or have it as {self.home} in $MERBENCH_DATA; audio/environment needs no files"
        )

    @cached_property
    def _by_id(self) -> dict[str, Clip]:
        return {clip.id: clip for clip in self.listed}


class TabledBank(RecordedBank):
    """A bank whose table says which clip is of which class and fold."""

    table: ClassVar[str]
    file_column: ClassVar[str]
    class_columns: ClassVar[tuple[str, ...]]
    """The first of these that the table has."""

    @cached_property
    def clips(self) -> tuple[Clip, ...]:
        """Every clip that the table lists in a fold of which something is here, sorted by id."""
        folds = {clip.fold for clip in self.listed if self.path(clip) in self._here}
        return tuple(clip for clip in self.listed if clip.fold in folds)

    def select(self, noise_class: str | None, folds: tuple[int, ...]) -> tuple[Clip, ...]:
        """Return the chosen clips, all of which are on disk.

        Raises:
            MerbenchError: as for any bank, or a fold is incomplete.
        """
        chosen = super().select(noise_class, folds)
        missing = [path for clip in chosen if (path := self.path(clip)) not in self._here]
        if missing:
            raise MerbenchError(
                f"{len(missing)} of the {len(chosen)} noise files that {self.root / self.table} lists are "
                f"not there, {missing[0]} for one",
                fix="complete the download, or remove their rows from a copy of the table",
            )
        return chosen

    @cached_property
    def listed(self) -> tuple[Clip, ...]:
        """Every clip of the table, sorted by id."""
        path = self.root / self.table
        if not path.is_file():
            raise self._other_layout(self.table)
        if not (self.root / "audio").is_dir():
            raise self._other_layout("the folder audio")
        try:
            with path.open(newline="", encoding="utf-8") as handle:
                rows = csv.DictReader(handle)
                named = next((c for c in self.class_columns if c in (rows.fieldnames or ())), None)
                if named is None:
                    raise KeyError(self.class_columns[0])
                clips = [Clip(row[self.file_column], row[named], int(row["fold"])) for row in rows]
        except (KeyError, ValueError) as error:
            raise MerbenchError(
                f"{path} is not the table of {self.name} ({error})", fix=self._how_to_get_it
            ) from None
        return tuple(sorted(clips, key=lambda clip: clip.id))

    @cached_property
    def _here(self) -> frozenset[Path]:
        return frozenset((self.root / "audio").rglob("*.wav"))


class UrbanSound8KBank(TabledBank):
    """UrbanSound8K as it is distributed (Salamon, Jacoby, Bello: "A dataset and taxonomy for urban
    sound research", ACM Multimedia 2014): 8 732 clips of at most 4 s, 10 classes, 10 folds.
    """

    name = "UrbanSound8K"
    corruption = "audio/urban_noise"
    home = "urbansound8k"
    licence_page = "https://urbansounddataset.weebly.com/urbansound8k.html"
    licence = "CC BY-NC 3.0"
    layout = "metadata/UrbanSound8K.csv and audio/fold1 ... audio/fold10"
    table = "metadata/UrbanSound8K.csv"
    file_column = "slice_file_name"
    class_columns = ("class", "class_name")  # the second is that of the first release

    def path(self, clip: Clip) -> Path:
        """Return where the file of a clip lies."""
        return self.root / "audio" / f"fold{clip.fold}" / clip.id


class Esc50Bank(TabledBank):
    """ESC-50 as it is distributed (Piczak: "ESC: dataset for environmental sound classification", ACM
    Multimedia 2015): 2 000 clips of 5 s, 50 classes, 5 folds; takes of one recording share a fold.

    A sound shorter than 5 s is followed by digital silence there, which is left out here: it is no noise.
    """

    name = "ESC-50"
    corruption = "audio/esc50"
    home = "esc50"
    licence_page = "https://github.com/karolpiczak/ESC-50"
    licence = "CC BY-NC 3.0"
    layout = "meta/esc50.csv and audio/*.wav"
    table = "meta/esc50.csv"
    file_column = "filename"
    class_columns = ("category",)

    def path(self, clip: Clip) -> Path:
        """Return where the file of a clip lies."""
        return self.root / "audio" / clip.id

    def load(self, clip_id: str, sample_rate: int | None) -> tuple[PCM16, int]:
        """Read the file without the digital silence around the sound."""
        audio, rate = super().load(clip_id, None)
        sounding = np.flatnonzero(audio)
        audio = audio[sounding[0] : sounding[-1] + 1].copy()
        if sample_rate in (None, rate):
            return audio, rate
        converted, _ = to_pcm16(resample(audio, rate, sample_rate))
        return converted, sample_rate


class MusanBank(RecordedBank):
    """MUSAN as it is distributed (Snyder, Chen, Povey: "MUSAN: a music, speech, and noise corpus",
    arXiv:1510.08484): some 109 hours at 16 kHz, in whole recordings of seconds to many minutes.

    Its classes are its three folders; a part of them will do. It has no folds. Here every file has one of
    ten, by a hash of its name: which one does not depend on what else is there.
    """

    name = "MUSAN"
    corruption = "audio/musan"
    home = "musan"
    licence_page = "https://www.openslr.org/17"
    licence = "public domain and Creative Commons, as the LICENSE file of each of its folders says"
    layout = "music, noise and speech, with a folder of .wav files per source in each"
    classes = ("music", "noise", "speech")

    @cached_property
    def listed(self) -> tuple[Clip, ...]:
        """Every recording that is here, named by its path, sorted."""
        files = (path for kind in self.classes for path in self.root.glob(f"{kind}/*/*.wav"))
        names = [path.relative_to(self.root) for path in files]
        if not names:
            raise self._other_layout()
        clips = (Clip(name.as_posix(), name.parts[0], fold_of(name.stem)) for name in names)
        return tuple(sorted(clips, key=lambda clip: clip.id))

    @property
    def clips(self) -> tuple[Clip, ...]:
        """Every clip, sorted by id."""
        return self.listed

    def path(self, clip: Clip) -> Path:
        """Return where the file of a clip lies."""
        return self.root / clip.id


def fold_of(name: str) -> int:
    """Return the fold, 1 to 10, of the recording of that name in a bank that has none of its own."""
    return int(derive_key("fold", name), 16) % 10 + 1
