"""Noise banks: named clips in classes and folds, as PCM16 at whatever rate a recording has."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from merbench.errors import MerbenchError
from merbench.hashing import combine, hash_array, merkle_root
from merbench.media.resample import resample, to_pcm16

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    import numpy as np
    import numpy.typing as npt

    PCM16 = npt.NDArray[np.int16]

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
        self._cache: ByteBoundedCache[PCM16] = ByteBoundedCache(CACHE_BYTES)
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


class _Array(Protocol):
    @property
    def nbytes(self) -> int: ...


_A = TypeVar("_A", bound=_Array)


class ByteBoundedCache(Generic[_A]):
    """Least recently used arrays or tensors, at most `capacity` bytes of them. Thread-safe."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._held = 0
        self._arrays: OrderedDict[Hashable, _A] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], _A]) -> _A:
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
