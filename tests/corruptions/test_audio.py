"""What the audio corruptions do to a sound, beyond what all corruptions owe."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate, fftconvolve, welch

from corruptions.audio._filters import convolve
from corruptions.audio._pink import SETTLING, pink
from corruptions.audio.packet_loss import _losses
from merbench.corruption import corruptions
from merbench.options import build
from merbench.rng import Stream
from merbench.types import SEVERITIES, Batch
from tests.corruptions.samples import ordinary, pool


def made(name, **options):
    return build(corruptions[name], name, options)


def spoil(corruption, samples, severity):
    params = corruption.draw_all(samples, pool(samples), "audio")
    return corruption.apply(Batch.of(samples), params, pool(samples), **corruption.strength(severity))


@pytest.fixture(scope="module")
def samples():
    return ordinary(8)


class TestColours:
    @pytest.mark.parametrize(("name", "slope"), [("white", 0.0), ("pink", -3.01)])
    def test_the_spectrum_has_its_slope(self, name, slope):
        noise = made(f"audio/{name}").noise({"stream": Stream.of("slope").key}, 1 << 18, 16_000, None)
        frequencies, power = welch(noise.astype(float), 16_000, nperseg=4096)
        octaves = [
            power[(frequencies >= f) & (frequencies < 2 * f)].mean() for f in (62.5 * 2**k for k in range(7))
        ]
        steps = np.diff(10 * np.log10(octaves))
        assert np.abs(steps - slope).max() < 0.5

    def test_pink_noise_fits_into_16_bits(self):
        noise = pink(Stream.of("peak").normal(SETTLING + (1 << 18))).astype(float)
        assert np.abs(noise).max() < 32767
        assert 1500 < noise.std() < 6000


class TestConvolution:
    @settings(max_examples=40, deadline=None)
    @given(st.integers(1, 400), st.integers(1, 300), st.integers(0, 2**31))
    def test_it_is_exact(self, length, taps, seed):
        chance = Stream.of("convolve", str(seed))
        signal, response = chance.integers(length, -32768, 32768), chance.integers(taps, -4096, 4097)
        exact = np.convolve(signal, response)[:length]
        assert np.array_equal(convolve(signal, response), exact)

    def test_numbers_too_big_to_be_exact_are_refused(self):
        big = np.full(1000, 1 << 40)
        with pytest.raises(ValueError, match="exact"):
            convolve(big, big)


class TestReverb:
    def test_the_direct_path_stays_where_it_was(self, samples):
        batch, _ = spoil(made("audio/reverb"), samples, 1)
        for before, after in zip(samples, batch.audio, strict=True):
            lag = np.argmax(correlate(after.astype(float), before.audio.astype(float))) - len(after) + 1
            assert lag == 0

    def test_severities_share_a_room(self, samples):
        params = made("audio/reverb").draw_all(samples, pool(samples), "audio")
        assert all(30 <= p["volume_m3"] <= 300 and 0.5 <= p["distance_m"] <= 3 for p in params)

    def test_the_level_stays(self, samples):
        batch, achieved = spoil(made("audio/reverb"), samples, 4)
        for before, after in zip(samples, batch.audio, strict=True):
            ratio = np.square(after.astype(float)).sum() / np.square(before.audio.astype(float)).sum()
            assert ratio < 1.01
        assert all(a["gain"] > 0 for a in achieved)


class TestPacketLoss:
    @settings(max_examples=30, deadline=None)
    @given(st.integers(0, 2**31))
    def test_a_higher_severity_loses_a_superset(self, seed):
        uniforms = Stream.of("loss", str(seed)).uniform(300)
        lost = [_losses(uniforms, rate) for rate in made("audio/packet_loss").severity["rate"]]
        assert all((low <= high).all() for low, high in itertools.pairwise(lost))

    def test_losses_come_in_bursts_of_two(self):
        lost = _losses(Stream.of("bursts").uniform(200_000), 0.1)
        bursts = np.diff(np.flatnonzero(np.diff(np.concatenate([[0], lost, [0]]))))[::2]
        assert lost.mean() == pytest.approx(0.1, rel=0.03)
        assert bursts.mean() == pytest.approx(2.0, rel=0.03)

    def test_a_repeated_packet_is_the_last_one_received(self, samples):
        silent, _ = spoil(made("audio/packet_loss"), samples, 5)
        repeated, _ = spoil(made("audio/packet_loss", concealment="repeat"), samples, 5)
        for before, gap, filled in zip(samples, silent.audio, repeated.audio, strict=True):
            clean = before.audio.reshape(-1, 320)
            lost = (gap.reshape(-1, 320) != clean).any(axis=1)
            first = np.flatnonzero(lost[1:] & ~lost[:-1]) + 1
            assert np.array_equal(filled.reshape(-1, 320)[first], clean[first - 1])
            assert np.array_equal(filled.reshape(-1, 320)[~lost], clean[~lost])


class TestMasksAndLimits:
    def test_gaps_are_nested(self, samples):
        params = made("audio/time_mask").draw_all(samples, pool(samples), "audio")
        mask = made("audio/time_mask")
        gaps = []
        for severity in SEVERITIES:
            _batch, achieved = mask.apply(Batch.of(samples), params, pool(samples), **mask.strength(severity))
            gaps.append(
                [
                    set(
                        range(
                            round(a["from_s"] * 16_000),
                            round(a["from_s"] * 16_000) + round(a["share"] * 16_000),
                        )
                    )
                    for a in achieved
                ]
            )
        for narrow, wide in itertools.pairwise(gaps):
            assert all(len(a - b) <= 1 for a, b in zip(narrow, wide, strict=True))  # from_s is rounded

    def test_clipping_leaves_what_is_below_the_limit(self, samples):
        batch, achieved = spoil(made("audio/clipping"), samples, 3)
        for before, after, report in zip(samples, batch.audio, achieved, strict=True):
            below = np.abs(before.audio.astype(int)) < report["limit"]
            assert np.array_equal(after[below], before.audio[below])
            assert np.abs(after.astype(int)).max() == report["limit"]


class TestBandLimit:
    def test_nothing_is_left_above_the_cutoff(self, samples):
        batch, _ = spoil(made("audio/band_limit"), samples, 5)
        for before, after in zip(samples, batch.audio, strict=True):
            frequencies, power = welch(after.astype(float), 16_000, nperseg=1024)
            _, clean = welch(before.audio.astype(float), 16_000, nperseg=1024)
            above = frequencies > 2400
            assert power[above].sum() < 1e-4 * clean[above].sum()


class TestCodec:
    @pytest.mark.parametrize("codec", ["opus", "mp3"])
    def test_it_neither_moves_nor_shortens_the_sound(self, samples, codec):
        batch, achieved = spoil(made("audio/codec", codec=codec), samples[:2], 2)
        for before, after, report in zip(samples[:2], batch.audio, achieved, strict=True):
            lag = np.argmax(correlate(after.astype(float), before.audio.astype(float))) - len(after) + 1
            assert abs(lag) <= 2
            assert report["spent_kbps"] < 40

    def test_every_severity_loses_more(self, samples):
        clean = samples[0].audio.astype(float)
        errors = []
        for severity in SEVERITIES:
            batch, _ = spoil(made("audio/codec"), samples[:1], severity)
            errors.append(np.square(batch.audio[0] - clean).sum())
        assert errors == sorted(errors)


class TestBabble:
    def test_the_talkers_are_other_people(self, samples):
        babble = made("audio/babble")
        _, achieved = spoil(babble, ordinary(40), 3)
        by_id = {s.id: s.utterance.speaker for s in ordinary(40)}
        for sample, report in zip(ordinary(40), achieved, strict=True):
            assert 3 <= len(report["talkers"]) <= 7
            assert len(set(report["talkers"])) == len(report["talkers"])
            assert sample.utterance.speaker not in {by_id[t] for t in report["talkers"]}

    def test_too_few_people_are_no_babble(self):
        alone = ordinary(1) * 3
        _, achieved = spoil(made("audio/babble"), alone, 3)
        assert all("other speakers" in a["reason"] for a in achieved)

    def test_it_is_the_sum_of_its_voices(self, samples):
        babble = made("audio/babble")
        everybody = pool(ordinary(20))
        params = babble.draw_all(ordinary(20)[:1], everybody, "audio")[0]
        noise = babble.noise(params, 16_000, 16_000, everybody)
        alone = [
            babble.noise(
                {**params, "talkers": [t] * 3, "starts": [s, s, s]}, 16_000, 16_000, everybody
            ).astype(int)
            // 3
            for t, s in zip(params["talkers"], params["starts"], strict=False)
        ]
        assert np.abs(noise - sum(alone)).max() <= len(alone)


def test_the_room_is_the_one_of_a_plain_convolution(samples):
    """Against scipy, as another implementation of the same mathematics."""
    from corruptions.audio._room import impulse_response

    response = impulse_response(Stream.of("room"), 16_000, 0.5, 100, 1.0)
    expected = fftconvolve(samples[0].audio.astype(float), response.astype(float))[:16_000]
    assert np.abs(convolve(samples[0].audio, response) - expected).max() < 1
