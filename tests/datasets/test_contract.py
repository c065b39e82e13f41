"""What every registered dataset owes, tried on a miniature of it."""

from __future__ import annotations

import re
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from merbench.datasets import datasets
from merbench.errors import MerbenchError
from merbench.hashing import canonical_json, hash_array
from merbench.options import build
from merbench.types import MODALITIES, MediaSpec
from tests.datasets.miniature import MINIATURES

SPEC = MediaSpec(sample_rate=16_000, frames=4, frame_size=32)
CASES = [(name, i) for name in datasets.names() for i in range(len(MINIATURES.get(name, (None,))))]


def fingerprint(sample) -> tuple:
    arrays = (sample.audio, sample.frames, sample.timestamps)
    return (
        *(a if a is None else hash_array(a) for a in arrays),
        sample.sample_rate,
        sample.text,
        sample.clipped,
    )


@pytest.fixture(params=CASES, ids=[f"{name}-{i}" for name, i in CASES])
def make(request, tmp_path):
    """A function that opens the miniature, anew each time."""
    name, i = request.param
    cls = datasets[name]
    if name not in MINIATURES:
        if cls.card.needs_root:
            pytest.fail(f"add a miniature of '{name}' to MINIATURES in tests/datasets/miniature.py")
        root, options = None, {}
    else:
        root, options = MINIATURES[name][i](tmp_path)
    return lambda media=SPEC, **more: build(cls, name, {**options, **more}, root=root, media=media)


@pytest.fixture
def dataset(make):
    return make()


class TestIndex:
    def test_ids_are_unique_sorted_and_not_empty(self, dataset):
        ids = [u.id for u in dataset.utterances()]
        assert ids == sorted(set(ids))
        assert all(ids)

    def test_labels_are_in_the_label_set_and_the_label_set_has_no_doubles(self, dataset):
        assert {u.label for u in dataset.utterances()} <= set(dataset.labels)
        assert len(set(dataset.labels)) == len(dataset.labels) > 1

    def test_two_readers_of_the_same_files_agree(self, make):
        assert make().utterances() == make().utterances()

    def test_extra_facts_are_plain_json(self, dataset):
        for u in dataset.utterances():
            canonical_json(dict(u.extra))

    def test_a_limit_chooses_a_prefix_and_leaves_the_pool_whole(self, dataset):
        everything, pool = dataset.select()
        few, same_pool = dataset.select(limit=2)
        assert few == everything[:2]
        assert pool.utterances == same_pool.utterances
        assert {u.id for u in everything} == {u.id for u in pool.utterances}

    def test_an_unknown_split_is_refused_with_those_that_exist(self, dataset):
        with pytest.raises(MerbenchError, match=r"no split 'holiday'; its splits are: \w+"):
            dataset.select("holiday")


class TestMedia:
    def test_media_are_canonical(self, dataset):
        for u in dataset.utterances():
            sample = dataset.load(u)
            assert sample.utterance == u
            assert any(sample.has(m) for m in MODALITIES)
            assert (sample.audio is None) == (sample.sample_rate is None)
            assert (sample.frames is None) == (sample.timestamps is None)
            if sample.audio is not None:
                assert sample.audio.dtype == np.int16
                assert sample.audio.ndim == 1
                assert len(sample.audio) > 0
                assert sample.sample_rate == SPEC.sample_rate
            if sample.frames is not None:
                assert sample.frames.dtype == np.uint8
                assert sample.frames.shape[1:] == (32, 32, 3)
                assert len(sample.frames) in (1, SPEC.frames)  # a still image is one frame
                assert sample.timestamps.dtype == np.float64
                assert sample.timestamps.shape == sample.frames.shape[:1]
                assert (np.diff(sample.timestamps) >= 0).all()
            if sample.text is not None:
                assert unicodedata.is_normalized("NFC", sample.text)

    def test_native_media_keep_their_own_rate_and_size(self, make):
        dataset = make(MediaSpec(sample_rate=None, frames=2, frame_size=None))
        for u in dataset.utterances()[:3]:
            sample = dataset.load(u)
            assert sample.audio is None or sample.sample_rate >= 8000
            assert sample.frames is None or sample.frames.shape[3] == 3

    def test_loading_depends_on_nothing_but_the_utterance(self, make):
        first, again = make(), make()
        alone = {u.id: fingerprint(first.load(u)) for u in first.utterances()}
        backwards = {u.id: fingerprint(again.load(u)) for u in reversed(again.utterances())}
        with ThreadPoolExecutor(4) as pool:
            rows = first.utterances() * 2
            threaded = dict(
                zip([u.id for u in rows], pool.map(lambda u: fingerprint(first.load(u)), rows), strict=True)
            )
        assert alone == backwards == threaded

    def test_nobody_shares_memory_with_a_sample(self, dataset):
        u = dataset.utterances()[0]
        before = fingerprint(dataset.load(u))
        sample = dataset.load(u)
        for array in (sample.audio, sample.frames):
            if array is not None and array.flags.writeable:
                array[...] = 0
        assert fingerprint(dataset.load(u)) == before


class TestIdentity:
    def test_the_identity_is_json_without_any_place_on_this_machine(self, dataset):
        identity = canonical_json(dataset.identity())
        assert dataset.root is None or str(dataset.root.parent) not in identity

    def test_the_source_hash_tells_which_utterances_are_meant(self, make):
        rows = make().utterances()
        assert make().source_hash(rows) == make().source_hash(rows)
        assert make().source_hash(rows) != make().source_hash(rows[:-1])

    def test_the_source_hash_sees_the_labels(self, dataset):
        u = dataset.utterances()[0]
        other = replace(u, label=next(label for label in dataset.labels if label != u.label))
        assert dataset.source_hash([u]) != dataset.source_hash([other])


def test_a_check_of_a_sound_miniature_counts_it_and_finds_no_error(dataset):
    report = dataset.check()
    assert report.ok, report.findings
    n = len(dataset.utterances())
    assert sum(report.counts["label"].values()) == sum(report.counts["split"].values()) == n
    assert {f.level for f in report.findings} <= {"error", "warning", "info"}


@pytest.mark.parametrize("name", datasets.names())
class TestCard:
    def test_what_needs_files_says_where_to_get_them_and_how_they_should_lie(self, name, tmp_path):
        cls = datasets[name]
        if not cls.card.needs_root:
            pytest.skip(f"{name} is made on the fly")
        for root in (None, tmp_path / "nowhere"):
            with pytest.raises(MerbenchError) as caught:
                build(cls, name, {}, root=root).utterances()
            assert cls.card.layout in str(caught.value)
            assert cls.card.licence_url in str(caught.value)

    def test_a_folder_of_something_else_is_refused(self, name, tmp_path):
        cls = datasets[name]
        if not cls.card.needs_root:
            pytest.skip(f"{name} is made on the fly")
        (tmp_path / "holiday.jpeg").touch()
        with pytest.raises(MerbenchError):
            build(cls, name, {}, root=tmp_path).utterances()

    def test_the_card_is_complete(self, name):
        card = datasets[name].card
        assert card.title
        assert card.licence
        assert card.layout
        assert set(card.modalities) <= set(MODALITIES)
        if card.licence == "unknown":  # the user's own data
            assert card.restricted
            return
        assert card.licence_url.startswith("https://")
        assert len(card.labels) > 1
        assert card.expected
        if card.needs_root:
            assert_is_bibtex(card.bibtex)


def assert_is_bibtex(entry: str) -> None:
    assert re.match(r"@\w+\{[\w:-]+,", entry)
    depth = 0
    for character in entry:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0
    assert entry.endswith("}")
    for key in ("author", "title", "year"):
        assert re.search(rf"^\s*{key}\s*=\s*\{{.+", entry, re.MULTILINE), key
