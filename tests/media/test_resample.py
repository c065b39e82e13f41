"""Sample-rate conversion: a good filter, aligned, and the same bytes whatever computes it."""

from __future__ import annotations

from math import gcd

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.signal import upfirdn

from merbench.media import resample as module
from merbench.media.resample import low_pass, resample, resampled_length, to_pcm16
from tests.media.clips import tone

RATES = [8000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000]


def by_polyphase_loop(signal: np.ndarray, source: int, target: int) -> np.ndarray:
    """The same filter by SciPy, one output after the other."""
    up, down = target // gcd(source, target), source // gcd(source, target)
    taps = module._taps(up, down, module._ROLLOFF / max(up, down))
    half = len(taps) // 2
    lead = -half % down  # so that the centre of the filter falls on an output
    full = upfirdn(np.concatenate([np.zeros(lead), taps]), signal.astype(np.float64), up, down)
    out = full[(half + lead) // down :][: resampled_length(len(signal), source, target)]
    return np.pad(out, (0, resampled_length(len(signal), source, target) - len(out)))


@given(
    source=st.sampled_from(RATES) | st.integers(50, 400),
    target=st.sampled_from(RATES) | st.integers(50, 400),
    length=st.integers(0, 3000),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=80, deadline=None)
def test_the_order_of_summation_cannot_matter(source, target, length, seed):
    assume(max(source, target) // gcd(source, target) <= 5000)  # or the loop takes too long
    assume(source != target)
    signal = np.random.default_rng(seed).integers(-(2**23), 2**23, length)
    expected = by_polyphase_loop(signal, source, target) if length else np.zeros(0)
    np.testing.assert_array_equal(resample(signal, source, target), expected)


@pytest.mark.parametrize("source", RATES)
@pytest.mark.parametrize("target", [8000, 16_000, 44_100])
def test_a_tone_below_both_nyquist_frequencies_passes_in_place(source, target):
    out = resample(tone(0.5, source, 440.0), source, target)
    assert len(out) == resampled_length(round(0.5 * source), source, target)
    middle = slice(target // 10, -target // 10)
    np.testing.assert_allclose(out[middle], tone(0.6, target, 440.0)[: len(out)][middle], atol=1.5)


def test_what_the_new_rate_cannot_hold_is_80_db_down():
    out = resample(tone(0.5, 48_000, 9000.0), 48_000, 16_000)
    assert np.abs(out[1600:-1600]).max() < 3276 * 1e-4


def test_the_same_rate_changes_nothing():
    signal = np.arange(-50, 50)
    np.testing.assert_array_equal(resample(signal, 16_000, 16_000), signal)


def test_pcm16_rounds_half_to_even_and_counts_what_is_at_full_scale():
    samples, clipped = to_pcm16(np.array([0.5, 1.5, -0.5, -2.5, 32766.4, 32766.6, 40_000.0, -32768.0, -1e6]))
    assert samples.tolist() == [0, 2, 0, -2, 32766, 32767, 32767, -32768, -32768]
    assert clipped == 4


class TestLowPass:
    def test_it_keeps_what_lies_below_and_stops_what_lies_above(self):
        for cutoff in (2000.0, 3400.0, 7000.0):
            for frequency, kept in ((0.85 * cutoff, True), (1.14 * cutoff, False)):
                signal = tone(1.0, 16_000, frequency)
                heard = low_pass(signal, 16_000, cutoff)[2000:-2000]
                ratio = np.abs(heard).max() / np.abs(signal).max()
                assert (abs(ratio - 1) < 0.01) if kept else (ratio < 1e-3), (cutoff, frequency, ratio)

    def test_it_is_aligned(self):
        signal = np.zeros(4001, dtype=np.int16)
        signal[2000] = 30_000
        assert np.argmax(low_pass(signal, 16_000, 2000.0)) == 2000

    @pytest.mark.parametrize("cutoff", [0.0, 4000.0, 5000.0])
    def test_a_cutoff_that_is_none_is_refused(self, cutoff):
        with pytest.raises(ValueError, match="below half"):
            low_pass(np.zeros(10, dtype=np.int16), 8000, cutoff)
