"""How clean a modality is, by the input alone: less of it the more is wrong, whatever is wrong."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from merbench.datasets import load_dataset
from merbench.models._ensemble import quality
from merbench.models._load import load_model
from merbench.rng import Stream
from merbench.types import Batch

RATE = 16_000
UNIMODAL = "; ".join(f"only(late-fusion; modalities={m})" for m in ("audio", "vision", "text"))


@pytest.fixture(scope="module")
def sample():
    dataset = load_dataset("synthetic:train=1,validation=1,test=4")
    return dataset.load(dataset.select("test", limit=1)[0][0])


def falls(levels: list[float]) -> bool:
    """Tell whether every level is below the one before it, and the last well below the first."""
    return all(a > b for a, b in itertools.pairwise(levels)) and levels[-1] < 0.9 * levels[0]


def noise(n: int) -> np.ndarray:
    return Stream.of("tests/quality").normal(n)


def noisy(audio: np.ndarray, decibel: float) -> np.ndarray:
    power = (audio.astype(np.float64) ** 2).mean() / 10 ** (decibel / 10)
    return np.clip(audio + noise(len(audio)) * np.sqrt(power), -32768, 32767).astype(np.int16)


def clipped(audio: np.ndarray, share: float) -> np.ndarray:
    limit = np.quantile(np.abs(audio.astype(np.int32)), 1 - share)
    return np.clip(audio, -limit, limit).astype(np.int16)


def lost(audio: np.ndarray, share: float) -> np.ndarray:
    packets = audio[: len(audio) // 320 * 320].reshape(-1, 320).copy()
    packets[np.arange(len(packets)) % 10 < 10 * share] = 0
    return packets.reshape(-1)


def narrow(audio: np.ndarray, hertz: float) -> np.ndarray:
    spectrum = np.fft.rfft(noisy(audio, 40))
    spectrum[np.fft.rfftfreq(len(audio), 1 / RATE) > hertz] = 0
    return np.fft.irfft(spectrum, len(audio)).astype(np.int16)


@pytest.mark.parametrize(
    ("damage", "strengths"),
    [
        (noisy, (20, 10, 0, -10)),
        (clipped, (0.1, 0.3, 0.6)),
        (lost, (0.1, 0.2, 0.4)),
        (narrow, (8000, 2000, 700)),
    ],
)
def test_damaged_sound_is_worth_less(sample, damage, strengths):
    assert falls([quality.sound(damage(sample.audio, strength), RATE) for strength in strengths])


def blurred(clip: np.ndarray, width: int) -> np.ndarray:
    import cv2

    return np.stack([cv2.blur(frame, (width, width)) for frame in clip])


def grainy(clip: np.ndarray, spread: float) -> np.ndarray:
    grain = noise(clip[0].size).reshape(clip[0].shape) * spread
    return np.clip(clip + grain, 0, 255).astype(np.uint8)


def covered(clip: np.ndarray, share: float) -> np.ndarray:
    out = clip.copy()
    out[:, : round(share * clip.shape[1])] = 128
    return out


def stuck(clip: np.ndarray, share: float) -> np.ndarray:
    out = clip.copy()
    out[: round(share * len(clip))] = clip[0]
    return out


@pytest.mark.parametrize(
    ("damage", "strengths"),
    [
        (blurred, (1, 5, 15)),
        (grainy, (10, 30, 90)),
        (covered, (0.2, 0.5, 0.8)),
        (stuck, (0.2, 0.5, 1.0)),
    ],
)
def test_damaged_pictures_are_worth_less(sample, damage, strengths):
    assert falls([quality.sight(damage(sample.frames, strength)) for strength in strengths])


@pytest.mark.parametrize(
    "word", ["xkcdqw", "aaaargh", "sooooo", "bROKEn", "l!k@#", "queueuing", "a" * 21, "strngthsz"]
)
def test_garbage_is_told_by_its_letters(word):
    assert quality.spelling(word) == 0


def test_words_are_fine_in_any_script_and_with_punctuation():
    assert quality.spelling("Well, naïve Łukasz's friend (42) said: 你好 — “wow”!".replace("— ", "")) == 1
    assert quality.spelling("I like xkcdqw not") == 0.75
    assert quality.spelling("  ") == 0


def test_letters_that_never_follow_each_other_in_clean_text_are_typos():
    known = frozenset().union(*map(quality.trigrams, ("happy", "today")))
    assert quality.spelling("happy today", known) == 1
    assert quality.spelling("hapy today", known) == 0.5
    assert quality.spelling("Happy, TODAY!", known) == 1


@given(arrays.arrays(np.int16, st.integers(0, 4000)), st.sampled_from([8000, 16_000, 44_100]))
def test_any_sound_has_a_quality(audio, rate):
    assert 0 <= quality.sound(audio, rate) <= 1


@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 20), st.integers(1, 20), st.just(3)))
)
def test_any_clip_has_a_quality(clip):
    assert 0 <= quality.sight(clip) <= 1


@given(st.text())
def test_any_text_has_a_quality(text):
    assert 0 <= quality.spelling(text) <= 1


def test_nothing_is_worth_nothing():
    assert quality.sound(np.zeros(RATE, np.int16), RATE) == 0
    assert quality.sight(np.zeros((3, 16, 16, 3), np.uint8)) == 0


def test_a_router_listens_to_the_clean_modality(sample):
    model = load_model(f"router({UNIMODAL}; sharpness=4)")
    clean = Batch.of([sample])
    drowned = clean.replace(audio=type(clean.audio).of([noisy(sample.audio, -20)], np.int16))
    weights = []
    for batch in (clean, drowned):
        levels = {m: model.combination.quality(m, batch.only(m)) for m in model.uses}
        trust = model.combination.trust({m: batch.present(m) for m in model.uses}, levels)[:, 0]
        weights.append(trust / trust.sum())
    assert weights[1][0] < 0.6 * weights[0][0]
    assert (weights[1][1:] > weights[0][1:]).all()
    assert not np.allclose(model.predict(clean), model.predict(drowned))
