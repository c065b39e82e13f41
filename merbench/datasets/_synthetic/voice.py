"""Voices: nonsense syllables from a formant synthesizer, with prosody that carries the cue.

A glottal pulse train and noise pass a cascade of resonators (Klatt, "Software for a cascade/parallel
formant synthesizer", JASA 1980). The syllables are drawn, never read from the text, so that the words
cannot leak through the sound, as in the pseudo-sentences of GEMEP (Baenziger et al. 2012). Everything
is whole numbers: formants in Hz, F0 in mHz, factors in thousandths; nothing depends on a processor.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import cos, exp, isqrt, pi
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from merbench.media.resample import to_pcm16

if TYPE_CHECKING:
    import numpy.typing as npt

    from merbench.datasets._synthetic.cues import Cue
    from merbench.rng import Stream

RATE = 16_000
"""Samples per second of the synthesis."""
FRAME = 80
"""Samples per control frame (5 ms)."""
FRAMES_PER_SECOND = RATE // FRAME

_DURATION = (2 * RATE, 4 * RATE)
_RMS = (400, 1500)  # -38 to -27 dBFS: leaves 27 dB for peaks
_LOUDNESS_TREMOR = 5  # a trembling voice wavers more in loudness than in pitch, in thousandths
_COEFFICIENT = 1 << 24
_PHASE = 1 << 32


class Phone(NamedTuple):
    """A stretch of constant targets: formants and constriction in Hz, amplitudes and jaw in 0..1000."""

    milliseconds: int
    f1: int
    f2: int
    f3: int
    voicing: int
    breath: int
    hiss: int
    constriction: int
    jaw: int


_FORMANTS, _AMPLITUDES, _CONSTRICTION, _JAW = slice(1, 4), slice(4, 7), 7, 8  # columns of an array of phones

# Formants: averages of the men of Peterson & Barney (1952).
_VOWELS = tuple(
    Phone(150, f1, f2, f3, 1000, 60, 0, 3500, jaw)
    for f1, f2, f3, jaw in (
        (270, 2290, 3010, 250),
        (390, 1990, 2550, 350),
        (530, 1840, 2480, 550),
        (660, 1720, 2410, 800),
        (730, 1090, 2440, 1000),
        (570, 840, 2410, 700),
        (440, 1020, 2240, 400),
        (300, 870, 2240, 300),
        (640, 1190, 2390, 750),
    )
)
# Onsets of a syllable: a closure, then what follows it (loci after Delattre et al. 1955; Klatt 1980).
_ONSETS: tuple[tuple[Phone, ...], ...] = (
    (Phone(90, 320, 1600, 2600, 0, 30, 200, 6200, 200),),  # s
    (Phone(85, 320, 1500, 2300, 0, 40, 560, 3300, 250),),  # sh
    (Phone(80, 340, 1100, 2100, 0, 60, 110, 5000, 150),),  # f
    (Phone(70, 280, 1500, 2550, 500, 30, 130, 6000, 200),),  # z
    (Phone(60, 260, 1100, 2200, 450, 30, 60, 4500, 150),),  # v
    (Phone(55, 300, 900, 2150, 0, 0, 0, 1500, 0), Phone(35, 400, 950, 2200, 0, 400, 200, 1200, 150)),  # p
    (Phone(50, 300, 1700, 2600, 0, 0, 0, 4500, 150), Phone(35, 400, 1700, 2600, 0, 400, 420, 4600, 250)),  # t
    (Phone(55, 300, 1900, 2300, 0, 0, 0, 2200, 150), Phone(40, 400, 1900, 2300, 0, 450, 420, 2200, 250)),  # k
    (Phone(50, 200, 900, 2150, 200, 0, 0, 1500, 0), Phone(10, 250, 950, 2200, 500, 0, 120, 1200, 150)),  # b
    (
        Phone(45, 200, 1700, 2600, 200, 0, 0, 4500, 150),
        Phone(10, 250, 1700, 2600, 500, 0, 140, 4400, 250),
    ),  # d
    (Phone(70, 250, 1050, 2200, 550, 0, 0, 3500, 0),),  # m
    (Phone(65, 260, 1500, 2500, 550, 0, 0, 3500, 150),),  # n
    (Phone(60, 340, 1150, 2700, 700, 0, 0, 3500, 250),),  # l
    (Phone(60, 290, 650, 2200, 650, 0, 0, 3500, 200),),  # w
    (Phone(55, 270, 2200, 2900, 650, 0, 0, 3500, 250),),  # j
)
_SILENCE = Phone(0, 500, 1500, 2500, 0, 0, 0, 3500, 0)


class Prosody(NamedTuple):
    """How a cue is spoken; thousandths of the speaker's own habit unless said otherwise.

    F0 level and range, syllable rate, breath and dynamics (loud against soft syllables) are factors.
    `rise` is the movement of F0 over the end of the utterance and `tremor` its slow wobble, in
    thousandths of F0; `brightness` moves the spectral tilt, `jitter` is in thousandths of a period.
    """

    level: int
    range: int
    rate: int
    breath: int
    dynamics: int
    formants: int
    rise: int
    tremor: int
    brightness: int
    jitter: int


_HABIT = Prosody(1000, 1000, 1000, 1000, 1000, 1000, -60, 0, 0, 6)
# Directions of effects: Banse & Scherer (1996), Juslin & Laukka (2003), Murray & Arnott (1993).
_PROSODY: dict[Cue, Prosody] = {
    ("neutral", "sad"): Prosody(900, 350, 800, 2200, 500, 980, -140, 0, -300, 6),
    ("happy", "angry"): Prosody(1300, 2200, 1200, 600, 2000, 1030, -60, 0, 380, 10),
    ("fear",): Prosody(1700, 300, 1350, 4000, 800, 1010, 40, 80, -220, 60),
    ("surprise",): Prosody(1150, 1000, 900, 1000, 1100, 1010, 900, 0, 60, 8),
}


@dataclass(frozen=True)
class Voice:
    """A speaker's habit: F0 in mHz, vocal-tract and rate factors in thousandths, source settings."""

    f0: int
    tract: int
    rate: int
    breath: int
    tilt: int
    opening: int
    f4: int
    f5: int
    room: int

    @classmethod
    def of(cls, rng: Stream, gender: str) -> Voice:
        """Draw a speaker."""
        low, tract = (95_000, 940) if gender == "male" else (175_000, 1090)
        return cls(
            f0=rng.one_integer(low, low * 135 // 100),
            tract=rng.one_integer(tract, tract + 110),
            rate=rng.one_integer(900, 1100),
            breath=rng.one_integer(600, 1400),
            tilt=rng.one_integer(480, 620),
            opening=rng.one_integer(520, 680),
            f4=rng.one_integer(3200, 3700),
            f5=rng.one_integer(4000, 4600),
            room=rng.one_integer(100, 300),
        )


@dataclass(frozen=True)
class Speech:
    """What is going to be said: `duration` in samples at `RATE`, and tracks at `FRAMES_PER_SECOND`.

    `phones` [N, 9] are the targets of a `Phone` per frame, `f0` [N] is in mHz.
    """

    duration: int
    phones: npt.NDArray[np.int64]
    f0: npt.NDArray[np.int64]
    prosody: Prosody

    @property
    def jaw(self) -> npt.NDArray[np.int64]:
        """How far the jaw drops for the sounds, 0..1000 per frame."""
        return _smooth(self.phones[:, _JAW], 7)


def plan(rng: Stream, voice: Voice, cue: Cue, strength: int) -> Speech:
    """Draw syllables and F0 for 2 to 4 seconds; the duration is drawn before and apart from all else."""
    duration = rng.one_integer(*_DURATION)
    full = _PROSODY[cue]
    prosody = Prosody(*(h + (f - h) * strength // 1000 for h, f in zip(_HABIT, full, strict=True)))
    script = _syllables(rng, voice, prosody, -(-duration // FRAME))
    phones, accents = script[:, :-1], script[:, -1]
    return Speech(duration, phones, _intonation(accents, voice, prosody), prosody)


def _syllables(rng: Stream, voice: Voice, prosody: Prosody, frames: int) -> npt.NDArray[np.int64]:
    """Draw silence, syllables in groups with pauses between them, and silence.

    Returns:
        The targets of a phone and the accent of its syllable in each frame [N, 9 + 1].
    """
    lead, tail = rng.integers(2, 12, 32).tolist()
    script = [(_SILENCE, lead, 0)]  # phone, its length in frames, accent in thousandths of F0
    spent, group = lead, rng.one_integer(4, 9)
    while spent < frames - tail:
        stressed = rng.one_integer(0, 100) < 40
        stretch = rng.one_integer(800, 1250) * (1150 if stressed else 950) // 1000
        loudness = 1000 if stressed else max(200, 1000 - 350 * prosody.dynamics // 1000)
        accent = rng.one_integer(80, 180) if stressed else rng.one_integer(-60, 20)
        for phone in (*rng.choice(_ONSETS), rng.choice(_VOWELS)):
            length = phone.milliseconds * stretch // 5 * 1000 // (voice.rate * prosody.rate)
            voiced = phone._replace(voicing=phone.voicing * loudness // 1000)
            script.append((voiced, max(2, length), accent))
            spent += script[-1][1]
        group -= 1
        if group == 0:
            group, pause = rng.one_integer(4, 9), rng.one_integer(12, 40)
            script.append((_SILENCE, pause, 0))
            spent += pause
    script.append((_SILENCE, frames, 0))
    targets = np.array([(*phone, accent) for phone, _, accent in script], dtype=np.int64)
    track = np.repeat(targets, [length for _, length, _ in script], axis=0)[:frames]
    track[frames - tail :, _AMPLITUDES] = 0
    return track


def _intonation(accents: npt.NDArray[np.int64], voice: Voice, prosody: Prosody) -> npt.NDArray[np.int64]:
    """Return F0 in mHz [N]: declination, accents, the final movement and tremor."""
    frames = len(accents)
    n = np.arange(frames, dtype=np.int64)
    declination = 60 - 120 * n // frames
    tail = frames * 2 // 5
    final = np.maximum(0, n - (frames - tail)) * prosody.rise // tail
    excursion = (declination + _smooth(accents, 15)) * prosody.range // 1000
    movement = 1000 + excursion + final + _tremor(frames, prosody)
    f0: npt.NDArray[np.int64] = voice.f0 * prosody.level // 1000 * movement // 1000
    return np.clip(f0, 60_000, 600_000)


def _tremor(frames: int, prosody: Prosody) -> npt.NDArray[np.int64]:
    """Return a triangle of 6 Hz [N] in thousandths; physiological tremor lies between 4 and 8 Hz."""
    period = FRAMES_PER_SECOND // 6
    triangle = np.abs(np.arange(frames, dtype=np.int64) % period * 4000 // period - 2000) - 1000
    return triangle * prosody.tremor // 1000


def render(rng: Stream, voice: Voice, speech: Speech) -> tuple[npt.NDArray[np.int16], int]:
    """Return PCM16 [T] at `RATE` and how many of its samples clip; the RMS is drawn apart from all else."""
    from merbench.datasets._synthetic.kernels import vocal_tract

    phones, prosody = speech.phones, speech.prosody
    frames = len(phones)
    level = rng.one_integer(*_RMS)
    noise = rng.words(frames * FRAME // 2).astype("<u8").view("<i2").reshape(2, -1)
    tract = voice.tract * prosody.formants // 1000
    formants = np.empty((frames, 5), dtype=np.int64)
    formants[:, :3] = _smooth(phones[:, _FORMANTS], 9) * tract // 1000
    formants[:, 3:] = np.array([voice.f4, voice.f5]) * tract // 1000
    bandwidths = np.array([70, 90, 130, 220, 300], dtype=np.int64)
    amplitude = _smooth(phones[:, _AMPLITUDES], 5)
    amplitude[:, 0] = amplitude[:, 0] * (1000 + _LOUDNESS_TREMOR * _tremor(frames, prosody)) // 1000
    amplitude[:, 1] = amplitude[:, 1] * voice.breath // 1000
    amplitude[:, 1] += amplitude[:, 0] * voice.breath // 1000 * prosody.breath // 1000 * 90 // 1000
    source = np.empty((frames, 3), dtype=np.int64)
    source[:, 0] = voice.opening - prosody.brightness // 4
    source[:, 1] = voice.tilt + prosody.brightness
    source[:, 2] = prosody.jitter * 4  # from thousandths to 2^-12
    pressure = vocal_tract(
        (speech.f0 * _PHASE) // (1000 * RATE),
        amplitude,
        source,
        _resonator(formants, bandwidths),
        _resonator(_smooth(phones[:, _CONSTRICTION], 3), np.array(600)),
        noise,
    )[: speech.duration]
    coarse = pressure >> 12  # so that the sum of squares stays below 2^63
    loudness = level / isqrt((int(coarse @ coarse) << 24) // len(coarse))
    room = level / voice.room / 18_918  # the RMS of 16-bit words, all equally likely
    return to_pcm16(pressure * loudness + noise[1, : speech.duration] * room)


def _resonator(frequency: npt.NDArray[np.int64], bandwidth: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the feedback coefficients [..., 2] of two-pole resonators, in 2^-24 (Klatt 1980, eq. 2)."""
    cosine, radius = _tables()
    r = np.broadcast_to(radius[bandwidth], frequency.shape)
    return np.stack([(2 * r * cosine[frequency]) >> 24, -((r * r) >> 24)], axis=-1)


@cache
def _tables() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return cos(2 pi f / RATE) and exp(-pi b / RATE) for every whole Hz, on a grid of 2^-24.

    The grid is 2^29 times coarser than what two C libraries may disagree about.
    """
    cosine = [round(cos(2 * pi * f / RATE) * _COEFFICIENT) for f in range(RATE // 2)]
    radius = [round(exp(-pi * b / RATE) * _COEFFICIENT) for b in range(1000)]
    return np.array(cosine, dtype=np.int64), np.array(radius, dtype=np.int64)


def _smooth(track: npt.NDArray[np.int64], width: int) -> npt.NDArray[np.int64]:
    """Return the moving average over an odd number of frames, rounded down, ends repeated."""
    edge = [(width // 2, width // 2)] + [(0, 0)] * (track.ndim - 1)
    total = np.cumsum(np.pad(track, edge, mode="edge"), axis=0)
    total[width:] = total[width:] - total[:-width]
    return total[width - 1 :] // width
