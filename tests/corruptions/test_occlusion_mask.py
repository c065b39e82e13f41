"""The mask covers exactly its share, a higher severity a superset, and it moves only when told to."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corruptions.vision._masks import hide
from merbench.corruption import corruptions
from merbench.options import build
from merbench.rng import Stream
from merbench.types import SEVERITIES, Batch, Sample, Utterance
from tests.corruptions.samples import ordinary, pool

AREAS = (0.10, 0.20, 0.30, 0.45, 0.60)


def occlusion(**options):
    return build(corruptions["vision/occlusion_mask"], "vision/occlusion_mask", options)


def clip(frames, height, width, name="clip"):
    """A clip of a colour that no mask has."""
    return Sample(
        utterance=Utterance(id=name, label="?", split="test"),
        frames=np.full((frames, height, width, 3), 200, dtype=np.uint8),
        timestamps=np.arange(frames) / 8,
    )


def hidden(corruption, sample, severity, params=None):
    """Which pixels of which frame are covered, bool [F, H, W], and the report."""
    params = corruption.draw_all([sample], pool([sample]), "tests") if params is None else params
    batch, (report,) = corruption.apply(
        Batch.of([sample]), params, pool([sample]), **corruption.strength(severity)
    )
    changed = batch.frames[0] != sample.frames
    assert (changed.all(axis=-1) == changed.any(axis=-1)).all()  # a pixel goes with all its colours
    return changed.all(axis=-1), report


@pytest.mark.parametrize("motion", ["constant", "drift"])
@pytest.mark.parametrize("size", [(224, 224), (480, 640), (37, 101), (720, 406)])
def test_every_frame_loses_exactly_its_share(size, motion):
    sample = clip(5, *size)
    for severity, area in zip(SEVERITIES, AREAS, strict=True):
        mask, report = hidden(occlusion(motion=motion), sample, severity)
        shares = mask.reshape(5, -1).mean(axis=1)
        assert (shares == shares[0]).all()
        assert abs(shares[0] * size[0] * size[1] - area * size[0] * size[1]) < 1  # to the pixel
        assert report["area"] == pytest.approx(shares[0], abs=1e-6)


@pytest.mark.parametrize("motion", ["constant", "drift"])
def test_a_higher_severity_hides_a_superset_in_every_frame(motion):
    corruption = occlusion(motion=motion)
    for i in range(20):
        sample = clip(4, 60, 80, f"clip{i}")
        masks = [hidden(corruption, sample, severity)[0] for severity in SEVERITIES]
        for lower, higher in pairwise(masks):
            assert (higher | ~lower).all()
            assert higher.sum() > lower.sum()


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32), st.data())
def test_any_size_and_any_number_of_pixels(height, width, seed, data):
    rng = Stream.of("rectangles", str(seed))
    sides = rng.integers(8, 1, 600).reshape(-1, 2)
    corners = (rng.uniform(8).reshape(-1, 2) * (1024 - sides)).astype(np.int64)
    rectangles = np.hstack([corners, sides])
    few = data.draw(st.integers(0, height * width))
    many = data.draw(st.integers(few, height * width))
    masks = [hide(rectangles, height, width, pixels).reshape(height, width, 3) for pixels in (few, many)]
    assert [int(mask[..., 0].sum()) for mask in masks] == [few, many]
    assert all((mask == mask[..., :1]).all() for mask in masks)
    assert (masks[1] | ~masks[0]).all()


def test_the_first_rectangle_goes_first_and_the_last_is_cut_short():
    rectangles = np.array([[0, 0, 512, 512], [256, 256, 512, 512]])  # a quarter each, overlapping
    mask = hide(rectangles, 8, 8, 20).reshape(8, 8, 3)[..., 0]
    assert mask[:4, :4].all()
    assert mask.sum() == 20
    assert mask[2:4, 4:6].all()  # what is new of the second, in reading order
    assert not mask[4:].any()


def test_what_no_rectangle_holds_comes_last():
    mask = hide(np.array([[0, 0, 512, 1024]]), 4, 4, 10).reshape(4, 4, 3)[..., 0]
    assert mask[:2].all()
    assert mask[2].tolist() == [True, True, False, False]


def test_a_single_pixel_is_hidden_as_often_as_the_area_says():
    samples = [clip(1, 1, 1, f"pixel{i}") for i in range(2_000)]
    corruption = occlusion()
    params = corruption.draw_all(samples, pool(samples), "tests")
    before = np.zeros(2_000, dtype=bool)
    for severity, area in zip(SEVERITIES, AREAS, strict=True):
        batch, _ = corruption.apply(Batch.of(samples), params, pool(samples), area=area)
        covered = batch.frames.values[::3] != 200
        assert covered.mean() == pytest.approx(area, abs=0.03), severity
        assert (covered | ~before).all()
        before = covered


def test_constant_means_the_same_pixels_in_every_frame():
    mask, _ = hidden(occlusion(), clip(6, 50, 50), 4)
    assert (mask == mask[0]).all()


def test_drift_moves_the_same_shape_little_by_little():
    sample = clip(16, 64, 64)
    corruption = occlusion(motion="drift")
    params = corruption.draw_all([sample], pool([sample]), "tests")
    mask, _ = hidden(corruption, sample, 3, params)
    still, _ = hidden(occlusion(), sample, 3, params)
    assert (mask[0] == still[0]).all()
    down, right = params[0]["drift"]
    for f in range(16):
        shift = down * 64 * f // (1024 * 16), right * 64 * f // (1024 * 16)
        assert (mask[f] == np.roll(mask[0], shift, axis=(0, 1))).all()
    assert (mask[0] != mask[-1]).any()


def test_motion_and_colour_share_the_draw():
    samples = ordinary(8)
    drawn = [
        c.draw_all(samples, pool(samples), "tests")
        for c in (occlusion(), occlusion(motion="drift"), occlusion(fill="black"))
    ]
    assert drawn[0] == drawn[1] == drawn[2]


@pytest.mark.parametrize(("fill", "level"), [("grey", 128), ("black", 0)])
def test_the_colour_of_what_hides_the_face(fill, level):
    sample = clip(2, 40, 40)
    corruption = occlusion(fill=fill)
    params = corruption.draw_all([sample], pool([sample]), "tests")
    batch, _ = corruption.apply(Batch.of([sample]), params, pool([sample]), area=0.3)
    assert set(np.unique(batch.frames[0])) == {level, 200}


def test_different_samples_are_hidden_in_different_places():
    masks = [hidden(occlusion(), clip(1, 32, 32, f"clip{i}"), 2)[0].tobytes() for i in range(10)]
    assert len(set(masks)) == 10
