"""A part of a longer video is the same pictures as the whole, decoded from its beginning."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from merbench.errors import MerbenchError
from merbench.media.decode import Excerpt, read_video
from merbench.types import MediaSpec
from tests.media.clips import tone, truncate, write_clip

NATIVE = MediaSpec(frames=4, frame_size=None)


def drifting(n: int = 60, height: int = 32, width: int = 48) -> np.ndarray:
    """Frames uint8 [n, height, width, 3] that change too little for an encoder to add key frames."""
    y, x = np.mgrid[:height, :width]
    waves = [90 + n_ + 30 * np.sin((x + n_) / 5) + 20 * np.cos(y / 4) for n_ in range(n)]
    return np.repeat(np.array(waves, np.uint8)[..., None], 3, axis=3)


FILMS = (
    ("mpeg4", "avi", 0),
    ("mpeg4", "avi", 2),  # an AVI file says when a picture is decoded, and not when it is shown
    ("mpeg4", "mp4", 2),
    ("libx264", "mp4", 3),
    ("libx264", "mkv", 0),
    ("libvpx-vp9", "webm", None),
)


@pytest.fixture(scope="module", params=FILMS, ids=lambda film: "-".join(map(str, film)))
def film(request, tmp_path_factory):
    """A film of six seconds at ten pictures per second, and all its pictures with their times."""
    import av

    codec, container, b_frames = request.param
    path = tmp_path_factory.mktemp("film") / f"film.{container}"
    write_clip(path, drifting(), codec=codec, b_frames=b_frames)
    with av.open(str(path)) as whole:
        stream = whole.streams.video[0]
        keys = sum(packet.is_keyframe for packet in whole.demux(stream) if packet.size)
    assert keys < 60  # there is something to seek over
    everything = read_video(path, MediaSpec(frames=60, frame_size=None))
    assert everything.distinct == 60
    return path, everything


@given(start=st.integers(0, 590), length=st.integers(1, 300))
@settings(max_examples=25)
def test_every_excerpt_is_a_part_of_the_whole(film, start, length):
    path, everything = film
    got = read_video(Excerpt(path, start / 100, (start + length) / 100), NATIVE)
    times = [Fraction(start, 100) + i * Fraction(length, 400) for i in range(4)]
    ticks = np.rint(everything.timestamps * 1000).astype(int)
    shown = [max(0, int(np.searchsorted(ticks, int(t * 1000), side="right")) - 1) for t in times]
    np.testing.assert_array_equal(got.frames, everything.frames[shown])
    np.testing.assert_allclose(
        got.timestamps, np.maximum(everything.timestamps[shown] - start / 100, 0), atol=1e-9
    )
    assert got.distinct == len(set(shown))


def test_the_box_is_cut_out_before_anything_is_scaled(tmp_path):
    pictures = np.zeros((5, 32, 48, 3), np.uint8)
    pictures[:, :, 24:] = 200
    path = write_clip(tmp_path / "a.avi", pictures, codec="mpeg4")
    whole = read_video(path, MediaSpec(frames=1, frame_size=None)).frames
    right = Excerpt(path, 0.0, 0.5, (0.5, 0.25, 1.0, 0.75))
    np.testing.assert_array_equal(
        read_video(right, MediaSpec(frames=1, frame_size=None)).frames, whole[:, 8:24, 24:]
    )
    small = read_video(right, MediaSpec(frames=1, frame_size=8)).frames
    assert small.shape == (1, 8, 8, 3)
    assert small.min() > 150


def test_the_clock_starts_with_the_earlier_of_sound_and_pictures(tmp_path):
    ticks = [500 + 100 * i for i in range(20)]
    path = write_clip(
        tmp_path / "a.mkv", drifting(20), ticks=ticks, audio=tone(2.5, 16_000), audio_codec="flac"
    )
    everything = read_video(path, MediaSpec(frames=20, frame_size=None))
    assert everything.timestamps[0] == pytest.approx(0.5)
    got = read_video(Excerpt(path, 1.0, 1.1), MediaSpec(frames=1, frame_size=None))
    np.testing.assert_array_equal(got.frames[0], everything.frames[5])


def test_an_excerpt_that_outlasts_the_film_repeats_its_last_picture(film):
    path, everything = film
    got = read_video(Excerpt(path, 5.8, 7.0), NATIVE)
    np.testing.assert_array_equal(got.frames[-1], everything.frames[-1])
    assert got.distinct == 2


def test_an_excerpt_after_the_end_is_refused(film):
    path, _ = film
    with pytest.raises(MerbenchError, match=r"film\.\w+ ends before the excerpt that begins at 6\.50 s"):
        read_video(Excerpt(path, 6.5, 7.0), NATIVE)


def test_a_file_without_pictures_is_refused(tmp_path):
    path = write_clip(tmp_path / "a.m4a", audio=tone(1, 16_000))
    with pytest.raises(MerbenchError, match="has no video stream"):
        read_video(Excerpt(path, 0.0, 0.5), NATIVE)


def test_a_truncated_film_is_refused(tmp_path):
    path = truncate(write_clip(tmp_path / "a.avi", drifting(), codec="mpeg4"), 0.6)
    with pytest.raises(MerbenchError, match="is truncated"):
        read_video(Excerpt(path, 0.0, 0.5), NATIVE)


def test_no_such_file(tmp_path):
    with pytest.raises(MerbenchError, match="No such file"):
        read_video(Excerpt(tmp_path / "a.avi", 0.0, 0.5), NATIVE)
