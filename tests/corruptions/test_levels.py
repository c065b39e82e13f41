"""Strength is what the table says for whatever comes, and nothing is clipped that nobody asked to clip."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corruptions.audio._additive import AdditiveNoise
from merbench.corruption import corruptions
from merbench.options import build
from merbench.types import SEVERITIES, Batch
from tests.corruptions.samples import ordinary, pool, sample, suited

EACH = [name for name in corruptions.names() if corruptions[name].exactness != "model"]
SOUNDS = [name for name in EACH if "audio" in corruptions[name].changes and not name.startswith("compound/")]
PER_SAMPLE = [
    name
    for name in EACH
    if corruptions[name].measure.kind == "per-sample"
    and corruptions[name].exactness == "exact"
    and not name.startswith("compound/")  # whose strength is the severity itself
]
ADDITIVE = [name for name in EACH if issubclass(corruptions[name], AdditiveNoise)]


@pytest.fixture
def made(from_outside):
    return lambda name: build(corruptions[name], name, from_outside(corruptions[name]))


def applied(corruption, rows, severity):
    """The rows corrupted among other speakers, and the reports."""
    everybody = pool([*rows, *ordinary(8, seconds=0.3)])
    params = corruption.draw_all(rows, everybody, "levels")
    return corruption.apply(Batch.of(rows), params, everybody, **corruption.strength(severity))


def loud():
    """Recordings with their peak one step below full scale: voices, a tone and square waves."""
    waves = [s.audio * (32766 / np.abs(s.audio).max()) for s in ordinary(4)]
    time = np.arange(16_000)
    waves += [32766 * np.sin(time * 0.17), np.where(time // 40 % 2, 32766, -32766)]
    return [
        replace(sample(i), audio=np.fix(wave).astype(np.int16), sample_rate=rate)
        for i, (wave, rate) in enumerate(zip(waves, [16_000] * 5 + [44_100], strict=True))
    ]


@pytest.mark.parametrize("name", SOUNDS)
def test_no_sound_is_clipped_in_silence(name, made):
    """A sum that just reaches the limit does so once; where more samples do, the report says why."""
    corruption, rows = made(name), loud()
    for severity in (1, 3, 5):
        batch, achieved = applied(corruption, rows, severity)
        for recording, report in zip(batch.audio, achieved, strict=True):
            if recording is None:
                continue
            at_the_limit = int(((recording == 32767) | (recording == -32768)).sum())
            made_room = report.get("headroom_gain", 1.0) < 1 or "gain" in report
            assert at_the_limit <= 1 or made_room or report.get("clipped") == at_the_limit


SAMPLES = st.fixed_dictionaries(
    {
        "i": st.integers(0, 10_000),
        "seconds": st.floats(0.25, 1.5),
        "sample_rate": st.sampled_from([8_000, 16_000, 22_050, 44_100]),
        "frames": st.integers(1, 3),
        "size": st.integers(64, 160),
        "words": st.integers(4, 40),
    }
)
"""From a quarter of a second on and from 64 pixels on: below that a step of one sample or pixel counts."""


@pytest.mark.parametrize("name", PER_SAMPLE)
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(shape=SAMPLES, level=st.floats(0.05, 2.0), severity=st.sampled_from(SEVERITIES))
def test_any_sample_is_spoilt_as_much_as_the_table_says(made, name, shape, level, severity):
    corruption = made(name)
    (row,) = suited(name, [sample(**shape)])
    row = replace(row, audio=(row.audio * level).astype(np.int16))  # at most at full scale
    _, (report,) = applied(corruption, [row], severity)
    measure = corruption.measure
    if not report["applied"]:
        assert name in NOT_ALWAYS
        return
    wanted = corruption.strength(severity)[measure.strength]
    assert report[measure.achieved] == pytest.approx(wanted, abs=measure.tolerance)


NOT_ALWAYS = {
    "audio/band_limit",  # a recording at 8 kHz has nothing above 4 kHz
    "modality/desync",  # a recording may be shorter than the shift
    "vision/motion_blur",  # a single pixel is no path
}


@pytest.mark.parametrize("name", ADDITIVE)
@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(shape=SAMPLES, level=st.floats(0.5, 3.0), severity=st.sampled_from(SEVERITIES))
def test_the_ratio_can_be_measured_in_what_comes_out(made, name, shape, level, severity):
    corruption = made(name)
    row = sample(**shape)
    speech = np.clip(row.audio * level, -32768, 32767).astype(np.int16)
    batch, (report,) = applied(corruption, [replace(row, audio=speech)], severity)
    voice = report["headroom_gain"] * speech
    added = batch.audio[0] - voice
    size = shape["sample_rate"] // 50
    frames = [slice(begin, begin + size) for begin in range(0, len(speech), size)]
    powers = [np.mean(voice[frame] ** 2) for frame in frames]
    active = [frame for frame, power in zip(frames, powers, strict=True) if power >= max(powers) / 1e4]
    heard = sum(np.sum(voice[frame] ** 2) for frame in active)
    # Rounding to 16 bits adds a noise of its own, of 1/12 per sample.
    rounding = sum(len(voice[frame]) for frame in active) / 12
    noise = sum(np.sum(added[frame] ** 2) for frame in active) - rounding
    assert 10 * math.log10(heard / noise) == pytest.approx(report["snr_db"], abs=0.05)
