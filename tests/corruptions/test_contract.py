"""What every corruption owes. Whatever is registered is tested here by itself."""

from __future__ import annotations

import inspect
import json
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from functools import cache
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from merbench.corruption import Exactness, Validity, corruptions
from merbench.errors import MerbenchError
from merbench.hashing import hash_array
from merbench.options import build, canonical, describe
from merbench.types import MODALITIES, SEVERITIES, Batch, Pool
from tests.corruptions.samples import awkward, ordinary, pool, suited

MANY = 2_000


@pytest.fixture(params=corruptions.names())
def corruption(request, from_outside):
    cls = corruptions[request.param]
    return build(cls, cls.name, from_outside(cls))


@cache
def thirty_two():
    return ordinary(32, size=112)  # large enough for a blur of 3 % of the side


def several(corruption):
    """Ordinary samples: fewer for what runs a codec or a model, ten thousand times as slow as a kernel."""
    return suited(corruption.name, thirty_two())[: 32 if corruption.exactness == "exact" else 6]


@cache
def thousands():
    return ordinary(MANY, seconds=0.2, frames=2, size=16)


def draws(corruption, samples, **key):
    return corruption.draw_all(samples, pool(samples), "tests", **key)


def applied(corruption, samples, severity, params=None, split=None):
    """Corrupt `samples`, which are all of their split unless the whole of it is given."""
    everybody = pool(samples if split is None else split)
    params = corruption.draw_all(samples, everybody, "tests") if params is None else params
    return corruption.apply(Batch.of(samples), params, everybody, **corruption.strength(severity))


def differ(some, others):
    """Whether draws are independent: two of a few values may well be equal, most of many may not."""
    return sum(a != b for a, b in zip(some, others, strict=True)) > len(some) // 4


def content(batch, i):
    """Row `i` as hashes and plain values."""
    arrays = (batch.audio[i], batch.frames[i], batch.timestamps[i])
    return (*(a if a is None else hash_array(a) for a in arrays), batch.sample_rates[i], batch.text[i])


def contents(batch):
    return [content(batch, i) for i in range(len(batch))]


def modality(batch, name):
    """The objects that hold one modality."""
    return {
        "audio": (batch.audio, batch.sample_rates),
        "vision": (batch.frames, batch.timestamps),
        "text": (batch.text,),
    }[name]


class TestCard:
    def test_it_is_complete(self, corruption):
        assert corruption.version >= 1
        assert set(corruption.changes) <= set(MODALITIES)
        assert corruption.changes
        assert corruption.exactness in get_args(Exactness)
        assert len(corruption.label_validity) == len(SEVERITIES)
        assert set(corruption.label_validity) <= set(get_args(Validity))
        assert len(corruption.validity_source) > 20
        assert len(corruption.source) > 20
        assert inspect.getdoc(type(corruption))

    def test_every_column_of_the_table_has_five_strengths(self, corruption):
        assert all(len(column) == len(SEVERITIES) for column in corruption.severity.values())

    def test_strength_goes_one_way(self, corruption):
        column = corruption.severity[corruption.measure.strength]
        steps = np.diff(column) * (1 if corruption.measure.worse == "higher" else -1)
        assert (steps > 0).all(), column

    def test_every_option_is_described(self, corruption):
        for name, kind, _, help in describe(type(corruption)):
            assert kind and len(help) > 10, name

    def test_its_options_are_plain_json(self, corruption):
        json.dumps(canonical(corruption), allow_nan=False)

    def test_it_names_the_libraries_that_its_bytes_depend_on(self, corruption):
        assert bool(corruption.libraries) == (corruption.exactness != "exact")
        assert all(version(library) for library in corruption.libraries)
        for part in getattr(corruption, "parts", {}).values():
            assert {*part.libraries} <= {*corruption.libraries}

    def test_its_name_is_where_its_file_is(self, corruption):
        assert type(corruption).__module__.endswith(corruption.name.replace("/", "."))


class TestDraw:
    def test_it_cannot_see_the_severity(self, corruption):
        assert list(inspect.signature(corruption.draw).parameters) == ["rng", "sample", "pool"]

    def test_it_is_small_plain_json_that_survives_being_written(self, corruption):
        samples = several(corruption)[:4]
        params = draws(corruption, samples)
        read = [json.loads(json.dumps(p, allow_nan=False)) for p in params]
        assert read == params
        assert all(len(json.dumps(p)) < 1_000 for p in params)
        for severity in SEVERITIES:
            first, _ = applied(corruption, samples, severity, params)
            second, _ = applied(corruption, samples, severity, read)
            assert contents(first) == contents(second)

    def test_neither_order_nor_a_limit_changes_it(self, corruption):
        samples = several(corruption)
        by_id = dict(zip([s.id for s in samples], draws(corruption, samples), strict=True))
        few = samples[-2:0:-3]
        assert corruption.draw_all(few, pool(samples), "tests") == [by_id[s.id] for s in few]

    def test_it_takes_partners_from_the_pool_only_if_it_says_so(self, corruption):
        samples = several(corruption)[:4]
        empty = Pool((), pytest.fail)
        if not corruption.uses_pool:
            params = corruption.draw_all(samples, empty, "tests")
            assert params == draws(corruption, samples)
            corruption.apply(Batch.of(samples), params, empty, **corruption.strength(3))

    @pytest.mark.parametrize("other", [{"seed": 1}, {"replicate": 1}])
    def test_another_seed_or_replicate_changes_the_draws(self, corruption, other):
        samples = several(corruption)
        if not corruption.is_random:
            assert draws(corruption, samples) == draws(corruption, samples, **other) == [{}] * len(samples)
            return
        assert differ(draws(corruption, samples), draws(corruption, samples, **other))

    def test_the_same_id_in_another_dataset_is_another_sample(self, corruption):
        samples = several(corruption)
        if not corruption.is_random:
            pytest.skip("nothing is drawn")
        others = corruption.draw_all(samples, pool(samples), "another")
        assert differ(draws(corruption, samples), others)

    def test_it_is_the_same_twice(self, corruption):
        assert draws(corruption, several(corruption)) == draws(corruption, several(corruption))


class TestStrength:
    def test_what_is_achieved_meets_the_table(self, corruption):
        measure = corruption.measure
        per_sample = measure.kind == "per-sample"
        samples = several(corruption) if per_sample else suited(corruption.name, thousands())
        params = draws(corruption, samples)
        for severity in SEVERITIES:
            wanted = corruption.strength(severity)[measure.strength]
            _, achieved = applied(corruption, samples, severity, params)
            figures = np.array([a[measure.achieved] for a in achieved if a["applied"]])
            assert len(figures) == len(samples)
            if per_sample:
                assert np.abs(figures - wanted).max() <= measure.tolerance
            else:
                assert abs(figures.mean() / wanted - 1) <= measure.tolerance

    def test_no_sample_is_spoilt_less_by_a_higher_severity(self, corruption):
        samples = several(corruption)
        params = draws(corruption, samples)
        figures = [
            [a[corruption.measure.achieved] for a in applied(corruption, samples, s, params)[1]]
            for s in SEVERITIES
        ]
        steps = np.diff(np.array(figures), axis=0) * (1 if corruption.measure.worse == "higher" else -1)
        assert (steps >= 0).all()
        assert (steps.mean(axis=1) > 0).all()

    def test_it_survives_a_limit(self, corruption):
        samples = several(corruption)
        _, everything = applied(corruption, samples, 3)
        few = [1, 3, 4]
        params = corruption.draw_all([samples[i] for i in few], pool(samples), "tests")
        _, achieved = applied(corruption, [samples[i] for i in few], 3, params, samples)
        assert achieved == [everything[i] for i in few]

    def test_severity_five_changes_something(self, corruption):
        samples = several(corruption)
        batch, _ = applied(corruption, samples, 5)
        assert contents(batch) != contents(Batch.of(samples))


class TestApply:
    @pytest.mark.parametrize("severity", SEVERITIES)
    def test_a_report_per_row_in_plain_json(self, corruption, severity):
        batch, achieved = applied(corruption, several(corruption), severity)
        assert len(batch) == len(achieved) == len(several(corruption))
        for row in achieved:
            json.dumps(row, allow_nan=False)
            assert row["applied"] is True
            assert row[corruption.measure.achieved] is not None

    def test_a_row_alone_is_the_row_it_is_in_a_batch(self, corruption):
        samples = several(corruption)
        params = draws(corruption, samples)
        for severity in SEVERITIES:
            together, reports = applied(corruption, samples, severity, params)
            for i in range(len(samples)):
                alone, report = applied(corruption, [samples[i]], severity, [params[i]], samples)
                assert content(alone, 0) == content(together, i)
                assert report == [reports[i]]

    def test_rows_may_stand_in_any_order(self, corruption):
        samples = several(corruption)
        forwards, _ = applied(corruption, samples, 4)
        backwards, _ = applied(corruption, samples[::-1], 4)
        assert contents(forwards) == contents(backwards)[::-1]

    def test_threads_do_not_disturb_each_other(self, corruption):
        samples = several(corruption)
        expected = contents(applied(corruption, samples, 3)[0])
        with ThreadPoolExecutor(4) as threads:
            found = threads.map(lambda _: contents(applied(corruption, samples, 3)[0]), range(8))
            assert all(one == expected for one in found)

    def test_duration_shape_type_and_times_are_kept(self, corruption):
        clean = Batch.of(several(corruption))
        for severity in SEVERITIES:
            batch, _ = applied(corruption, several(corruption), severity)
            assert batch.audio.values.dtype == np.int16
            assert batch.frames.values.dtype == np.uint8
            for i in range(len(batch)):
                if corruption.keeps_shape and batch.audio[i] is not None:
                    assert batch.audio[i].shape == clean.audio[i].shape
                    assert batch.sample_rates[i] == clean.sample_rates[i]
                if corruption.keeps_shape and batch.frames[i] is not None:
                    assert batch.frames[i].shape == clean.frames[i].shape
                    assert batch.timestamps[i] is clean.timestamps[i]

    def test_other_modalities_are_handed_through_untouched(self, corruption):
        samples = several(corruption)
        clean = Batch.of(samples)
        batch, _ = corruption.apply(
            clean, draws(corruption, samples), pool(samples), **corruption.strength(4)
        )
        for name in set(MODALITIES) - set(corruption.changes):
            assert all(a is b for a, b in zip(modality(batch, name), modality(clean, name), strict=True))

    def test_the_input_is_never_written_to(self, corruption):
        samples = several(corruption)
        clean = Batch.of(samples)
        before = contents(clean)
        clean.audio.values.setflags(write=False)
        clean.frames.values.setflags(write=False)
        params = draws(corruption, samples)
        kept = json.dumps(params)
        for severity in SEVERITIES:
            corruption.apply(clean, params, pool(samples), **corruption.strength(severity))
        assert contents(clean) == before
        assert json.dumps(params) == kept

    def test_global_generators_are_left_alone(self, corruption):
        random.seed(5)
        np.random.seed(5)  # noqa: NPY002 (the global state is what is looked at)
        before = random.getstate(), str(np.random.get_state())  # noqa: NPY002
        first, _ = applied(corruption, several(corruption), 4)
        assert (random.getstate(), str(np.random.get_state())) == before  # noqa: NPY002
        random.seed(6)
        np.random.seed(6)  # noqa: NPY002
        second, _ = applied(corruption, several(corruption), 4)
        assert contents(first) == contents(second)


@pytest.mark.parametrize("name", awkward())
class TestAwkwardInput:
    """Whatever comes is corrupted, passed on unchanged with the reason, or refused in one clear line."""

    def spoil(self, corruption, name, severity):
        samples = [several(corruption)[0], awkward()[name], several(corruption)[1]]
        try:
            return samples, *applied(corruption, samples, severity, split=several(corruption))
        except MerbenchError as error:
            assert "\n" not in str(error)
            assert len(str(error)) > 40
            pytest.skip(f"refused: {error}")

    @pytest.mark.parametrize("severity", [1, 5])
    def test_it_is_handled_or_refused(self, corruption, name, severity):
        samples, batch, achieved = self.spoil(corruption, name, severity)
        clean = Batch.of(samples)
        json.dumps(achieved, allow_nan=False)
        for i, report in enumerate(achieved):
            if not report["applied"]:
                assert content(batch, i) == content(clean, i)
                assert report[corruption.measure.achieved] is None
                assert len(report["reason"]) > 5

    def test_its_neighbours_do_not_notice(self, corruption, name):
        samples, batch, _ = self.spoil(corruption, name, 3)
        alone, _ = applied(corruption, [samples[0], samples[2]], 3, split=several(corruption))
        assert [content(batch, 0), content(batch, 2)] == contents(alone)

    def test_no_modality_appears_from_nowhere(self, corruption, name):
        samples, batch, _ = self.spoil(corruption, name, 5)
        clean = Batch.of(samples)
        for m in MODALITIES:
            assert not (batch.present(m) & ~clean.present(m)).any()

    def test_order_holds_wherever_it_applies(self, corruption, name):
        sample = awkward()[name]
        figures = []
        for severity in SEVERITIES:
            _, _, (_, report, _) = self.spoil(corruption, name, severity)
            figures.append(report[corruption.measure.achieved] if report["applied"] else None)
        there = [f for f in figures if f is not None]
        sign = 1 if corruption.measure.worse == "higher" else -1
        assert all(sign * (b - a) >= 0 for a, b in pairwise(there)), (sample.id, figures)


def test_a_row_that_was_hidden_earlier_stays_absent(corruption):
    """Corruptions compose: the buffer may still hold media of rows that are no longer there."""
    samples = several(corruption)[:3]
    clean = Batch.of(samples)
    gone = np.array([False, True, False])
    hidden = clean.replace(
        audio=clean.audio.hide(gone),
        frames=clean.frames.hide(gone),
        text=(samples[0].text, None, samples[2].text),
    )
    batch, achieved = corruption.apply(
        hidden, draws(corruption, samples), pool(samples), **corruption.strength(5)
    )
    assert not any(batch.present(m)[1] for m in MODALITIES)
    assert not achieved[1]["applied"]


def test_every_corruption_is_reached_by_a_spelling_with_dashes(corruption):
    assert corruptions[corruption.name.replace("_", "-")] is type(corruption)


def test_a_resource_is_no_part_of_the_identity(corruption):
    places = [f.name for f in fields(corruption) if f.metadata.get("resource")]
    if not places:
        pytest.skip("it has none")
    elsewhere = replace(corruption, **dict.fromkeys(places, Path("elsewhere")))
    assert elsewhere.cell(3) == corruption.cell(3)
    assert elsewhere.key("d", "i", seed=0, replicate=0) == corruption.key("d", "i", seed=0, replicate=0)
