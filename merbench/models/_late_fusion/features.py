"""From canonical media to what the network reads; one row at a time, so that rows cannot mix."""

from __future__ import annotations

import re
import zlib
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from merbench.types import Modality

SAMPLE_RATE = 16_000
MELS = 64
_WINDOW, _HOP, _FFT = 400, 160, 512  # 25 ms every 10 ms
_LOWEST, _HIGHEST = 50.0, 7600.0
_RANGE = 7.0  # nepers of power below the clip's loudest band that are still told apart: 61 dB

PICTURES = 4
"""How many frames are looked at."""
SIDE = 56
"""Their side in pixels: a quarter of 224, so that shrinking is a plain average."""

BUCKETS = 2048
MAX_WORDS = 64
_GRAMS = (3, 4)
_WORD = re.compile(r"\w+(?:['\u2019-]\w+)*")


def log_mel(audio: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
    """Return log mel energies [T, MELS] of audio at `SAMPLE_RATE`, relative to the clip's own mean.

    A clip's level cancels; anything shorter than a window is padded with silence.
    """
    signal = np.pad(audio.astype(np.float32), (0, max(0, _WINDOW - len(audio)))) / np.float32(32768)
    frames = np.lib.stride_tricks.sliding_window_view(signal, _WINDOW)[::_HOP]
    spectrum = np.fft.rfft(frames * _hann(), _FFT)
    power = (spectrum.real**2 + spectrum.imag**2) @ _filters()
    log = np.log(power + np.float32(1e-9))
    log = np.maximum(log, log.max() - _RANGE * 2)
    relative: npt.NDArray[np.float32] = (log - log.mean()) / np.float32(4)
    return relative


def pictures(frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return `PICTURES` grey pictures [PICTURES, SIDE, SIDE] from frames [F, H, W, 3], each standardised."""
    import cv2

    count = len(frames)
    chosen = [(2 * k + 1) * count // (2 * PICTURES) for k in range(PICTURES)]
    small = [cv2.resize(frames[k], (SIDE, SIDE), interpolation=cv2.INTER_AREA) for k in chosen]
    grey = np.stack([cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in small]).astype(np.float32)
    mean, spread = grey.mean(axis=(1, 2), keepdims=True), grey.std(axis=(1, 2), keepdims=True)
    standard: npt.NDArray[np.float32] = (grey - mean) / (spread + np.float32(8))
    return standard


def words(text: str) -> list[tuple[int, ...]]:
    """Return the buckets of every word's character n-grams, in reading order; a lone 0 for an empty text.

    Words are spelled out as in fastText (Bojanowski et al. 2017), so that a typo changes a few n-grams
    and not the whole word, and no vocabulary is needed for other languages.
    """
    found = _WORD.findall(text.casefold())[:MAX_WORDS]
    return [_grams(word) for word in found] or [(0,)]


READERS: dict[Modality, Callable[[Any], Any]] = {"audio": log_mel, "vision": pictures, "text": words}
"""What turns one row of each modality into what its encoder reads."""


@lru_cache(maxsize=16_384)
def _grams(word: str) -> tuple[int, ...]:
    """Return the buckets 1..BUCKETS-1 of a word and of its n-grams."""
    spelled = f"<{word}>"
    grams = [spelled, *(spelled[i : i + n] for n in _GRAMS for i in range(len(spelled) - n + 1))]
    return tuple(1 + zlib.crc32(gram.encode()) % (BUCKETS - 1) for gram in grams)


@cache
def _hann() -> npt.NDArray[np.float32]:
    return np.hanning(_WINDOW + 1)[:-1].astype(np.float32)


@cache
def _filters() -> npt.NDArray[np.float32]:
    """Return triangular filters [FFT / 2 + 1, MELS], evenly spaced on the mel scale (O'Shaughnessy 1987)."""
    hertz = np.arange(_FFT // 2 + 1) * SAMPLE_RATE / _FFT
    edges = np.linspace(_mel(np.array(_LOWEST)), _mel(np.array(_HIGHEST)), MELS + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    mel = _mel(hertz)[:, None]
    triangles = np.minimum((mel - low) / (centre - low), (high - mel) / (high - centre))
    return np.maximum(triangles, 0).astype(np.float32)


def _mel(hertz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 2595.0 * np.log10(1.0 + hertz / 700.0)
