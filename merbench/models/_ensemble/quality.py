"""How clean a modality is, judged by the input alone: 1 is clean, 0 is worthless.

Published rules with published constants. Levels of different modalities are not on one scale: `merbench
model fit` measures what clean input scores (and which letters follow which in it), and the router then
looks at how far below that an utterance is.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from merbench.types import Batch, Modality

# Octave bands of speech in Hz, and what each contributes to intelligibility: ANSI S3.5-1997, table 4. A
# band counts in full from +15 dB signal-to-noise ratio on, not at all below -15 dB, linearly in between.
_BANDS = {250: 0.0617, 500: 0.1671, 1000: 0.2373, 2000: 0.2648, 4000: 0.2142, 8000: 0.0549}
_USEFUL_DB = 15.0
_WINDOW_S, _HOP_S = 0.032, 0.016
_NOISE_PERCENTILE = 10  # speech pauses: what a band's quietest tenth of frames holds is taken for noise

_PICTURES = 4  # how many frames are looked at
_BLUR_WINDOW = 9  # pixels: Crété-Roffet et al. 2007, "The blur effect", SPIE 6492
_BLOCK = 8  # pixels: a block of one colour shows nothing

_VOWELS = "aeiouyàáâäæãåèéêëìíîïòóôöøùúûüœ"
_LETTERS = re.compile(r"[^\W\d_]+")
# Signs of garbage from optical character recognition, after Taghva et al. 2001 ("Automatic removal of
# garbage strings in OCR text") and Kulp and Kontostathis 2007 ("On retrieving legal files"): a word is too
# long, mostly punctuation, has one letter thrice, 4 vowels or 5 consonants in a row, or capitals inside.
_LONGEST_WORD = 20
_RUNS = re.compile(rf"(.)\1\1|[{_VOWELS}]{{4}}|[bcdfghjklmnpqrstvwxz]{{5}}")


def measure(modality: Modality, batch: Batch, known: frozenset[str] = frozenset()) -> npt.NDArray[np.float32]:
    """Return the quality [N] of one modality that every row has; `known` are trigrams (`spelling`)."""
    call: dict[Modality, Callable[[int], float]] = {
        "audio": lambda i: sound(_there(batch.audio[i]), batch.sample_rates[i] or 0),
        "vision": lambda i: sight(_there(batch.frames[i])),
        "text": lambda i: spelling(batch.text[i] or "", known),
    }
    return np.array([call[modality](i) for i in range(len(batch))], dtype=np.float32)


def sound(audio: npt.NDArray[np.int16], sample_rate: int) -> float:
    """Return how much of speech can be heard: band audibility by ANSI S3.5, times what is neither clipped
    nor lost.

    A band's noise is what its quietest frames hold, its signal what the mean has beyond that. So noise
    that comes and goes as speech does (one loud speaker, a bark) is taken for signal. Frames of digital
    silence between others are lost, and tell nothing of the noise.
    """
    window, hop = round(_WINDOW_S * sample_rate), round(_HOP_S * sample_rate)
    inside = audio[slice(*_ends(audio))]
    if len(inside) < 2 * window:
        return 0.0
    frames = np.lib.stride_tricks.sliding_window_view(inside.astype(np.float32), window)[::hop]
    sounding = frames.any(axis=1)
    lost, frames = 1 - float(sounding.mean()), frames[sounding]
    power = np.abs(np.fft.rfft(frames * np.hanning(window).astype(np.float32), axis=1)) ** 2
    hertz = np.fft.rfftfreq(window, 1 / sample_rate)
    heard = weight = 0.0
    for centre, importance in _BANDS.items():
        band = (hertz >= centre / 2**0.5) & (hertz < centre * 2**0.5)
        if centre * 2**0.5 > sample_rate / 2:
            continue  # the recording cannot hold this band
        energy = power[:, band].sum(axis=1)
        noise, mean = float(np.percentile(energy, _NOISE_PERCENTILE)), float(energy.mean())
        weight += importance
        if mean > noise:
            ratio = 10 * np.log10((mean - noise) / noise) if noise > 0 else np.inf
            heard += importance * float(np.clip((ratio + _USEFUL_DB) / (2 * _USEFUL_DB), 0, 1))
    loudness = np.abs(inside.astype(np.int32))
    clipped = float((loudness >= loudness.max() - 1).mean())
    return heard / weight * (1 - clipped) * (1 - lost) if weight else 0.0


def sight(clip: npt.NDArray[np.uint8]) -> float:
    """Return how much of the pictures can be seen: sharp, not noise, not of one colour, not frozen."""
    chosen = clip[np.linspace(0, len(clip) - 1, min(_PICTURES, len(clip))).round().astype(int)]
    grey = chosen.mean(axis=3, dtype=np.float32)
    frozen = sum(np.array_equal(a, b) for a, b in itertools.pairwise(clip)) / len(clip)
    views = [_sharpness(picture) * _signal_share(picture) * _textured(picture) for picture in grey]
    return float(np.mean(views)) * (1 - frozen)


def spelling(text: str, known: frozenset[str] = frozenset()) -> float:
    """Return the share of words that are not garbage by the letters alone; 0 where there is no word.

    The rules were made for optical character recognition, and a typo that looks like a word passes them.
    Where `known` trigrams are given, words with any other are garbage too.
    """
    words = text.split()
    fine = [_wellformed(word) and (not known or trigrams(word) <= known) for word in words]
    return sum(fine) / len(words) if words else 0.0


def trigrams(word: str) -> frozenset[str]:
    """Return which three letters follow each other in a word, its beginning and end included."""
    spelled = f"<{''.join(_LETTERS.findall(word)).casefold()}>"
    return frozenset(spelled[i : i + 3] for i in range(len(spelled) - 2))


def _sharpness(picture: npt.NDArray[np.float32]) -> float:
    """Return 1 minus the blur of Crété-Roffet et al.: what blurring once more takes away from the edges."""
    import cv2

    shares = []
    for axis in (0, 1):
        size = (1, _BLUR_WINDOW) if axis == 0 else (_BLUR_WINDOW, 1)
        edges = np.abs(np.diff(picture, axis=axis))
        again = np.abs(np.diff(cv2.blur(picture, size), axis=axis))
        total = float(edges.sum())
        shares.append(float(np.maximum(0, edges - again).sum()) / total if total else 0.0)
    return min(shares)


def _signal_share(picture: npt.NDArray[np.float32]) -> float:
    """Return the share of the variance that is not noise (Immerkær 1996, fast noise variance estimation)."""
    import cv2

    height, width = picture.shape
    variance = float(picture.var())
    if min(height, width) < 3 or variance == 0:
        return 0.0
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
    response = np.abs(cv2.filter2D(picture, -1, mask)[1:-1, 1:-1]).mean()
    sigma = float(response) * np.sqrt(np.pi / 2) / 6
    return float(np.clip(1 - sigma**2 / variance, 0, 1))


def _textured(picture: npt.NDArray[np.float32]) -> float:
    """Return the share of blocks that are not of one colour."""
    rows, columns = (n // _BLOCK * _BLOCK for n in picture.shape)
    if not rows or not columns:
        return 1.0
    blocks = picture[:rows, :columns].reshape(rows // _BLOCK, _BLOCK, columns // _BLOCK, _BLOCK)
    return float((np.ptp(blocks, axis=(1, 3)) >= 1).mean())


def _wellformed(word: str) -> bool:
    letters = "".join(_LETTERS.findall(word))
    inner = letters[1:-1]
    folded = letters.casefold()
    if len(word) > _LONGEST_WORD or 2 * sum(c.isalnum() for c in word) < len(word) or _RUNS.search(folded):
        return False
    return not (letters[:1].islower() and letters[-1:].islower() and inner != inner.casefold())


def _ends(audio: npt.NDArray[np.int16]) -> tuple[int, int]:
    """Return where the first sound begins and the last ends."""
    sounding = np.flatnonzero(audio)
    return (int(sounding[0]), int(sounding[-1]) + 1) if len(sounding) else (0, 0)


def _there(media: np.ndarray | None) -> np.ndarray:
    assert media is not None
    return media
