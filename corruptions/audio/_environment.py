"""Seven everyday sounds made from a stream of random words: no files, the same samples everywhere.

Everything is integer arithmetic, or float64 arithmetic on integers below 2^53, so no processor, compiler
or library build can change a bit. What needs a sine or a window is a table rounded to a coarse grid,
where the last digit of a maths library is lost.

The sounds are sketches with the properties that matter to a listener of speech: where their energy lies,
whether it is tonal, and how it comes and goes. The figures in each docstring are what the tests measure.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from merbench.media.resample import resample
from merbench.rng import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy.typing as npt

    Signal = npt.NDArray[np.int64]

SAMPLE_RATE = 32_000
SECONDS = 8

_LENGTH = SAMPLE_RATE * SECONDS
_UNIT = 14  # weights, envelopes and filter taps are in units of 2^-14
_PEAK = 29_491  # 90 % of full scale


def synthesize(sound: str, fold: int, take: int) -> npt.NDArray[np.int16]:
    """Return one take of `sound` as PCM16 [SECONDS * SAMPLE_RATE], its peak at 90 % of full scale."""
    signal = SOUNDS[sound](Stream.of("merbench/environment@1", sound, str(fold), str(take)))
    return np.asarray(signal * _PEAK // np.abs(signal).max(), dtype=np.int16)


def rain(rng: Stream) -> Signal:
    """A broadband hiss above 1 kHz with 200 to 800 drops a second on top."""
    hiss = _white(rng)
    hiss -= _filtered(hiss, _low_pass(1_000))
    drops = np.zeros(_LENGTH, dtype=np.int64)
    count = rng.one_integer(200, 800) * SECONDS
    np.add.at(drops, rng.integers(count, 0, _LENGTH), rng.integers(count, -(1 << 16), 1 << 16))
    ring = 96  # 3 ms
    drop = _decay(ring) * _tone(np.full(ring, rng.one_integer(3_000, 6_000))) >> _UNIT
    return hiss + _filtered(drops, drop)


def wind(rng: Stream) -> Signal:
    """Noise below 250 Hz with a little hiss above it, in gusts of about a second."""
    gust = _glide(rng.integers(SECONDS + 2, 1 << 12, 1 << _UNIT))
    gust = gust * gust >> _UNIT
    rumble = np.rint(resample(_white(rng, _LENGTH // 64), SAMPLE_RATE // 64, SAMPLE_RATE)).astype(np.int64)
    whistle = _filtered(_white(rng), _low_pass(rng.one_integer(600, 1_200)))
    return (rumble * gust >> _UNIT) + (whistle * gust >> _UNIT + 2)


def engine(rng: Stream) -> Signal:
    """Sixteen harmonics of a firing rate of 30 to 80 Hz that wanders by a tenth, and their rattle."""
    idle = rng.one_integer(33_000, 73_000)
    rate = _glide(rng.integers(2 * SECONDS, idle * 19 // 20, idle * 21 // 20))  # mHz
    weights = rng.integers(16, 1 << 12, 1 << _UNIT)
    hum = _total(int(w) * _tone(rate * k, unit=1_000) // (k << _UNIT) for k, w in enumerate(weights, 1))
    firing = (1 << _UNIT) + _tone(rate, unit=1_000)
    rattle = _filtered(_white(rng), _low_pass(1_500)) * firing >> _UNIT + 3
    return hum + rattle


def siren(rng: Stream) -> Signal:
    """One tone with three overtones that sweeps an octave: a wail of 4 s or a yelp of a third of one."""
    low = rng.one_integer(500, 700)
    sweeps = rng.choice((4, 48))
    pitch = _glide(np.resize(np.array([low, 2 * low + 200]), sweeps + 1))
    return _total(_tone(pitch * k) // k**2 for k in (1, 2, 3, 4))


def footsteps(rng: Stream) -> Signal:
    """About two steps a second, heel before toe: a thump and a scuff each, over a faint room."""
    scuff = _filtered(_white(rng), _low_pass(3_000))
    track = _white(rng) >> 8
    stride = rng.one_integer(14_000, 20_000)
    thump = rng.one_integer(80, 160)
    for step in range(stride // 2, _LENGTH - stride, stride):
        heel = step + rng.one_integer(-stride // 16, stride // 16)
        toe = heel + rng.one_integer(2_400, 4_000)
        for start, force in ((heel, 8), (toe, 3)):
            body, brush = start + np.arange(2_400), start + np.arange(1_200)
            track[body] += force * (_decay(2_400) * _tone(np.full(2_400, thump)) >> _UNIT + 2)
            track[brush] += force * (_decay(1_200) * scuff[brush] >> _UNIT + 2)
    return track


def crowd_murmur(rng: Stream) -> Signal:
    """Sixteen voices of three to six syllables a second each, between 250 and 3 400 Hz."""
    formants = ((300, 2_300), (450, 1_900), (700, 1_200), (550, 900), (350, 700))  # i, e, a, o, u in Hz
    vowels = np.zeros((len(formants), _LENGTH), dtype=np.int64)
    for _ in range(16):
        syllables = rng.one_integer(25, 45)
        pitch = rng.one_integer(90, 240)
        contour = _glide(rng.integers(syllables, pitch * 850, pitch * 1_150))  # mHz
        phase = _phase(contour, unit=1_000)
        glottis = np.flatnonzero(np.diff(phase >> 32))  # one pulse per period
        openness = rng.integers(2 * syllables + 1, 0, 1 << _UNIT)
        openness[::2] = 0  # between two syllables the mouth closes
        loudness = _glide(openness)[glottis]
        vowel = rng.integers(syllables, 0, len(formants))[glottis * syllables // _LENGTH]
        np.add.at(vowels, (vowel, glottis), loudness)
    voices = _total(
        _filtered(pulses, _band_pass(first - 100, first + 100) + _band_pass(second - 150, second + 150) // 2)
        for pulses, (first, second) in zip(vowels, formants, strict=True)
    )
    return _filtered(voices, _band_pass(250, 3_400))


def alarm(rng: Stream) -> Signal:
    """Two alternating tones a third to a fifth apart around 1 kHz, with the odd overtones of a buzzer."""
    low = rng.one_integer(700, 1_000)
    high = low * rng.one_integer(125, 150) // 100
    beep = rng.one_integer(SAMPLE_RATE // 5, SAMPLE_RATE // 2)
    second = np.arange(_LENGTH) // beep % 2 == 1
    pitch = np.where(second, high, low)
    return _total(_tone(pitch * k) // k for k in (1, 3, 5))


SOUNDS: dict[str, Callable[[Stream], Signal]] = {
    sound.__name__: sound for sound in (alarm, crowd_murmur, engine, footsteps, rain, siren, wind)
}


def _total(layers: Iterable[Signal]) -> Signal:
    return np.asarray(np.sum(list(layers), axis=0, dtype=np.int64))


def _white(rng: Stream, length: int = _LENGTH) -> Signal:
    """Uniform 16-bit noise."""
    return rng.words(-(-length // 4)).astype("<u8").view("<i2")[:length].astype(np.int64)


def _glide(knots: Signal) -> Signal:
    """Straight lines through equally spaced points, over the whole take."""
    left, along = np.divmod(np.arange(_LENGTH) * (len(knots) - 1), _LENGTH)
    return np.asarray((knots[left] * (_LENGTH - along) + knots[left + 1] * along) // _LENGTH)


def _phase(frequency: Signal, unit: int = 1) -> Signal:
    """Running phase in units of 2^-32 turns; `frequency` is in 1/unit Hz."""
    return np.cumsum((frequency << 32) // (SAMPLE_RATE * unit), dtype=np.int64)


def _tone(frequency: Signal, unit: int = 1) -> Signal:
    """A sine of this momentary frequency, amplitude 2^14."""
    return _sine()[np.asarray(_phase(frequency, unit) >> 20 & 4095)]


def _decay(length: int) -> Signal:
    """From 1 to 0 as the cube of a straight line, in units of 2^-14."""
    left = np.arange(length, 0, -1, dtype=np.int64)
    return np.asarray((left**3 << _UNIT) // length**3)


def _filtered(signal: Signal, taps: Signal) -> Signal:
    """FIR filter without delay. Exact: at most 2^9 products below 2^44 stay under 2^53."""
    exact = np.convolve(signal.astype(np.float64), taps.astype(np.float64), "same")
    return np.asarray(exact.astype(np.int64) >> _UNIT)


@cache
def _sine() -> Signal:
    return _on_grid(np.sin(2 * np.pi * np.arange(4096) / 4096))


@cache
def _low_pass(cutoff: int) -> Signal:
    """A Hamming-windowed sinc of 257 taps; `cutoff` in Hz."""
    n = np.arange(-128, 129)
    edge = 2 * cutoff / SAMPLE_RATE
    return _on_grid(edge * np.sinc(edge * n) * np.hamming(257))


def _band_pass(low: int, high: int) -> Signal:
    return _low_pass(high) - _low_pass(low)


def _on_grid(table: npt.NDArray[np.float64]) -> Signal:
    """Round to units of 2^-14: what the last digit of a maths library says no longer matters."""
    return np.asarray(np.rint(table * (1 << _UNIT)), dtype=np.int64)
