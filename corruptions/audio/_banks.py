"""Noise banks: named clips in classes and folds, as PCM16 at whatever rate a recording has."""

from __future__ import annotations

import csv
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from merbench.errors import MerbenchError
from merbench.hashing import combine, hash_array, merkle_root
from merbench.media.decode import read_audio
from merbench.media.resample import resample, to_pcm16
from merbench.types import MediaSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    PCM16 = npt.NDArray[np.int16]

_HOW_TO_GET_IT = (
    "get it from https://urbansounddataset.weebly.com/urbansound8k.html (CC BY-NC 3.0) and pass "
    "--noise-root DIR, where DIR holds metadata/UrbanSound8K.csv and audio/fold1 ... audio/fold10; "
    "audio/environment needs no files"
)

CACHE_BYTES = 512 << 20
"""Resampled noise held in memory per bank; fold 10 of UrbanSound8K takes 107 MB at 16 kHz."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One noise recording; `id` is unique within its bank."""

    id: str
    noise_class: str
    fold: int


class NoiseBank(ABC):
    """Noise clips, decoded and resampled once each and kept in bounded memory. Thread-safe."""

    name: str

    def __init__(self) -> None:
        self._cache = _ByteBoundedCache(CACHE_BYTES)
        self._hashes: dict[str, str] = {}

    @property
    @abstractmethod
    def clips(self) -> tuple[Clip, ...]:
        """Every clip, sorted by id."""

    @abstractmethod
    def load(self, clip_id: str, sample_rate: int | None) -> tuple[PCM16, int]:
        """Return a clip as mono PCM16 [T], and its rate: `sample_rate` Hz, or (``None``) its own.

        Raises:
            MerbenchError: its file is broken or silent.
        """

    def audio(self, clip_id: str, sample_rate: int) -> PCM16:
        """Return a clip as read-only PCM16 [T] at `sample_rate` Hz, from memory if it is there."""

        def make() -> PCM16:
            audio, _ = self.load(clip_id, sample_rate)
            audio.setflags(write=False)
            return audio

        return self._cache.get((clip_id, sample_rate), make)

    def select(self, noise_class: str | None, folds: tuple[int, ...]) -> tuple[Clip, ...]:
        """Return the clips of these folds, of one class or (``None``) of all.

        Raises:
            MerbenchError: a fold has no files, or there is no such class in these folds.
        """
        present = sorted({clip.fold for clip in self.clips})
        for fold in folds:
            if fold not in present:
                raise MerbenchError(
                    f"{self.name} has no files in fold {fold}",
                    fix=f"folds present: {', '.join(map(str, present)) or 'none'} (--noise-folds)",
                )
        in_folds = [clip for clip in self.clips if clip.fold in folds]
        chosen = tuple(clip for clip in in_folds if noise_class in (None, clip.noise_class))
        if not chosen:
            classes = ", ".join(sorted({clip.noise_class for clip in in_folds}))
            raise MerbenchError(
                f"{self.name} has no class '{noise_class}' in fold {'+'.join(map(str, folds))}",
                fix=f"classes there: {classes}",
            )
        return chosen

    def content_hash(self, clips: tuple[Clip, ...]) -> str:
        """Return one hash over the decoded content of these clips; each is read once per process."""
        for clip in clips:
            if clip.id not in self._hashes:
                audio, rate = self.load(clip.id, None)
                self._hashes[clip.id] = combine([hash_array(audio), str(rate)])
        return merkle_root({clip.id: self._hashes[clip.id] for clip in clips})


class EnvironmentBank(NoiseBank):
    """Synthesized everyday sounds: seven classes, ten folds, three takes per class and fold."""

    name = "the synthesized bank"

    @cached_property
    def clips(self) -> tuple[Clip, ...]:
        """Every clip, sorted by id (``rain-10-2`` is take 2 of fold 10)."""
        from corruptions.audio._environment import SOUNDS

        return tuple(
            sorted(
                (
                    Clip(f"{sound}-{fold}-{take}", sound, fold)
                    for sound in SOUNDS
                    for fold in range(1, 11)
                    for take in range(1, 4)
                ),
                key=lambda clip: clip.id,
            )
        )

    def load(self, clip_id: str, sample_rate: int | None) -> tuple[PCM16, int]:
        """Make the take."""
        from corruptions.audio._environment import SAMPLE_RATE, synthesize

        sound, fold, take = clip_id.rsplit("-", 2)
        rate = sample_rate or SAMPLE_RATE
        audio, _ = to_pcm16(resample(synthesize(sound, int(fold), int(take)), SAMPLE_RATE, rate))
        return audio, rate


class UrbanSound8KBank(NoiseBank):
    """UrbanSound8K as it is distributed (Salamon, Jacoby, Bello: "A dataset and taxonomy for urban
    sound research", ACM Multimedia 2014): 8 732 clips of at most 4 s, 10 classes, 10 folds.
    """

    name = "UrbanSound8K"

    def __init__(self, root: Path | None) -> None:
        super().__init__()
        if root is None or not root.is_dir():
            where = "no noise root was given" if root is None else f"the noise root is not a folder: {root}"
            raise MerbenchError(f"audio/urban_noise needs UrbanSound8K, and {where}", fix=_HOW_TO_GET_IT)
        self.root = root

    @cached_property
    def clips(self) -> tuple[Clip, ...]:
        """Every clip that the metadata lists in a fold of which something is here, sorted by id."""
        return tuple(clip for clip in self._listed if self._on_disk.get(clip.fold))

    def select(self, noise_class: str | None, folds: tuple[int, ...]) -> tuple[Clip, ...]:
        """Return the chosen clips, all of which are on disk.

        Raises:
            MerbenchError: as for any bank, or a fold is incomplete.
        """
        chosen = super().select(noise_class, folds)
        missing = [clip for clip in chosen if clip.id not in self._on_disk[clip.fold]]
        if missing:
            raise MerbenchError(
                f"{len(missing)} of the {len(chosen)} noise files that {self._table} lists are not there, "
                f"{self._path(missing[0])} for one",
                fix="complete the download, or remove their rows from a copy of the table",
            )
        return chosen

    def load(self, clip_id: str, sample_rate: int | None) -> tuple[PCM16, int]:
        """Read the file, channels averaged."""
        path = self._path(self._by_id[clip_id])
        read = read_audio(path, MediaSpec(sample_rate=sample_rate))
        if not read.audio.any():
            raise MerbenchError(
                f"the noise file {path} is silent",
                fix="get it again, or remove its row from a copy of the table",
            )
        return read.audio, read.sample_rate

    def _path(self, clip: Clip) -> Path:
        return self.root / "audio" / f"fold{clip.fold}" / clip.id

    @cached_property
    def _by_id(self) -> dict[str, Clip]:
        return {clip.id: clip for clip in self._listed}

    @property
    def _table(self) -> Path:
        return self.root / "metadata" / "UrbanSound8K.csv"

    @cached_property
    def _on_disk(self) -> dict[int, set[str]]:
        folds = {clip.fold for clip in self._listed}
        return {n: {path.name for path in (self.root / "audio" / f"fold{n}").glob("*.wav")} for n in folds}

    @cached_property
    def _listed(self) -> tuple[Clip, ...]:
        if not self._table.is_file() or not (self.root / "audio").is_dir():
            raise MerbenchError(f"{self.root} does not have the layout of UrbanSound8K", fix=_HOW_TO_GET_IT)
        try:
            with self._table.open(newline="", encoding="utf-8") as handle:
                clips = [
                    # The column is "class" today and was "class_name" in the first release.
                    Clip(row["slice_file_name"], row.get("class") or row["class_name"], int(row["fold"]))
                    for row in csv.DictReader(handle)
                ]
        except (KeyError, ValueError) as error:
            raise MerbenchError(
                f"{self._table} is not the table of UrbanSound8K ({error})", fix=_HOW_TO_GET_IT
            ) from None
        return tuple(sorted(clips, key=lambda clip: clip.id))


class _ByteBoundedCache:
    """Least recently used arrays, at most `capacity` bytes of them."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._held = 0
        self._arrays: OrderedDict[tuple[str, int], PCM16] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[str, int], make: Callable[[], PCM16]) -> PCM16:
        """Return the array of `key`, making it when it is not held."""
        with self._lock:
            if key in self._arrays:
                self._arrays.move_to_end(key)
                return self._arrays[key]
        array = make()  # outside the lock: two threads may make the same array, and it is the same
        with self._lock:
            if key not in self._arrays:
                self._arrays[key] = array
                self._held += array.nbytes
            while self._held > self._capacity and len(self._arrays) > 1:
                _, oldest = self._arrays.popitem(last=False)
                self._held -= oldest.nbytes
        return array
