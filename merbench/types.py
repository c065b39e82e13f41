"""The nouns that every other module speaks in.

Media are *canonical*: what a suite fixes in its `MediaSpec`, and nothing else, decides the arrays.

========== ============================ ===================================================
media      array                        unit and range
========== ============================ ===================================================
audio      int16 [T]                    PCM16, mono, at `Sample.sample_rate` Hz
frames     uint8 [F, H, W, 3]           RGB, 0..255
timestamps float64 [F]                  seconds from the start of the clip
text       str                          Unicode NFC
========== ============================ ===================================================

A missing modality is ``None``; there are never silent zeros.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from merbench.hashing import hash_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt

Modality = Literal["audio", "vision", "text"]
MODALITIES: tuple[Modality, ...] = ("audio", "vision", "text")

JSON = None | bool | int | float | str | list[Any] | dict[str, Any]
Options = dict[str, JSON]
Params = dict[str, Any]
Achieved = dict[str, Any]

SEVERITIES = (1, 2, 3, 4, 5)
CLEAN = "clean"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaSpec:
    """What a suite's canonical media are.

    `sample_rate` is in Hz and `frame_size` is the side of the square frame in pixels; ``None``
    keeps the file's own. `frames` frames are taken at evenly spaced times, the first always
    included. Channels are averaged to mono.
    """

    sample_rate: int | None = 16_000
    frames: int = 16
    frame_size: int | None = 224

    def to_json(self) -> dict[str, JSON]:
        """Return the spec as it enters a recipe."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One row of a dataset's index: everything known before any media is decoded.

    `id` is unique within the dataset. `extra` holds further facts (gender, intensity, session ...)
    as plain JSON values. `targets` are the numbers that the dataset's task asks for beside the label, in its
    order (`merbench.targets.Task`); empty where it asks for none. `source` is the reader's own handle on
    the media and never leaves it.
    """

    id: str
    label: str
    split: str
    speaker: str | None = None
    dialogue: str | None = None
    extra: Mapping[str, JSON] = field(default_factory=dict)
    targets: tuple[float, ...] = ()
    source: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Face:
    """Where the face is in a clip: one box for all of its frames, and who says so.

    `box` is (left, top, right, bottom) in 1/1024 of the frame's width and height.
    """

    box: tuple[int, int, int, int]
    source: Literal["dataset", "detector", "centred"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One utterance with its canonical media (shapes and units in the module docstring)."""

    utterance: Utterance
    audio: npt.NDArray[np.int16] | None = None
    sample_rate: int | None = None
    frames: npt.NDArray[np.uint8] | None = None
    timestamps: npt.NDArray[np.float64] | None = None
    text: str | None = None
    clipped: int = 0
    """How many audio samples were at full scale or beyond when they were decoded."""
    face: Face | None = None
    """Where the face is in the frames, if the suite looked for it."""

    @property
    def id(self) -> str:
        """The utterance's id."""
        return self.utterance.id

    def has(self, modality: Modality) -> bool:
        """Tell whether this modality is present."""
        value = {"audio": self.audio, "vision": self.frames, "text": self.text}[modality]
        return value is not None


@dataclass(frozen=True, eq=False)
class Packed:
    """Arrays of different lengths, end to end in one flat buffer: nothing is padded.

    ``values[offsets[i]:offsets[i + 1]]`` reshaped to ``shapes[i]`` is row `i`; a shape of ``None``
    means that the row is absent, whatever the buffer still holds there.
    """

    values: np.ndarray
    offsets: npt.NDArray[np.int64]
    shapes: tuple[tuple[int, ...] | None, ...]

    @classmethod
    def of(cls, rows: Sequence[np.ndarray | None], dtype: npt.DTypeLike) -> Packed:
        """Copy `rows` into one new buffer; ``None`` makes an absent row."""
        sizes = [0 if row is None else row.size for row in rows]
        offsets = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum(sizes, out=offsets[1:])
        values = np.empty(int(offsets[-1]), dtype=dtype)
        for i, row in enumerate(rows):
            if row is not None:
                values[offsets[i] : offsets[i + 1]] = row.reshape(-1)
        return cls(values, offsets, tuple(None if row is None else row.shape for row in rows))

    def __len__(self) -> int:
        return len(self.shapes)

    def __getitem__(self, i: int) -> np.ndarray | None:
        """Return row `i` as a view, or ``None`` when it is absent."""
        shape = self.shapes[i]
        return None if shape is None else self.values[self.offsets[i] : self.offsets[i + 1]].reshape(shape)

    def __iter__(self) -> Iterator[np.ndarray | None]:
        return (self[i] for i in range(len(self)))

    @cached_property
    def present(self) -> npt.NDArray[np.bool_]:
        """Which rows are there, bool [N]."""
        return np.array([shape is not None for shape in self.shapes], dtype=bool)

    def with_values(self, values: np.ndarray) -> Packed:
        """Return the same rows over another buffer of the same size."""
        return Packed(values, self.offsets, self.shapes)

    def hide(self, rows: npt.NDArray[np.bool_]) -> Packed:
        """Return the same buffer with the marked rows absent; no media is copied."""
        shapes = tuple(None if gone else shape for gone, shape in zip(rows, self.shapes, strict=True))
        return Packed(self.values, self.offsets, shapes)

    def take(self, rows: npt.NDArray[np.int64] | Sequence[int]) -> Packed:
        """Return a new buffer with these rows only, in this order."""
        return Packed.of([self[int(i)] for i in rows], self.values.dtype)


@dataclass(frozen=True, eq=False)
class Batch:
    """What corruptions change and what models see: media only.

    No id, path, label, speaker or parameter is in here (RAVDESS ids contain the label).
    """

    audio: Packed
    sample_rates: tuple[int | None, ...]
    frames: Packed
    timestamps: tuple[npt.NDArray[np.float64] | None, ...]
    text: tuple[str | None, ...]

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Batch:
        """Pack samples into a batch."""
        return cls(
            audio=Packed.of([s.audio for s in samples], np.int16),
            sample_rates=tuple(s.sample_rate for s in samples),
            frames=Packed.of([s.frames for s in samples], np.uint8),
            timestamps=tuple(s.timestamps for s in samples),
            text=tuple(s.text for s in samples),
        )

    def __len__(self) -> int:
        return len(self.text)

    def present(self, modality: Modality) -> npt.NDArray[np.bool_]:
        """Which rows have this modality, bool [N]."""
        if modality == "audio":
            return self.audio.present
        if modality == "vision":
            return self.frames.present
        return np.array([text is not None for text in self.text], dtype=bool)

    def shares(self, other: Batch, modality: Modality) -> bool:
        """Tell whether what this batch has of a modality is the other's, buffer and rates or times alike."""
        if modality == "audio":
            rates = zip(self.sample_rates, other.sample_rates, strict=True)
            return self.audio.values is other.audio.values and all(a in (None, b) for a, b in rates)
        if modality == "vision":
            times = zip(self.timestamps, other.timestamps, strict=True)
            return self.frames.values is other.frames.values and all(a is None or a is b for a, b in times)
        return self.text is other.text

    def replace(self, **media: Any) -> Batch:
        """Return this batch with some of its media exchanged."""
        return dataclasses.replace(self, **media)

    def take(self, rows: npt.NDArray[np.int64] | Sequence[int]) -> Batch:
        """Return a new batch of these rows only, in this order."""
        return Batch(
            audio=self.audio.take(rows),
            sample_rates=tuple(self.sample_rates[int(i)] for i in rows),
            frames=self.frames.take(rows),
            timestamps=tuple(self.timestamps[int(i)] for i in rows),
            text=tuple(self.text[int(i)] for i in rows),
        )

    def only(self, *modalities: Modality) -> Batch:
        """Return this batch with every other modality absent, its buffers included."""
        empty = Packed.of([None] * len(self), np.uint8)
        return Batch(
            audio=self.audio if "audio" in modalities else empty,
            sample_rates=self.sample_rates if "audio" in modalities else (None,) * len(self),
            frames=self.frames if "vision" in modalities else empty,
            timestamps=self.timestamps if "vision" in modalities else (None,) * len(self),
            text=self.text if "text" in modalities else (None,) * len(self),
        )


@dataclass(frozen=True, slots=True)
class Pool:
    """The frozen full split that a draw may choose partners from, whatever ``--limit`` says."""

    utterances: tuple[Utterance, ...]
    load: Callable[[Utterance], Sample]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One condition of a suite: a corruption at one severity, with one seed and replicate.

    `options` are canonical: all of them, defaults included, without resources such as folders.
    """

    corruption: str
    version: int
    severity: int
    options: Mapping[str, JSON] = field(default_factory=dict)
    seed: int = 0
    replicate: int = 0

    def __hash__(self) -> int:
        return hash(self.cell_id)

    @classmethod
    def clean(cls) -> Cell:
        """Return the cell in which nothing is corrupted."""
        return cls(corruption=CLEAN, version=1, severity=0)

    @property
    def is_clean(self) -> bool:
        """Whether this is the clean cell."""
        return self.corruption == CLEAN

    @property
    def family(self) -> str:
        """The corruption's family, e.g. ``audio`` of ``audio/urban_noise``."""
        return self.corruption.partition("/")[0]

    @cached_property
    def cell_id(self) -> str:
        """A name for files and tables, e.g. ``audio-urban_noise-s3-1f0c9a2b``."""
        if self.is_clean:
            return CLEAN
        return f"{self.corruption.replace('/', '-')}-s{self.severity}-{hash_json(self.to_json())[:8]}"

    def to_json(self) -> dict[str, JSON]:
        """Return the cell as it enters a recipe."""
        return {
            "corruption": self.corruption,
            "version": self.version,
            "severity": self.severity,
            "options": dict(self.options),
            "seed": self.seed,
            "replicate": self.replicate,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Cell:
        """Read a cell back from a recipe."""
        return cls(**value)
