"""Stored media come back exactly, and what cannot be stored is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from merbench.errors import MerbenchError
from merbench.media.encode import decode_flac, decode_png, encode_flac, encode_png

RATES = st.one_of(st.integers(1, 65_535), st.integers(6_554, 65_535).map(lambda r: 10 * r))


@given(arrays.arrays(np.int16, st.integers(1, 5000)), RATES)
@settings(max_examples=60, deadline=None)
def test_flac_returns_every_sample_and_the_rate(audio, rate):
    decoded, decoded_rate = decode_flac(encode_flac(audio, rate))
    assert decoded.dtype == np.int16
    assert decoded_rate == rate
    np.testing.assert_array_equal(decoded, audio)


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))))
@settings(max_examples=60, deadline=None)
def test_png_returns_every_pixel(frame):
    decoded = decode_png(encode_png(frame))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, frame)


def test_the_png_is_one_that_others_read_in_the_same_colours():
    frame = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(encode_png(frame)))), frame)


def test_the_same_media_are_the_same_bytes_from_any_thread():
    rng = np.random.default_rng(0)
    audio = rng.integers(-9000, 9000, 16_000).astype(np.int16)
    frame = rng.integers(0, 256, (224, 224, 3), dtype=np.uint8)

    def encode(_: int) -> tuple[bytes, bytes]:
        return encode_flac(audio, 16_000), encode_png(frame)

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(encode, range(16)))) == 1


@pytest.mark.parametrize("rate", [0, -1, 65_536, 655_351, 1_000_000])
def test_a_rate_that_flac_cannot_hold_is_refused(rate):
    with pytest.raises(MerbenchError, match=f"FLAC cannot hold audio at {rate} Hz; resample"):
        encode_flac(np.zeros(10, np.int16), rate)


def test_audio_of_zero_length_is_refused():
    with pytest.raises(MerbenchError, match="zero length"):
        encode_flac(np.zeros(0, np.int16), 16_000)


@pytest.mark.parametrize("decode", [decode_flac, decode_png])
@pytest.mark.parametrize("data", [b"not media at all", b"", b"fLaC"])
def test_damaged_bytes_are_an_error_and_not_an_array(decode, data):
    with pytest.raises(MerbenchError, match="damaged"):
        decode(data)


def test_a_truncated_flac_is_an_error_and_not_a_shorter_clip():
    data = encode_flac(np.arange(20_000).astype(np.int16), 16_000)
    with pytest.raises(MerbenchError, match=r"truncated|damaged"):
        decode_flac(data[: len(data) // 2])


def test_a_truncated_png_is_an_error_and_not_a_grey_frame():
    frame = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encode_png(frame)
    with pytest.raises(MerbenchError, match="damaged"):
        decode_png(data[: len(data) // 2])
