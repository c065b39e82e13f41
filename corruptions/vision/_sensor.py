"""Sensor noise from one field of random numbers, in kernels. Importing this module imports numba.

Drawing millions of random numbers per clip would cost more than everything else. So there is one
field of `FIELD` of them, and every frame takes a stretch that begins at a place drawn for it: two
frames have different noise, and nobody sees that both come from the same four million values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from corruptions.vision._planned import Change
from merbench.compiled import kernel
from merbench.rng import Stream

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    import numpy.typing as npt
    import torch

    Frames = npt.NDArray[np.uint8]
    Places = npt.NDArray[np.int64]

FIELD = 1 << 22
"""Values in the field; a frame of 224 x 224 takes 150 528 of them."""

_UNIT = 256
"""Gaussian values are in 1/256 of a standard deviation."""

_STEPS = 4096
"""Equiprobable steps in which photons are counted."""


@cache
def _gaussian() -> npt.NDArray[np.int16]:
    """Standard Gaussian noise in units of 1/256, [FIELD]."""
    field = np.rint(Stream.of("sensor", "gaussian").normal(FIELD) * _UNIT).astype(np.int16)
    field.setflags(write=False)
    return field


@cache
def _uniform() -> npt.NDArray[np.uint16]:
    """Uniform steps in 0..4095, [FIELD]."""
    words = Stream.of("sensor", "uniform").words(FIELD // 4).astype("<u8").view("<u2")
    field = (words >> 4).astype(np.uint16)
    field.setflags(write=False)
    return field


def places(stream: str, frames: int) -> Places:
    """Return where in the field the noise of each of so many frames begins, [F] in 0..FIELD-1."""
    return Stream(stream).integers(frames, 0, FIELD)


def same_noise(deviation: int) -> npt.NDArray[np.int32]:
    """Return the `AddGaussian.levels` of noise that is the same for every level."""
    return np.stack([np.arange(256) * 256, np.full(256, deviation)], axis=1).astype(np.int32)


@dataclass(frozen=True)
class AddGaussian(Change):
    """Gaussian noise, rounded and limited to 0..255.

    `levels` [256, 2] says what every level becomes before noise and the noise's standard deviation, both in
    1/256 of a level.
    """

    places: Places
    levels: npt.NDArray[np.int32]

    def write(self, clip: Frames, out: Frames) -> None:
        """Add noise to a clip."""
        flat = (len(clip), -1)
        _add(clip.reshape(flat), self.places, *self._parts, _gaussian(), out.reshape(flat))

    @property
    def _parts(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Base and spread; half a level is in the base, to round."""
        return self.levels[:, 0] * _UNIT + 32768, self.levels[:, 1].copy()

    @classmethod
    def on_device(cls, changes: Sequence[Self], clips: torch.Tensor) -> torch.Tensor:
        """Add noise to clips: the severity's, which is the same for all, from places of their own."""
        from corruptions.vision._device import held, uploaded, with_noise

        begins = uploaded([change.places.astype(np.int32) for change in changes], clips)
        base, spread = (uploaded(part, clips) for part in changes[0]._parts)
        return with_noise(clips.flatten(2), begins, base, spread, held(_gaussian, clips.device)).view_as(
            clips
        )


@kernel
def _stretch(field: npt.NDArray[np.generic], place: int, out: npt.NDArray[np.generic]) -> None:
    """Fill `out` from a place in the field on; behind its end it begins again."""
    done = 0
    while done < len(out):
        first = (place + done) % len(field)
        size = min(len(out) - done, len(field) - first)
        out[done : done + size] = field[first : first + size]
        done += size


@kernel
def _add(
    clip: Frames,
    places: Places,
    base: npt.NDArray[np.int32],
    spread: npt.NDArray[np.int32],
    field: npt.NDArray[np.int16],
    out: Frames,
) -> None:
    noise = np.empty(clip.shape[1], dtype=np.int16)
    for f in range(len(clip)):
        _stretch(field, places[f], noise)
        frame, noisy = clip[f], out[f]
        for i in range(len(frame)):
            value = (base[frame[i]] + spread[frame[i]] * noise[i]) >> 16
            noisy[i] = min(max(value, 0), 255)


@dataclass(frozen=True)
class CountPhotons(Change):
    """What a sensor sees that counts so many photons on average for a white pixel (Poisson noise)."""

    places: Places
    photons: float

    def write(self, clip: Frames, out: Frames) -> None:
        """Count a clip's photons."""
        flat = (len(clip), -1)
        _look_up(clip.reshape(flat), self.places, _poisson(self.photons), _uniform(), out.reshape(flat))

    @classmethod
    def on_device(cls, changes: Sequence[Self], clips: torch.Tensor) -> torch.Tensor:
        """Count the photons of clips, each from places of its own."""
        from corruptions.vision._device import counted, held, uploaded

        begins = uploaded([change.places.astype(np.int32) for change in changes], clips)
        table = uploaded(_poisson(changes[0].photons), clips)
        return counted(clips.flatten(2), begins, table, held(_uniform, clips.device)).view_as(clips)


@cache
def _poisson(photons: float) -> npt.NDArray[np.uint8]:
    """Return the noisy level for every level and every step of a uniform number, [256, 4096].

    The number of photons is the smallest whose cumulative probability reaches the step's middle.
    """
    table = np.empty((256, _STEPS), dtype=np.uint8)
    middles = (np.arange(_STEPS) + 0.5) / _STEPS
    most = math.ceil(photons + 10 * math.sqrt(photons) + 10)
    for level in range(256):
        mean = level / 255 * photons
        terms = np.empty(most + 1)
        terms[0] = math.exp(-mean)
        for count in range(1, most + 1):
            terms[count] = terms[count - 1] * mean / count
        counts = np.searchsorted(np.cumsum(terms), middles)
        table[level] = np.minimum(np.rint(counts * (255 / photons)), 255)
    table.setflags(write=False)
    return table


@kernel
def _look_up(
    clip: Frames,
    places: Places,
    table: npt.NDArray[np.uint8],
    field: npt.NDArray[np.uint16],
    out: Frames,
) -> None:
    chance = np.empty(clip.shape[1], dtype=np.uint16)
    for f in range(len(clip)):
        _stretch(field, places[f], chance)
        frame, noisy = clip[f], out[f]
        for i in range(len(frame)):
            noisy[i] = table[frame[i], chance[i]]
