"""Clips stay steady: one draw per clip, but for what a sensor or a codec does to every frame anew."""

from __future__ import annotations

from dataclasses import replace
from math import pi, sqrt

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from merbench.corruption import corruptions
from merbench.media.flicker import flicker
from merbench.rng import Stream
from merbench.types import SEVERITIES, Batch
from tests.corruptions.samples import pool, sample

DRAWN_PER_FRAME = ("vision/gaussian_noise", "vision/shot_noise", "vision/low_light")
"""Sensor noise: what a camera adds is another one in every frame. Low light has it in the dark it makes."""

CODED = {"vision/video_codec": 0.5}
"""Grey levels that key frames and predicted frames of a still differ by, at most."""

ON_THE_MOVE = {"vision/video_codec": 2.0, "vision/frame_drop": 5.0, "vision/jpeg": 7.0}
"""How many times the flicker of a moving clip there may be, at most; 1.5 times of anything else.

A frame that is held jumps afterwards, and an edge that passes below JPEG's blocks changes their levels.
"""


def blobs(side=96, frames=8, step=0):
    """A smooth picture, moved to the right by `step` pixels per frame."""
    lattice = Stream.of("tests/flicker").integers(9 * 9 * 3, 40, 216).reshape(9, 9, 3).astype(np.uint8)
    wide = cv2.resize(lattice, (side + frames * step, side), interpolation=cv2.INTER_CUBIC)
    return np.stack([wide[:, f * step : f * step + side] for f in range(frames)])


def flat(level, side=64, frames=8):
    return np.full((frames, side, side, 3), level, dtype=np.uint8)


def corrupted(name, clip, severity):
    one = replace(sample(0), frames=clip, timestamps=np.arange(len(clip)) / 8)
    corruption = corruptions[name]()
    params = corruption.draw_all([one], pool([one]), "tests")
    batch, _ = corruption.apply(Batch.of([one]), params, pool([one]), **corruption.strength(severity))
    return batch.frames[0]


class TestMeasure:
    def test_a_still_and_an_even_change_do_not_flicker(self):
        assert flicker(flat(99)) == 0
        assert flicker(np.stack([flat(f * 9, frames=1)[0] for f in range(8)])) == 0

    def test_one_bright_frame_does(self):
        clip = flat(100, frames=5)
        clip[2] += 10
        assert flicker(clip) == pytest.approx((10 + 20 + 10) / 3)

    def test_fewer_than_three_frames_cannot(self):
        assert flicker(flat(1, frames=2)) == flicker(flat(1, frames=1)) == 0

    @given(st.integers(0, 2**32), st.integers(0, 155))
    def test_a_shift_in_level_or_a_reversal_changes_nothing(self, seed, level):
        clip = np.random.default_rng(seed).integers(0, 100, (5, 4, 4, 3), dtype=np.uint8)
        assert flicker(clip + np.uint8(level)) == flicker(clip) == flicker(clip[::-1])


@pytest.mark.parametrize("name", [name for name in corruptions.names() if name.startswith("vision/")])
class TestEveryCorruption:
    def test_a_still_stays_still(self, name):
        if name in DRAWN_PER_FRAME:
            pytest.skip("it is drawn anew for every frame")
        for severity in SEVERITIES:
            assert flicker(corrupted(name, blobs(), severity)) <= CODED.get(name, 0.0)

    def test_a_moving_clip_does_not_begin_to_jump(self, name):
        if name in DRAWN_PER_FRAME:
            pytest.skip("it is drawn anew for every frame")
        clip = blobs(step=2)
        for severity in SEVERITIES:
            assert flicker(corrupted(name, clip, severity)) <= ON_THE_MOVE.get(name, 1.5) * flicker(clip)


class TestSensors:
    def test_gaussian_noise_flickers_as_its_strength_says(self):
        for severity, sigma in zip(SEVERITIES[:3], (0.08, 0.12, 0.18), strict=True):  # more would be cut off
            expected = sqrt(6) * sqrt(2 / pi) * sigma * 255
            assert flicker(corrupted("vision/gaussian_noise", flat(128), severity)) == pytest.approx(
                expected, rel=0.03
            )

    def test_shot_noise_flickers_as_photons_are_counted(self):
        photons = corruptions["vision/shot_noise"].severity["photons"][0]
        expected = sqrt(6) * sqrt(2 / pi) * 255 * sqrt(128 / 255 / photons)
        assert flicker(corrupted("vision/shot_noise", flat(128), 1)) == pytest.approx(expected, rel=0.05)
