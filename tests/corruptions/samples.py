"""Samples that every corruption is tried on: ordinary ones by the thousand, and awkward ones by name.

Made from `merbench.rng` alone, so that golden hashes over them mean something on every machine.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from merbench.rng import Stream
from merbench.types import Pool, Sample, Utterance

TEXT = """
I really did not think that anybody would ever come back to this quiet little house again and yet here you
are with your wonderful stories about mountains rivers trains and friends Café naïve OK Łódź birthday cakes
lost keys and tomorrow\u2019s weather
"""
WORDS = TEXT.split()


def voice(rng: Stream, seconds: float, sample_rate: int) -> np.ndarray:
    """Noise in syllables with pauses between them, PCM16 with a peak around a third of full scale."""
    length = int(seconds * sample_rate)
    syllables = rng.integers(max(2, int(5 * seconds)) + 1, 0, 256)
    at = np.arange(length) * (len(syllables) - 1)
    left, along = at // length, at % length
    loudness = (syllables[left] * (length - along) + syllables[left + 1] * along) // length
    noise = rng.words(-(-length // 4)).astype("<u8").view("<i2")[:length].astype(np.int64)
    return (noise * loudness >> 9).astype(np.int16)


def sample(
    i: int,
    *,
    seconds: float = 1.0,
    sample_rate: int = 16_000,
    frames: int = 4,
    size: int = 32,
    words: int = 12,
) -> Sample:
    """An ordinary sample: every modality is there."""
    rng = Stream.of("tests/corruptions", str(i))
    pixels = rng.words(frames * size * size * 3 // 8 + 1).view(np.uint8)[: frames * size * size * 3]
    return Sample(
        utterance=Utterance(id=f"u{i:05d}", label="happy", split="test", speaker=f"s{i % 7}"),
        audio=voice(rng, seconds, sample_rate),
        sample_rate=sample_rate,
        frames=pixels.reshape(frames, size, size, 3) // 2 + 1,  # neither black nor grey: a mask is visible
        timestamps=np.arange(frames) * seconds / frames,
        text=" ".join(WORDS[k] for k in rng.integers(words, 0, len(WORDS))),
    )


SUITED = {
    "modality/desync": lambda s: replace(s, audio=np.tile(s.audio, 2)),
    "text/emoji_strip": lambda s: replace(s, text=" 😀 ".join([*s.text.split()[:6], "❤️"])),
    "text/learned": lambda s: replace(s, text=" ".join(np.roll(WORDS, -(int(s.id[1:]) % 40))[:12])),
    "text/chinese": lambda s: replace(
        s, text="".join("我今天真的很高兴见到你他们在家里做事已经晚了"[len(w) :: 2] for w in s.text.split())
    ),
}
"""What a sample needs for a corruption that only concerns some; few texts where a network is asked."""


def suited(name: str, samples: list[Sample]) -> list[Sample]:
    """The samples as the corruption of that name needs them."""
    return [SUITED[name](s) for s in samples] if name in SUITED else samples


def ordinary(count: int, **shape: int | float) -> list[Sample]:
    """That many ordinary samples."""
    return [sample(i, **shape) for i in range(count)]  # type: ignore[arg-type]


def pool(samples: list[Sample]) -> Pool:
    """The pool in which draws may look for partners."""
    by_id = {s.id: s for s in samples}
    return Pool(tuple(s.utterance for s in samples), lambda u: by_id[u.id])


@cache
def awkward() -> dict[str, Sample]:
    """Whatever a real collection has in store, by name."""
    full = np.where(np.arange(8_000) // 40 % 2 == 0, 32767, -32768).astype(np.int16)
    found = {
        "one audio sample": {"audio": np.array([900], dtype=np.int16)},
        "no audio samples": {"audio": np.array([], dtype=np.int16)},
        "ten milliseconds": {"audio": voice(Stream.of("short"), 0.01, 16_000)},
        "half a minute": {"audio": voice(Stream.of("long"), 30, 16_000)},
        "digital silence": {"audio": np.zeros(16_000, dtype=np.int16)},
        "one click in silence": {"audio": np.eye(1, 16_000, 5_000, dtype=np.int16)[0] * 20_000},
        "full scale": {"audio": full},
        "8 kHz": {"audio": voice(Stream.of("8k"), 1, 8_000), "sample_rate": 8_000},
        "48 kHz": {"audio": voice(Stream.of("48k"), 1, 48_000), "sample_rate": 48_000},
        "11 025 Hz": {"audio": voice(Stream.of("11k"), 1, 11_025), "sample_rate": 11_025},
        "one frame": {"frames": sample(0).frames[:1], "timestamps": np.zeros(1)},
        "one pixel": {"frames": np.full((4, 1, 1, 3), 77, dtype=np.uint8)},
        "a strip": {"frames": np.full((4, 1, 9, 3), 77, dtype=np.uint8)},
        "not square": {"frames": np.full((4, 48, 17, 3), 77, dtype=np.uint8)},
        "empty text": {"text": ""},
        "one letter": {"text": "a"},
        "a blank": {"text": " "},
        "emoji": {"text": "😀👍🏽👨‍👩‍👧‍👦❤️"},
        "words and emoji": {"text": "I ❤️ you 👨‍👩‍👧 so much\r\n🎉"},
        "Polish": {"text": "Zażółć gęślą jaźń, proszę Państwa!"},
        "Chinese": {"text": "我今天真的很高兴见到你"},
        "Arabic": {"text": "أنا سعيد جدا اليوم"},
        "Hindi": {"text": "मैं आज बहुत खुश हूँ"},
        "numbers": {"text": "12 345 — 67!"},
        "no audio": {"audio": None, "sample_rate": None},
        "no frames": {"frames": None, "timestamps": None},
        "no text": {"text": None},
        "only text": {"audio": None, "sample_rate": None, "frames": None, "timestamps": None},
        "nothing": {
            "audio": None, "sample_rate": None, "frames": None, "timestamps": None, "text": None
        },
    }  # fmt: skip
    return {
        name: replace(sample(i, seconds=0.5), **changes) for i, (name, changes) in enumerate(found.items())
    }
