"""What the vision corruptions do to a picture, beyond what all corruptions owe."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import cv2
import numpy as np
import pytest

from corruptions.vision._cloud import cloud
from corruptions.vision._objects import OBJECTS
from corruptions.vision.defocus import _disc
from corruptions.vision.motion_blur import _path
from merbench.corruption import corruptions
from merbench.errors import MerbenchError
from merbench.options import build
from merbench.rng import Stream
from merbench.types import SEVERITIES, Batch, Sample, Utterance
from tests.corruptions.samples import ordinary, pool


def made(name, **options):
    return build(corruptions[f"vision/{name}"], f"vision/{name}", options)


def grey(level=128, frames=6, side=64, **extra):
    return Sample(
        utterance=Utterance(id="clip", label="?", split="test", extra=extra),
        frames=np.full((frames, side, side, 3), level, dtype=np.uint8),
        timestamps=np.arange(frames) / 8,
    )


def picture(side=96):
    """Blobs of colour: something with edges and flat places."""
    lattice = Stream.of("picture").integers(9 * 9 * 3, 0, 256).reshape(9, 9, 3).astype(np.uint8)
    frame = cv2.resize(lattice, (side, side), interpolation=cv2.INTER_CUBIC)
    return Sample(
        utterance=Utterance(id="clip", label="?", split="test"),
        frames=np.stack([frame] * 3),
        timestamps=np.arange(3) / 8,
    )


def spoil(corruption, sample, severity):
    params = corruption.draw_all([sample], pool([sample]), "vision")
    batch, (report,) = corruption.apply(
        Batch.of([sample]), params, pool([sample]), **corruption.strength(severity)
    )
    return batch.frames[0], report


class TestSensor:
    def test_noise_has_its_standard_deviation(self):
        for severity, sigma in zip(SEVERITIES[:2], (0.08, 0.12), strict=True):  # stronger noise is cut off
            noisy, _ = spoil(made("gaussian_noise"), grey(), severity)
            assert noisy.astype(float).std() / 255 == pytest.approx(sigma, rel=0.02)
            assert noisy.astype(float).mean() == pytest.approx(128, abs=0.5)

    def test_photons_have_their_mean_and_variance(self):
        for severity, photons in zip(SEVERITIES[:2], (60, 25), strict=True):
            noisy, _ = spoil(made("shot_noise"), grey(64), severity)
            counted = noisy.astype(float) * photons / 255
            assert counted.mean() == pytest.approx(64 * photons / 255, rel=0.02)
            assert counted.var() == pytest.approx(64 * photons / 255, rel=0.05)

    @pytest.mark.parametrize("name", ["gaussian_noise", "shot_noise", "low_light"])
    def test_every_frame_has_its_own_noise(self, name):
        noisy, _ = spoil(made(name), grey(), 3)
        assert all((a != b).mean() > 0.3 for a, b in pairwise(noisy))

    def test_darkness_keeps_the_order_of_levels(self):
        means = [spoil(made("low_light"), grey(level), 3)[0].mean() for level in (40, 90, 160, 250)]
        assert means == sorted(means)
        assert means[-1] == pytest.approx(250 * 0.25, abs=2)


class TestBlur:
    @pytest.mark.parametrize("direction", [0, 17, 64, 100])
    def test_motion_is_the_mean_along_a_path(self, direction):
        sample, blur = picture(), made("motion_blur")
        params = [{"direction": direction}]
        batch, (report,) = blur.apply(Batch.of([sample]), params, pool([sample]), **blur.strength(4))
        kernel = np.zeros((report["pixels"], report["pixels"]))
        for y, x in _path(direction, report["pixels"]) + report["pixels"] // 2:
            kernel[y, x] += 1
        expected = cv2.filter2D(
            sample.frames[0].astype(np.float64), -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE
        )
        assert np.abs(batch.frames[0][0] - expected).max() <= 0.5 + 1e-9

    def test_defocus_is_the_mean_over_a_disc(self):
        sample = picture()
        blurred, report = spoil(made("defocus"), sample, 5)
        spans = _disc(round(2 * report["pixels"]))
        reach = int(np.abs(spans).max())
        kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
        for down, first, last in spans:
            kernel[reach + down, reach + first : reach + last + 1] = 1
        expected = cv2.filter2D(
            sample.frames[0].astype(np.float64), -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE
        )
        assert np.abs(blurred[0] - expected).max() <= 0.5 + 1e-9

    @pytest.mark.parametrize("name", ["motion_blur", "defocus", "low_resolution", "fog"])
    def test_what_stands_still_goes_on_standing_still(self, name):
        spoilt, _ = spoil(made(name), picture(), 4)
        assert (spoilt == spoilt[0]).all()

    @pytest.mark.parametrize("name", ["motion_blur", "defocus", "low_resolution", "jpeg", "video_codec"])
    def test_a_flat_picture_stays_flat(self, name):
        spoilt, _ = spoil(made(name), grey(100), 5)
        assert np.abs(spoilt.astype(int) - 100).max() <= 2


class TestPyramid:
    def levels(self, severity, count=300, **options):
        samples = ordinary(count, seconds=0.1, frames=1, size=16)
        blur = made("pyramid_blur", **options)
        params = blur.draw_all(samples, pool(samples), "vision")
        _, achieved = blur.apply(Batch.of(samples), params, pool(samples), **blur.strength(severity))
        return Counter(report["levels"] for report in achieved)

    def test_it_is_opencvs_pyramid_down_and_up(self):
        sample = picture(side=96)
        blurred, report = spoil(made("pyramid_blur"), sample, 3)
        expected = cv2.pyrUp(cv2.pyrUp(cv2.pyrDown(cv2.pyrDown(sample.frames[0]))))
        assert report["factor"] == 4
        assert (blurred == expected).all()

    def test_the_severity_says_how_many_levels_are_lost(self):
        assert sorted(self.levels(1)) == [0, 1]
        assert [list(self.levels(severity, count=4)) for severity in (2, 3, 4, 5)] == [[1], [2], [3], [4]]

    @pytest.mark.parametrize("blur", ["table", "drawn"])
    def test_a_higher_severity_never_loses_fewer_levels(self, blur):
        samples = ordinary(40, seconds=0.1, frames=1, size=16)
        corruption = made("pyramid_blur", blur=blur)
        params = corruption.draw_all(samples, pool(samples), "vision")
        lost = [
            [a["levels"] for a in corruption.apply(Batch.of(samples), params, pool(samples), **strength)[1]]
            for strength in map(corruption.strength, SEVERITIES)
        ]
        assert (np.diff(lost, axis=0) >= 0).all()

    def test_mer_noise_reduces_by_1_2_or_4(self):
        drawn = self.levels(3, blur="drawn")
        assert sorted(drawn) == [0, 1, 2]
        assert min(drawn.values()) > 75  # of 300, a third each: 3 standard deviations


class TestCodecs:
    @pytest.mark.parametrize("name", ["jpeg", "video_codec"])
    def test_a_higher_severity_needs_fewer_bits(self, name):
        bits = [spoil(made(name), picture(), severity)[1]["bits_per_pixel"] for severity in SEVERITIES]
        assert bits == sorted(bits, reverse=True)

    def test_colours_stay_what_they_are(self):
        sample = picture()
        for name in ("jpeg", "video_codec"):
            spoilt, _ = spoil(made(name), sample, 1)
            assert np.abs(spoilt.astype(int) - sample.frames).mean() < 12, name

    def test_odd_sides_are_coded_too(self):
        sample = grey(90, frames=2, side=37)
        assert spoil(made("video_codec"), sample, 3)[0].shape == sample.frames.shape


class TestFog:
    def test_the_cloud_has_no_mean_of_its_own(self):
        for i in range(5):
            field = cloud(Stream.of("cloud", str(i)).key, 60, 80)
            assert abs(field.mean()) <= 2
            assert np.abs(field).max() == 512

    def test_it_takes_away_contrast_in_proportion(self):
        sample = picture()
        for severity, opacity in zip(SEVERITIES, (0.2, 0.35, 0.5, 0.65, 0.8), strict=True):
            veiled, _ = spoil(made("fog"), sample, severity)
            expected = (1 - opacity) * sample.frames.mean() + opacity * 235
            assert veiled.mean() == pytest.approx(expected, abs=4)


class TestOverexposure:
    def test_a_stop_doubles_the_light(self):
        lighter, _ = spoil(made("overexposure"), grey(100), 2)
        linear = [((v / 255 + 0.055) / 1.055) ** 2.4 for v in (100, int(lighter[0, 0, 0, 0]))]
        assert linear[1] / linear[0] == pytest.approx(2, rel=0.02)


class TestFrames:
    def test_lost_frames_are_those_before(self):
        sample = ordinary(1, frames=16)[0]
        stuck, report = spoil(made("frame_drop"), sample, 4)
        same = [(a == b).all() for a, b in pairwise(stuck)]
        assert sum(same) == report["lost"]
        assert (stuck[0] == sample.frames[0]).all()
        assert all(any((f == g).all() for g in sample.frames[: i + 1]) for i, f in enumerate(stuck))


class TestFace:
    @pytest.mark.parametrize("thing", OBJECTS)
    def test_an_object_covers_its_share_of_the_face(self, thing):
        sample = grey(255, side=128)
        for severity, area in zip(SEVERITIES, (0.1, 0.2, 0.3, 0.4, 0.5), strict=True):
            held, report = spoil(made("object_insertion", thing=thing), sample, severity)
            face = held[0][round(128 * 0.12) : round(128 * 0.92), round(128 * 0.2) : round(128 * 0.8)]
            assert (face != 255).any(axis=-1).mean() == pytest.approx(area, abs=0.05)
            assert report["thing"] == thing

    def test_regions_lie_in_the_face(self):
        sample = grey(255, side=128, face_box=[0.5, 0.0, 1.0, 0.5])
        for region in ("eyes", "mouth", "left", "right"):
            covered, report = spoil(made("face_region", region=region), sample, 5)
            hidden = (covered[0] != 255).any(axis=-1)
            assert report["box_from"] == "dataset"
            assert hidden[:64, 64:].sum() == hidden.sum() > 0

    def test_eyes_lie_above_the_mouth(self):
        rows = {}
        for region in ("eyes", "mouth"):
            covered, _ = spoil(made("face_region", region=region), grey(255), 5)
            rows[region] = np.flatnonzero((covered[0] != 255).any(axis=(1, 2)))
        assert rows["eyes"].max() < rows["mouth"].min()

    @pytest.mark.parametrize("box", [[0, 0, 1], "middle", [0.5, 0.5, 0.4, 0.9], [0, 0, 2, 1]])
    def test_a_box_that_is_none_is_refused(self, box):
        with pytest.raises(MerbenchError, match="the face box of 'clip'"):
            spoil(made("face_region"), grey(face_box=box), 3)
