"""The two inner loops, compiled: a vocal tract and a painter. Imports numba: import it lazily.

Both give the same bytes on any processor. The vocal tract computes with whole numbers; the painter with
IEEE float64 ``+ - * / sqrt``, one element at a time, which `merbench.compiled` neither reorders nor fuses.
"""

from __future__ import annotations

from math import ceil, floor, sqrt
from typing import TYPE_CHECKING

import numpy as np

from merbench.compiled import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

_BITS = 24  # of a resonator's coefficients after the point
_ONE, _HALF = 1 << _BITS, 1 << (_BITS - 1)
_CYCLE = 1 << 32
_NOWHERE = 1e9


@kernel
def vocal_tract(
    increment: npt.NDArray[np.int64],
    amplitude: npt.NDArray[np.int64],
    source: npt.NDArray[np.int64],
    resonators: npt.NDArray[np.int64],
    frication: npt.NDArray[np.int64],
    noise: npt.NDArray[np.int16],
) -> npt.NDArray[np.int64]:
    """Run a glottal source and noise through a cascade of resonators, in whole numbers.

    Args:
        increment: what the glottal phase gains per sample in each of N control frames, in 2^-32 cycles.
        amplitude: voicing, breath and hiss [N, 3], 0..1000, ramped linearly from frame to frame.
        source: open quotient (2^-10 of a cycle), coefficient of the tilting low-pass (2^-10) and
            jitter (2^-12 of a period) [N, 3].
        resonators: the two feedback coefficients of every formant [N, K, 2], in 2^-24.
        frication: the same for the resonance of a constriction [N, 2].
        noise: white noise [2, T]; the first row sounds, the second disturbs the periods.

    Returns:
        The sound pressure [T], T / N samples per frame, on a scale of its own.
    """
    frames, formants = resonators.shape[0], resonators.shape[1]
    step = noise.shape[1] // frames
    out = np.zeros(noise.shape[1], dtype=np.int64)
    y1, y2 = np.zeros(formants + 1, dtype=np.int64), np.zeros(formants + 1, dtype=np.int64)
    phase, stretch, tilted = 0, 1 << 12, 0
    for n in range(frames):
        following = min(n + 1, frames - 1)
        opening = source[n, 0] * (_CYCLE >> 10)
        for k in range(step):
            t = n * step + k
            voicing = amplitude[n, 0] * (step - k) + amplitude[following, 0] * k
            breath = amplitude[n, 1] * (step - k) + amplitude[following, 1] * k
            hiss = amplitude[n, 2] * (step - k) + amplitude[following, 2] * k
            phase += (increment[n] * stretch) >> 12
            if phase >= _CYCLE:
                phase -= _CYCLE
                stretch = (1 << 12) + ((source[n, 2] * noise[1, t]) >> 15)
            # Flow derivative of the polynomial pulse of Rosenberg (1971): tau (2 - 3 tau), tau in 2^-12.
            pulse = 0
            if phase < opening:
                tau = phase // (opening >> 12)
                pulse = (tau * (8192 - 3 * tau)) >> 12
            tilted += ((pulse - tilted) * source[n, 1]) >> 10
            # Breath flows mostly while the glottis is open (Klatt & Klatt 1990).
            x = tilted * voicing + (((noise[0, t] >> (3 if phase < opening else 4)) * breath) >> 1)
            for f in range(formants):
                x = _resonate(x, resonators[n, f], y1, y2, f)
            before = y1[formants]
            # A constriction radiates like a zero at 0 Hz: only what changes is heard.
            out[t] = x + _resonate((noise[0, t] * hiss) >> 5, frication[n], y1, y2, formants) - before
    return out


@kernel
def _resonate(
    x: int, feedback: npt.NDArray[np.int64], y1: npt.NDArray[np.int64], y2: npt.NDArray[np.int64], f: int
) -> int:
    """Return the next output of resonator `f`, two poles after `y1` and `y2`, gain 1 at 0 Hz."""
    b, c = feedback[0], feedback[1]
    y: int = ((_ONE - b - c) * x + b * y1[f] + c * y2[f] + _HALF) >> _BITS
    y2[f] = y1[f]
    y1[f] = y
    return y


@kernel
def paint(
    backdrop: npt.NDArray[np.uint8], shapes: npt.NDArray[np.float64], clips: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint8]:
    """Paint shapes in order over a copy of the backdrop [H, W, 3] for every frame; return [F, H, W, 3].

    A shape lies between an upper and a lower curve over ``u = (x - centre) / half_width`` in
    [-1, 1]: ``y = p0 + p1 u + p2 u^2 + p3 u^3 + p4 sqrt(1 - u^2)``. A row of `shapes` [F, S, 19] holds
    centre, half width, p0..p4 of the upper and of the lower curve, red, green, blue, opacity, the
    width of the blurred edge in pixels, and the relative change of brightness from the centre to u = 1
    and from the upper to the lower curve. `clips` [S] names another row whose curves also bound it, or
    is negative. Edges are smoothed by vertical coverage in four columns per pixel.
    """
    height, width, channels = backdrop.shape
    frames = np.empty((shapes.shape[0], height, width, channels), dtype=np.uint8)
    picture = np.empty_like(backdrop)  # small enough to stay in the processor's cache
    tops, bottoms = np.empty(4), np.empty(4)
    for frame in range(shapes.shape[0]):
        picture.ravel()[:] = backdrop.ravel()
        for s in range(shapes.shape[1]):
            row, clip = shapes[frame, s], shapes[frame, max(0, clips[s])]
            if row[1] <= 0.0 or row[15] <= 0.0:
                continue
            first = max(0, floor(row[0] - row[1]))
            last = min(width, ceil(row[0] + row[1]) + 1)
            for x in range(first, last):
                for q in range(4):
                    place = x + 0.125 + 0.25 * q
                    upper, lower = _curves(row, place)
                    if clips[s] >= 0 and upper < lower:
                        clip_upper, clip_lower = _curves(clip, place)
                        upper, lower = max(upper, clip_upper), min(lower, clip_lower)
                    tops[q], bottoms[q] = upper, lower
                _paint_column(picture, x, row, tops, bottoms)
        frames[frame].ravel()[:] = picture.ravel()
    return frames


@kernel
def _paint_column(
    picture: npt.NDArray[np.uint8],
    x: int,
    row: npt.NDArray[np.float64],
    tops: npt.NDArray[np.float64],
    bottoms: npt.NDArray[np.float64],
) -> None:
    """Paint one column of pixels of a shape that spans `tops` to `bottoms` in the column's quarters."""
    top, bottom, inner_top, inner_bottom = _NOWHERE, -_NOWHERE, -_NOWHERE, _NOWHERE
    for q in range(4):
        if tops[q] < bottoms[q]:
            top, bottom = min(top, tops[q]), max(bottom, bottoms[q])
        inner_top, inner_bottom = max(inner_top, tops[q]), min(inner_bottom, bottoms[q])
    if bottom <= top:
        return
    margin, sharpness, slope = 0.5 * row[16], 1.0 / row[16], row[18] / (bottom - top)
    light = 1.0 + row[17] * ((x + 0.5 - row[0]) / row[1]) - 0.5 * row[18]
    for y in range(max(0, floor(top - margin)), min(picture.shape[0], ceil(bottom + margin) + 1)):
        level = y + 0.5
        cover = 1.0
        if level - inner_top < margin or inner_bottom - level < margin:
            cover = 0.0
            for q in range(4):
                if tops[q] < bottoms[q]:
                    below_top = min(1.0, max(0.0, (level - tops[q]) * sharpness + 0.5))
                    above_bottom = min(1.0, max(0.0, (bottoms[q] - level) * sharpness + 0.5))
                    cover += 0.25 * max(0.0, below_top + above_bottom - 1.0)
        share = cover * row[15]
        if share <= 0.0:
            continue
        brightness = light + slope * (level - top)
        for c in range(3):
            shade = min(255.0, row[12 + c] * brightness)
            if share < 1.0:
                shade = picture[y, x, c] + share * (shade - picture[y, x, c])
            picture[y, x, c] = np.uint8(shade + 0.5)


@kernel
def _curves(row: npt.NDArray[np.float64], x: float) -> tuple[float, float]:
    """Return where the upper and the lower curve of a shape cross the vertical at `x`; none outside of it."""
    u = (x - row[0]) / row[1]
    if u < -1.0 or u > 1.0:
        return _NOWHERE, -_NOWHERE
    bow = sqrt(1.0 - u * u)
    upper = row[2] + u * (row[3] + u * (row[4] + u * row[5])) + row[6] * bow
    lower = row[7] + u * (row[8] + u * (row[9] + u * row[10])) + row[11] * bow
    return upper, lower
