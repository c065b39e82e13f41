"""What a device does to media is what the host does: whatever has a twin is tested here by itself.

Everything runs on torch's CPU tensors, and again on a GPU where there is one.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from corruptions.audio._device import scaled
from merbench.corruption import corruptions
from merbench.device import DeviceBatch, tensor_of
from merbench.device.kernels import fusing
from merbench.device.random import gaussian_picks
from merbench.options import build
from merbench.rng import Stream, gaussian_table
from merbench.types import SEVERITIES, Batch
from tests.corruptions.samples import awkward, ordinary, pool, suited

TWINS = [name for name in corruptions.names() if corruptions[name].device_tolerance is not None]
HOST_ONLY = [name for name in corruptions.names() if corruptions[name].device_tolerance is None]


@pytest.fixture(params=["cpu", "cuda"])
def device(request):
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no GPU here")
    return torch.device(request.param)


@pytest.fixture
def made(from_outside):
    def make(name, **options):
        cls = corruptions[name]
        return build(cls, name, {**from_outside(cls), **options})

    return make


@cache
def samples(name):
    """Ordinary rows of two lengths, sizes and rates, and every awkward one that is not long."""
    usual = [*ordinary(5, size=40), *ordinary(3, seconds=0.7, sample_rate=8_000, frames=3, size=56)]
    odd = [sample for what, sample in awkward().items() if what != "half a minute"]
    return [*suited(name, usual), *odd]


def both(corruption, rows, severity, device, hidden=()):
    """What the host and what the device make of the same rows."""
    everybody = pool(samples(corruption.name))
    params = corruption.draw_all(rows, everybody, "device")
    clean = Batch.of(rows)
    if hidden:
        gone = np.isin(np.arange(len(rows)), hidden)
        clean = clean.replace(audio=clean.audio.hide(gone), frames=clean.frames.hide(gone))
    strength = corruption.strength(severity)
    host = corruption.apply(clean, params, everybody, **strength)
    uploaded = DeviceBatch.upload(clean, device)
    before = [tensor_of(media).clone() for media in (uploaded.audio, uploaded.frames)]
    there, achieved = corruption.apply_on_device(uploaded, params, everybody, **strength)
    assert there.device.type == device.type
    assert all(
        torch.equal(tensor_of(m), b) for m, b in zip((uploaded.audio, uploaded.frames), before, strict=True)
    )
    return host, (there.download(), achieved)


def assert_equal(corruption, host, there):
    (expected, reports), (found, achieved) = host, there
    assert achieved == reports
    assert found.text == expected.text
    assert found.sample_rates == expected.sample_rates
    for medium in ("audio", "frames"):
        rows = zip(getattr(expected, medium), getattr(found, medium), strict=True)
        for a, b in rows:
            assert (a is None) == (b is None)
            if a is not None:
                assert a.shape == b.shape
                assert a.dtype == b.dtype
                apart = np.abs(a.astype(np.int32) - b.astype(np.int32)).max(initial=0)
                assert apart <= (corruption.device_tolerance or 0)


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_gives_the_bytes_and_reports_of_the_host(name, made, device):
    corruption = made(name)
    # A compound is its parts, each of which is tested by itself at every severity.
    for severity in SEVERITIES if not name.startswith("compound/") else (4,):
        assert_equal(corruption, *both(corruption, samples(name), severity, device))


@pytest.mark.parametrize("name", TWINS)
def test_a_row_alone_is_the_row_it_is_in_a_batch(name, made, device):
    corruption = made(name)
    for row in samples(name)[:3]:
        assert_equal(corruption, *both(corruption, [row], 4, device))


@pytest.mark.parametrize("name", TWINS)
def test_hidden_rows_stay_hidden(name, made, device):
    corruption = made(name)
    assert_equal(corruption, *both(corruption, samples(name)[:6], 3, device, hidden=(1, 4)))


@pytest.mark.parametrize("name", ["audio/environment", "vision/occlusion_mask"])
def test_a_batch_of_nothing_stays_that(name, made, device):
    corruption = made(name)
    assert_equal(corruption, *both(corruption, [], 3, device))


OPTIONS = [
    ("audio/packet_loss", {"concealment": "repeat"}),
    ("audio/environment", {"snr_reference": "whole"}),
    ("audio/environment", {"control": True}),
    ("audio/musan", {"snr": "drawn"}),
    ("modality/desync", {"direction": "early"}),
    ("modality/dropout", {"pattern": "v"}),
    ("vision/occlusion_mask", {"motion": "drift", "fill": "black"}),
]


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=lambda value: str(value))
def test_options_hold_on_a_device_too(name, options, made, device):
    corruption = made(name, **options)
    assert_equal(corruption, *both(corruption, samples(name), 5, device))


@pytest.mark.parametrize("name", ["text/typo", "vision/jpeg"])
def test_without_a_twin_the_host_does_it(name, made, device):
    assert name in HOST_ONLY
    assert_equal(made(name), *both(made(name), samples(name)[:4], 3, device))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=3), st.integers(0, 70)), min_size=1, max_size=5))
def test_gaussians_are_those_of_the_stream(rows):
    keys = [Stream.of("device", name).key for name, _ in rows]
    counts = [count for _, count in rows]
    picks, begins = gaussian_picks(keys, counts, torch.device("cpu"))
    for key, count, begin in zip(keys, counts, begins, strict=True):
        found = gaussian_table()[picks[begin : begin + count].numpy().view(np.uint16)]
        assert np.array_equal(found, Stream(key).normal(count))


def test_rounding_is_half_to_even():
    levels = torch.tensor([-5, -3, -1, 1, 3, 5], dtype=torch.int16)
    halves = scaled(levels, torch.tensor([6]), torch.tensor([0.5], dtype=torch.float64))
    assert halves.tolist() == np.rint(levels.numpy() / 2).tolist() == [-2, -2, 0, 0, 2, 2]


def test_a_recording_of_the_lowest_level_alone_is_not_silent(made):
    row = replace(ordinary(1)[0], audio=np.full(1_000, -32768, dtype=np.int16))
    corruption = made("audio/gain")
    _, achieved = corruption.apply_on_device(
        DeviceBatch.upload(Batch.of([row]), "cpu"), [{}], pool([row]), **corruption.strength(1)
    )
    assert achieved[0]["applied"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on the CPU")
@pytest.mark.parametrize("name", ["audio/gain", "vision/gaussian_noise"])
def test_compiled_kernels_give_the_same_bytes(name, made):
    with fusing():
        host, there = both(made(name), samples(name)[:8], 3, torch.device("cpu"))
    assert_equal(made(name), host, there)


def test_the_memory_bound_ones_have_a_twin():
    expected = {
        "audio/environment", "audio/urban_noise", "audio/babble", "audio/white", "audio/pink", "audio/gain",
        "audio/clipping", "audio/time_mask", "audio/packet_loss", "audio/reverb", "audio/band_limit",
        "vision/occlusion_mask", "vision/face_region", "vision/object_insertion", "vision/gaussian_noise",
        "vision/shot_noise", "vision/motion_blur", "vision/defocus", "vision/low_light", "vision/fog",
        "vision/overexposure", "vision/frame_drop", "modality/dropout", "modality/desync",
        "modality/mismatch",
    }  # fmt: skip
    assert expected <= set(TWINS)
