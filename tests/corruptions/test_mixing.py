"""Mixing: the ratio is what was asked for, the arithmetic is exact, and nothing clips."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from corruptions.audio._background import excerpt
from corruptions.audio._mixing import Mixture, _active_energies, amplitude_ratio, mix, scale
from merbench.rng import Stream
from tests.corruptions.samples import voice

RATE = 16_000
PCM16 = st.integers(-32768, 32767)


@pytest.fixture
def speech():
    """Two syllables with a pause of digital silence between them."""
    loud = voice(Stream.of("speech"), 1, RATE)
    return np.concatenate([loud, np.zeros(RATE // 2, dtype=np.int16), loud[::-1]])


@pytest.fixture
def noise(speech):
    return voice(Stream.of("noise"), 4, RATE)[: len(speech)]


def power(signal):
    return float(np.mean(signal.astype(np.float64) ** 2))


def decibels(ratio):
    return 10 * math.log10(ratio)


def mixed(speech, noise, snr_db, whole=False):
    out = np.empty_like(speech)
    return out, mix(speech, noise, RATE, snr_db, out, whole=whole)


def active(speech, frame=RATE // 50):
    """The samples of the 20 ms frames within 40 dB of the loudest, the slow way."""
    frames = [speech[i : i + frame] for i in range(0, len(speech), frame)]
    loudest = max(power(f) for f in frames)
    return np.concatenate([np.full(len(f), power(f) >= loudest / 1e4) for f in frames])


class TestRatio:
    @pytest.mark.parametrize("snr_db", [20.0, 15.0, 10.0, 5.0, 0.0])
    def test_over_the_whole_clip(self, speech, noise, snr_db):
        out, done = mixed(speech // 4, noise, snr_db, whole=True)
        assert done.headroom_gain == 1
        added = out.astype(np.float64) - speech // 4
        assert decibels(power(speech // 4) / power(added)) == pytest.approx(snr_db, abs=0.02)
        assert done.snr_db == pytest.approx(snr_db, abs=0.001)

    @pytest.mark.parametrize("snr_db", [20.0, 10.0, 0.0])
    def test_over_the_active_frames(self, speech, noise, snr_db):
        out, _ = mixed(speech // 4, noise, snr_db)
        heard = active(speech // 4)
        assert 0.5 < heard.mean() < 0.85
        added = (out.astype(np.float64) - speech // 4)[heard]
        assert decibels(power(speech[heard] // 4) / power(added)) == pytest.approx(snr_db, abs=0.02)

    @pytest.mark.parametrize(("level_db", "seconds"), [(-39, 2), (-41, 1)])
    def test_a_frame_counts_within_40_db_of_the_loudest(self, level_db, seconds):
        loud = np.where(np.arange(RATE) % 2, 20_000, -20_000).astype(np.int16)
        faint = np.rint(loud * 10 ** (level_db / 20)).astype(np.int16)
        both = np.concatenate([loud, faint])
        assert _active_energies(both, both, RATE // 50, False)[0] == seconds * RATE

    def test_pauses_make_the_whole_clip_ratio_the_lower_noise(self, speech, noise):
        _, heard = mixed(speech, noise, 10.0)
        _, whole = mixed(speech, noise, 10.0, whole=True)
        assert whole.noise_gain < heard.noise_gain

    def test_a_higher_ratio_means_the_same_noise_softer(self, speech, noise):
        soft, loud = mixed(speech // 4, noise, 20.0)[0], mixed(speech // 4, noise, 0.0)[0]
        added = [out.astype(np.float64) - speech // 4 for out in (soft, loud)]
        np.testing.assert_allclose(added[0] * 10, added[1], atol=5.6)  # each is rounded by at most 1/2

    def test_powers_of_ten_are_correctly_rounded(self):
        assert [amplitude_ratio(snr) for snr in (0.0, 20.0, 40.0, -20.0)] == [1.0, 0.1, 0.01, 10.0]
        assert amplitude_ratio(10.0) == float(Fraction(1) / Fraction("3.16227766016837933199889354443271853"))


class TestHeadroom:
    def test_too_loud_a_sum_is_brought_down_as_a_whole(self, speech, noise):
        loud = np.clip(speech.astype(np.int64) * 3, -32768, 32767).astype(np.int16)
        out, done = mixed(loud, noise, 0.0)
        assert done.headroom_gain < 1
        assert done.snr_db == pytest.approx(0, abs=0.001)
        rest = out.astype(np.float64) - done.headroom_gain * loud
        heard = active(loud)
        assert decibels(power(done.headroom_gain * loud[heard]) / power(rest[heard])) == pytest.approx(
            0, abs=0.02
        )

    def test_it_uses_the_room_there_is(self, speech, noise):
        out, done = mixed(speech, noise, -10.0)
        assert done.headroom_gain < 1
        assert 32_700 < np.abs(out.astype(np.int64)).max() <= 32_767

    def test_a_full_scale_recording_alone_needs_none(self):
        square = np.where(np.arange(RATE) % 80 < 40, 32767, -32768).astype(np.int16)
        out = np.empty_like(square)
        scale(square, 1.0, out)
        assert (out == square).all()

    @settings(max_examples=60, deadline=None)
    @given(arrays(np.int16, 400, elements=PCM16), arrays(np.int16, 400, elements=PCM16), st.integers(0, 20))
    def test_the_sum_is_the_exact_one_rounded_half_to_even(self, speech, noise, snr_db):
        out, done = mixed(speech, noise, float(snr_db), whole=True)
        if isinstance(done, str):
            return
        speech_gain, noise_gain = Fraction(done.headroom_gain), Fraction(done.noise_gain)
        assert (speech_gain * 2**20).denominator == (noise_gain * 2**20).denominator == 1
        exact = [speech_gain * int(s) + noise_gain * int(n) for s, n in zip(speech, noise, strict=True)]
        assert out.tolist() == [round(value) for value in exact]


class TestSilence:
    def test_a_silent_recording_has_no_ratio(self, speech, noise):
        assert mixed(np.zeros_like(speech), noise, 10.0)[1] == "the recording is silent"

    def test_dither_is_silence(self, speech, noise):
        dither = np.zeros_like(speech)
        dither[::7] = 1
        assert mixed(dither, noise, 10.0)[1] == "the recording is silent"
        assert mixed(speech, dither, 10.0)[1] == "the noise is silent where the recording is not"

    def test_noise_only_in_the_pauses_counts_as_silent(self, speech, noise):
        only_there = np.where(active(speech), 0, noise).astype(np.int16)
        assert power(only_there) > 1e4
        assert isinstance(mixed(speech, only_there, 10.0)[1], str)
        assert isinstance(mixed(speech, only_there, 10.0, whole=True)[1], Mixture)


class TestEnergies:
    @settings(max_examples=60, deadline=None)
    @given(st.integers(1, 2_000), st.integers(1, 700), st.integers(0, 2**32 - 1))
    def test_they_are_exact_integers(self, length, frame, seed):
        words = Stream.of("energies", str(seed)).words(length)
        speech, noise = ((words >> np.uint64(k)).astype(np.int64).astype(np.int16) for k in (0, 16))
        expected = [length, sum(int(v) ** 2 for v in speech), sum(int(v) ** 2 for v in noise)]
        assert list(_active_energies(speech, noise, frame, True)) == expected

    def test_full_scale_does_not_overflow(self):
        lowest = np.full(1_000_001, -32768, dtype=np.int16)
        assert list(_active_energies(lowest, lowest, 960, False)) == [1_000_001] + 2 * [1_000_001 << 30]


class TestExcerpt:
    def test_long_noise_is_cut_where_the_draw_says(self):
        noise = np.arange(1_000, dtype=np.int16)
        assert excerpt(noise, 0.0, 100, 50)[0] == 0
        assert excerpt(noise, 0.5, 100, 50)[0] == 450
        assert excerpt(noise, 1 - 2**-53, 100, 50)[-1] == 999

    @settings(max_examples=100, deadline=None)
    @given(st.integers(1, 400), st.floats(0, 1, exclude_max=True), st.integers(0, 900), st.integers(0, 300))
    def test_it_always_has_the_length_asked_for(self, noise_length, start, length, fade):
        noise = np.full(noise_length, 500, dtype=np.int16)
        part = excerpt(noise, start, length, fade)
        assert part.dtype == np.int16
        assert part.shape == (length,)
        assert (part == 500).all()  # a fade of a constant with itself is that constant

    def test_short_noise_becomes_a_loop_without_a_jump(self):
        ramp = np.arange(0, 8_000, 10, dtype=np.int16)  # its end is far from its beginning
        looped = excerpt(ramp, 0.0, 5_000, 200)
        assert np.abs(np.diff(looped.astype(np.int64))).max() <= 40  # a jump would be 7 990
        period = len(ramp) - 200
        assert (looped[period : 2 * period] == looped[:period]).all()

    def test_the_fade_never_exceeds_what_it_joins(self):
        noise = np.where(np.arange(500) % 2, 32767, -32768).astype(np.int16)
        looped = excerpt(noise, 0.3, 2_000, 100).astype(np.int64)
        assert looped.min() >= -32768 and looped.max() <= 32767

    def test_a_loop_keeps_its_ratio(self, speech):
        short = voice(Stream.of("short noise"), 0.3, RATE)
        out, _ = mixed(speech // 4, excerpt(short, 0.7, len(speech), RATE // 20), 5.0, whole=True)
        added = out.astype(np.float64) - speech // 4
        assert decibels(power(speech // 4) / power(added)) == pytest.approx(5, abs=0.02)


class TestAgainstAudiomentations:
    """The library as an oracle where it is right, and the defects that are ours to avoid."""

    @pytest.fixture
    def library(self, tmp_path):
        audiomentations = pytest.importorskip("audiomentations")
        import soundfile

        def run(speech, noise, snr_db):
            path = tmp_path / "noise.wav"
            soundfile.write(path, noise, RATE, subtype="PCM_16")
            add = audiomentations.AddBackgroundNoise(path, p=1.0)
            add.parameters = {
                "should_apply": True,
                "snr_db": snr_db,
                "rms_db": -20.0,
                "noise_file_path": str(path),
                "offset": 0.0,
                "duration": len(speech) / RATE,
            }
            add.freeze_parameters()
            return add(speech.astype(np.float32) / 32768, RATE) * 32768

        return run

    @pytest.mark.parametrize("snr_db", [20.0, 10.0, 5.0])
    def test_the_same_samples_where_the_noise_covers_the_clip(self, library, speech, noise, snr_db):
        ours, done = mixed(speech // 4, noise, snr_db, whole=True)
        assert done.headroom_gain == 1
        assert np.abs(ours - library(speech // 4, noise, snr_db)).max() < 0.6  # ours is rounded to PCM16

    def test_it_scales_before_it_repeats_and_misses_the_ratio_of_short_noise(self, library, speech):
        fading = (voice(Stream.of("short noise"), 0.9, RATE) * np.linspace(1, 0.1, 14_400)).astype(np.int16)
        theirs = library(speech // 4, fading, 10.0)
        off = abs(decibels(power(speech // 4) / power(theirs - speech // 4)) - 10)
        ours, _ = mixed(speech // 4, excerpt(fading, 0.0, len(speech), RATE // 20), 10.0, whole=True)
        assert abs(decibels(power(speech // 4) / power(ours.astype(np.float64) - speech // 4)) - 10) < 0.02
        assert off > 0.1

    def test_it_lets_the_sum_leave_full_scale(self, library, speech, noise):
        assert np.abs(library(speech, noise, -10.0)).max() > 32_768
        assert np.abs(mixed(speech, noise, -10.0)[0].astype(np.int64)).max() <= 32_768
