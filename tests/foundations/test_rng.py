"""Random numbers depend on what they are for, and on nothing else."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from merbench.rng import Stream, derive_key, rendezvous, torch_seed

GOLDEN_KEY = "153ef513ee856c5f2cfb37718affe2b9"
GOLDEN_WORDS = ["0x58ca65d5ea6890f3", "0x7ae62476e6900342", "0x7e76d806136664ea", "0x43734d9ad08113c0"]


class TestKeys:
    @given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
    def test_different_fields_have_different_keys(self, a, b):
        assert (derive_key(*a) == derive_key(*b)) == (a == b)

    def test_where_a_field_ends_matters(self):
        assert (
            len({derive_key("ab", "c"), derive_key("a", "bc"), derive_key("abc"), derive_key("abc", "")}) == 4
        )

    def test_keys_never_change(self):
        """A change here changes every draw of every published suite."""
        assert derive_key("audio/urban_noise@1", "{}", "ravdess:x", "0", "0", "") == GOLDEN_KEY

    def test_torch_seeds_are_63_bits(self):
        seeds = {torch_seed("model", str(i)) for i in range(100)}
        assert len(seeds) == 100
        assert all(0 <= seed < 2**63 for seed in seeds)


class TestStream:
    def test_the_words_never_change(self):
        assert [hex(word) for word in Stream.of("golden").words(4)] == GOLDEN_WORDS

    def test_it_is_numpys_philox(self):
        stream = Stream.of("philox")
        assert (stream.words(9) == np.random.Philox(key=int(stream.key, 16)).random_raw(9)).all()

    def test_compiled_kernels_see_the_same_words(self):
        from merbench.compiled import philox

        for name in ("a", "b", ""):
            stream = Stream.of(name)
            low, high = (np.uint64(int(part, 16)) for part in (stream.key[16:], stream.key[:16]))
            words = [int(word) for block in range(25) for word in philox(block, low, high)]
            assert words == stream.words(100).tolist()

    def test_reading_in_pieces_is_reading_at_once(self):
        one, other = Stream.of("x"), Stream.of("x")
        assert np.concatenate([one.words(3), one.words(5)]).tolist() == other.words(8).tolist()

    def test_a_child_does_not_depend_on_how_far_its_parent_was_read(self):
        fresh, read = Stream.of("x"), Stream.of("x")
        read.words(1_000)
        assert fresh.child("a").words(4).tolist() == read.child("a").words(4).tolist()
        assert fresh.child("a").words(4).tolist() != fresh.child("b").words(4).tolist()

    def test_a_child_can_be_made_again_from_its_key(self):
        child = Stream.of("x").child("noise")
        assert Stream(child.key).words(4).tolist() == child.words(4).tolist()

    def test_another_process_gives_the_same(self):
        code = "from merbench.rng import Stream; print(Stream.of('p').words(2).tolist())"
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert out.strip() == str(Stream.of("p").words(2).tolist())


class TestDistributions:
    def test_uniforms_are_on_a_grid_below_one(self):
        numbers = Stream.of("u").uniform(100_000)
        assert numbers.min() >= 0
        assert numbers.max() < 1
        assert (numbers * 2**53 == np.floor(numbers * 2**53)).all()
        assert abs(numbers.mean() - 0.5) < 0.005
        assert abs(numbers.var() - 1 / 12) < 0.002

    @settings(deadline=None)
    @given(st.integers(-(2**40), 2**40), st.integers(1, 2**31))
    def test_integers_stay_in_their_range(self, low, width):
        numbers = Stream.of("i", str(low)).integers(50, low, low + width)
        assert numbers.dtype == np.int64
        assert low <= numbers.min() <= numbers.max() < low + width

    def test_every_integer_is_as_likely(self):
        counts = np.bincount(Stream.of("dice").integers(60_000, 0, 6))
        assert len(counts) == 6
        assert ((counts - 10_000) ** 2 / 10_000).sum() < 20.5  # chi-squared with 5 degrees, p = .001

    @pytest.mark.parametrize(("low", "high"), [(0, 0), (5, 3), (0, 2**31 + 1)])
    def test_an_empty_or_too_wide_range_is_an_error(self, low, high):
        with pytest.raises(ValueError, match="0 < high - low"):
            Stream.of("i").integers(1, low, high)
        with pytest.raises(ValueError, match="0 < high - low"):
            Stream.of("i").one_integer(low, high)

    def test_a_single_number_is_the_next_of_many(self):
        one, many = Stream.of("single"), Stream.of("single")
        assert [one.one_uniform() for _ in range(5)] == many.uniform(5).tolist()
        assert [one.one_integer(-3, 9) for _ in range(5)] == many.integers(5, -3, 9).tolist()

    def test_normals_are_gaussian(self):
        numbers = Stream.of("n").normal(400_001)
        assert len(numbers) == 400_001
        assert abs(numbers.mean()) < 0.006
        assert abs(numbers.var() - 1) < 0.006
        assert abs((numbers**4).mean() - 3) < 0.05
        assert np.abs(numbers).max() <= 4.33
        assert abs((np.abs(numbers) < 1).mean() - 0.6827) < 0.003

    def test_normals_are_on_a_grid_on_which_libm_cannot_matter(self):
        numbers = Stream.of("n").normal(1_000)
        assert (numbers * 2**16 == np.rint(numbers * 2**16)).all()

    def test_a_permutation_has_everything_once(self):
        order = Stream.of("p").permutation(500)
        assert sorted(order.tolist()) == list(range(500))
        assert order.tolist() != list(range(500))

    def test_a_choice_reaches_everything(self):
        stream = Stream.of("c")
        assert {stream.choice("abcde") for _ in range(200)} == set("abcde")


class TestRendezvous:
    NAMES = tuple(f"speaker{i}" for i in range(40))

    def test_the_order_of_the_list_does_not_matter(self):
        chosen = rendezvous("key", self.NAMES, self.NAMES, 3)
        assert rendezvous("key", self.NAMES[::-1], self.NAMES[::-1], 3) == chosen

    def test_leaving_out_what_was_not_chosen_changes_nothing(self):
        chosen = rendezvous("key", self.NAMES, self.NAMES, 3)
        fewer = [name for i, name in enumerate(self.NAMES) if name in chosen or i % 2]
        assert rendezvous("key", fewer, fewer, 3) == chosen

    def test_everybody_is_chosen_as_often(self):
        counts = dict.fromkeys(self.NAMES, 0)
        for i in range(4_000):
            counts[rendezvous(f"key{i}", self.NAMES, self.NAMES)[0]] += 1
        assert 60 < min(counts.values()) <= max(counts.values()) < 145
