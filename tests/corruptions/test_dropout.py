"""Missing modalities: the exact share, nested, never all of them, and no media copied."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from merbench.corruption import corruptions
from merbench.errors import MerbenchError
from merbench.options import build
from merbench.types import MODALITIES, SEVERITIES, Batch
from tests.corruptions.samples import ordinary, pool

RATES = (0.10, 0.20, 0.35, 0.50, 0.65)


def dropout(**options):
    return build(corruptions["modality/dropout"], "modality/dropout", options)


def missing(sample, *modalities):
    gone = {
        "audio": {"audio": None, "sample_rate": None},
        "vision": {"frames": None, "timestamps": None},
        "text": {"text": None},
    }
    for modality in modalities:
        sample = replace(sample, **gone[modality])
    return sample


def small(count):
    return ordinary(count, seconds=0.01, frames=1, size=2)


def spoil(corruption, samples, rate):
    params = corruption.draw_all(samples, pool(samples), "tests")
    return corruption.apply(Batch.of(samples), params, pool(samples), rate=rate)


def there(batch):
    """Which media are there, bool [N, 3]."""
    return np.stack([batch.present(m) for m in MODALITIES], axis=1)


class TestRandomPattern:
    def test_the_share_of_missing_cells_is_the_rate(self):
        samples = small(6_000)
        for rate in RATES:
            batch, reports = spoil(dropout(), samples, rate)
            share = 1 - there(batch).mean()
            assert share == pytest.approx(rate, abs=0.012)
            assert np.mean([r["dropped"] for r in reports]) == pytest.approx(share, abs=1e-6)

    def test_every_modality_is_missing_as_often(self):
        shares = 1 - there(spoil(dropout(), small(6_000), 0.5)[0]).mean(axis=0)
        assert np.abs(shares - 0.5).max() < 0.02

    def test_with_two_modalities_too(self):
        samples = [missing(s, "vision") for s in small(6_000)]
        batch, reports = spoil(dropout(), samples, 0.35)
        assert 1 - there(batch)[:, [0, 2]].mean() == pytest.approx(0.35, abs=0.015)
        assert all(r["applied"] for r in reports)

    def test_one_modality_always_stays(self):
        assert there(spoil(dropout(), small(3_000), 0.65)[0]).any(axis=1).all()

    def test_a_higher_severity_drops_a_superset(self):
        samples = small(500)
        batches = [there(spoil(dropout(), samples, rate)[0]) for rate in RATES]
        for lower, higher in pairwise(batches):
            assert not (higher & ~lower).any()

    def test_the_highest_reachable_rate_leaves_exactly_one(self):
        batch, _ = spoil(dropout(), small(300), 2 / 3)
        assert (there(batch).sum(axis=1) == 1).all()

    def test_a_rate_out_of_reach_is_never_quietly_reduced(self):
        bimodal = [missing(s, "vision") for s in small(50)]
        batch, reports = spoil(dropout(), bimodal, 0.65)
        assert there(batch).tolist() == there(Batch.of(bimodal)).tolist()
        assert all(
            r == {"applied": False, "dropped": None, "reason": "of 2 modalities at most 50% can be dropped"}
            for r in reports
        )

    def test_a_lone_modality_is_never_dropped(self):
        alone = [missing(s, "vision", "audio") for s in small(50)]
        for severity in SEVERITIES:
            batch, reports = spoil(dropout(), alone, RATES[severity - 1])
            assert batch.text == tuple(s.text for s in alone)
            assert all(r["reason"] == "there is no second modality" for r in reports)

    def test_what_is_missing_is_reported(self):
        batch, reports = spoil(dropout(), small(100), 0.5)
        for row, report in zip(there(batch), reports, strict=True):
            assert report["missing"] == [m for m, here in zip(MODALITIES, row, strict=True) if not here]


class TestFixedPatterns:
    @pytest.mark.parametrize(
        ("pattern", "kept"),
        [
            ("a", ["audio"]),
            ("v", ["vision"]),
            ("t", ["text"]),
            ("av", ["audio", "vision"]),
            ("at", ["audio", "text"]),
            ("vt", ["vision", "text"]),
        ],
    )
    def test_exactly_these_are_kept_at_any_severity(self, pattern, kept):
        corruption = dropout(pattern=pattern)
        for severity in SEVERITIES:
            batch, reports = spoil(corruption, small(5), **corruption.strength(severity))
            assert there(batch).tolist() == [[m in kept for m in MODALITIES]] * 5
            assert all(r["applied"] for r in reports)

    def test_an_utterance_without_what_is_kept_passes_unchanged(self):
        silent = [missing(s, "audio") for s in small(3)]
        batch, reports = spoil(dropout(pattern="av"), silent, 0.1)
        assert there(batch).tolist() == there(Batch.of(silent)).tolist()
        assert {r["reason"] for r in reports} == {"there is no audio to keep"}

    def test_patterns_share_the_draw_and_are_cells_of_their_own(self):
        samples = small(5)
        draws = [dropout(pattern=p).draw_all(samples, pool(samples), "t") for p in ("random", "a", "vt")]
        assert draws[0] == draws[1] == draws[2]
        assert len({dropout(pattern=p).cell(1).cell_id for p in ("random", "a", "vt")}) == 3

    def test_an_unknown_pattern_is_refused_with_the_list(self):
        with pytest.raises(MerbenchError, match=r"random \| a \| v \| t \| av \| at \| vt"):
            dropout(pattern="x")


class TestMedia:
    def test_no_buffer_is_copied(self):
        samples = small(40)
        clean = Batch.of(samples)
        params = dropout().draw_all(samples, pool(samples), "tests")
        batch, _ = dropout().apply(clean, params, pool(samples), rate=0.65)
        assert batch.audio.values is clean.audio.values
        assert batch.frames.values is clean.frames.values

    def test_what_nobody_loses_is_the_very_same_object(self):
        samples = small(10)
        clean = Batch.of(samples)
        params = dropout().draw_all(samples, pool(samples), "tests")
        batch, _ = dropout(pattern="av").apply(clean, params, pool(samples), rate=0.1)
        assert batch.audio is clean.audio
        assert batch.frames is clean.frames

    def test_a_dropped_modality_looks_as_if_it_had_never_been_there(self):
        samples = small(4)
        batch, _ = spoil(dropout(pattern="t"), samples, 0.1)
        never = Batch.of([missing(s, "audio", "vision") for s in samples])
        assert batch.sample_rates == never.sample_rates
        assert batch.timestamps == never.timestamps
        assert batch.text == never.text
        assert list(batch.audio) == list(never.audio)
        assert list(batch.frames) == list(never.frames)
