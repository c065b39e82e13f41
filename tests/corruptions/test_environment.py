"""The synthesized sounds have what a listener would know them by."""

from __future__ import annotations

import numpy as np
import pytest

from corruptions.audio._environment import SAMPLE_RATE, SECONDS, SOUNDS, synthesize

TAKES = [(fold, take) for fold in (2, 10) for take in (1, 2, 3)]


class Sound:
    """What can be measured about one take."""

    def __init__(self, name: str, fold: int, take: int) -> None:
        self.samples = synthesize(name, fold, take)
        signal = self.samples.astype(np.float64)
        self.spectrum = np.abs(np.fft.rfft(signal * np.hanning(len(signal)))) ** 2
        self.hertz = np.fft.rfftfreq(len(signal), 1 / SAMPLE_RATE)
        self.loudness = self.levels(0.05)
        window = signal.reshape(-1, SAMPLE_RATE // 10) * np.hanning(SAMPLE_RATE // 10)
        self.pitch = np.abs(np.fft.rfft(window)).argmax(axis=1) * 10  # strongest partial per 100 ms, Hz

    def levels(self, seconds: float) -> np.ndarray:
        """The RMS of every stretch of this length."""
        parts = self.samples.astype(np.float64).reshape(-1, int(SAMPLE_RATE * seconds))
        return np.sqrt((parts**2).mean(axis=1))

    def share(self, low: float, high: float) -> float:
        """The share of the energy between two frequencies."""
        band = (self.hertz >= low) & (self.hertz < high)
        return self.spectrum[band].sum() / self.spectrum.sum()

    def flatness(self, low: float, high: float) -> float:
        """Geometric over arithmetic mean of the smoothed spectrum in a band: 1 for noise, 0 for tones."""
        band = self.spectrum[(self.hertz >= low) & (self.hertz < high)]
        smooth = band[: len(band) // 64 * 64].reshape(-1, 64).mean(axis=1)
        return np.exp(np.log(smooth).mean()) / smooth.mean()

    def modulation(self, low: float, high: float) -> float:
        """The share of loudness changes that are this fast."""
        changes = np.abs(np.fft.rfft(self.loudness - self.loudness.mean())) ** 2
        rate = np.fft.rfftfreq(len(self.loudness), 0.05)
        return changes[(rate >= low) & (rate < high)].sum() / changes.sum()

    @property
    def variation(self) -> float:
        """Standard deviation of the loudness over its mean."""
        return self.loudness.std() / self.loudness.mean()


@pytest.fixture(scope="module", params=TAKES, ids=str)
def take(request):
    return lambda name: Sound(name, *request.param)


@pytest.mark.parametrize("name", SOUNDS)
def test_eight_seconds_of_pcm16_that_use_the_range_and_do_not_clip(name):
    samples = synthesize(name, 10, 1)
    assert samples.dtype == np.int16
    assert len(samples) == SECONDS * SAMPLE_RATE
    assert 29_000 < np.abs(samples.astype(np.int64)).max() <= 29_500
    assert abs(samples.mean()) < 150


@pytest.mark.parametrize("name", SOUNDS)
def test_no_second_of_it_is_silent(name):
    seconds = synthesize(name, 10, 1).astype(np.float64).reshape(SECONDS, -1)
    assert np.sqrt((seconds**2).mean(axis=1)).min() > 30


def test_rain_is_broadband_and_steady(take):
    rain = take("rain")
    assert rain.share(1_000, 16_000) > 0.95
    assert rain.flatness(2_000, 14_000) > 0.6
    assert rain.variation < 0.15


def test_wind_is_low_and_comes_in_gusts(take):
    wind = take("wind")
    assert wind.share(0, 300) > 0.9
    assert wind.variation > 0.25
    assert wind.modulation(0, 2) > 0.7


def test_an_engine_is_harmonics_of_a_low_firing_rate(take):
    engine = take("engine")
    assert engine.share(25, 1_000) > 0.9
    assert engine.flatness(30, 500) < 0.3
    firing = Sound("engine", 10, 1)
    lag = np.arange(SAMPLE_RATE // 90, SAMPLE_RATE // 28)
    part = firing.samples[: SAMPLE_RATE // 2].astype(np.float64)
    likeness = np.array([part[k:] @ part[:-k] / (part[k:] @ part[k:]) for k in lag])
    assert likeness.max() > 0.6
    assert 28 < SAMPLE_RATE / lag[likeness.argmax()] < 90


def test_a_siren_sweeps_more_than_an_octave(take):
    pitch = take("siren").pitch
    assert pitch.min() < 900
    assert pitch.max() > 1_000
    assert pitch.max() / pitch.min() > 1.5


def test_footsteps_are_transients_about_twice_a_second(take):
    steps = take("footsteps")
    levels = steps.levels(0.01)
    loud = levels > 0.3 * levels.max()
    onsets = np.flatnonzero(loud[1:] & ~loud[:-1])
    separate = onsets[np.diff(onsets, prepend=-100) > 25]  # heel and toe are one step
    assert 1.3 < len(separate) / SECONDS < 2.7
    assert steps.variation > 1.5


def test_a_murmur_is_band_limited_and_moves_like_syllables(take):
    murmur = take("crowd_murmur")
    assert murmur.share(200, 3_600) > 0.98
    assert murmur.modulation(1, 7) > 0.6
    assert 0.1 < murmur.variation < 0.4


def test_an_alarm_alternates_between_two_tones(take):
    pitch = take("alarm").pitch
    counts = np.bincount(pitch // 10)
    low, high = np.sort(np.argsort(counts)[-2:]) * 10
    assert 690 <= low < high <= 1_500
    assert 1.1 < high / low < 1.6
    near = (np.abs(pitch - low) <= 20) | (np.abs(pitch - high) <= 20)
    assert near.mean() > 0.9
