"""Hashes say what a thing is: its content, and nothing about how it came to be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from merbench.hashing import (
    canonical_json,
    combine,
    hash_array,
    hash_file,
    hash_json,
    hash_text,
    merkle_root,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


class TestJson:
    @given(st.dictionaries(st.text(), JSON))
    def test_the_order_of_keys_does_not_matter(self, value):
        assert hash_json(dict(reversed(value.items()))) == hash_json(value)

    def test_known_values_never_change(self):
        assert canonical_json({"b": [1, 2.5, None], "a": "ł"}) == '{"a":"ł","b":[1,2.5,null]}'
        assert hash_text("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    @pytest.mark.parametrize("value", [math.nan, math.inf, {"a": [-math.inf]}])
    def test_what_json_cannot_say_has_no_hash(self, value):
        with pytest.raises(ValueError, match="JSON compliant"):
            hash_json(value)


class TestArrays:
    def test_value_type_and_shape_all_count(self):
        base = np.arange(6, dtype=np.int16)
        others = [
            base + 1,
            base.astype(np.int32),
            base.reshape(2, 3),
            base.reshape(3, 2),
            base.view(np.uint16),
        ]
        assert len({hash_array(a) for a in (base, *others)}) == 6

    def test_the_layout_in_memory_does_not_count(self):
        wide = np.arange(24, dtype=np.uint8).reshape(4, 6)
        assert hash_array(wide[:, ::2]) == hash_array(wide[:, ::2].copy())
        assert hash_array(np.asfortranarray(wide)) == hash_array(wide)

    def test_an_empty_array_has_a_hash(self):
        assert hash_array(np.empty((0, 3))) != hash_array(np.empty((0, 4)))


class TestTrees:
    def test_a_root_does_not_depend_on_the_order_in_which_leaves_came(self):
        assert merkle_root({"a": "1", "b": "2"}) == merkle_root({"b": "2", "a": "1"})

    def test_a_root_depends_on_names_and_on_what_they_name(self):
        roots = [merkle_root(x) for x in ({"a": "1", "b": "2"}, {"a": "2", "b": "1"}, {"a": "1"}, {})]
        assert len(set(roots)) == 4

    def test_a_sequence_has_an_order_and_borders(self):
        assert len({combine(x) for x in (["a", "b"], ["b", "a"], ["ab"], ["a", "b", ""])}) == 4


def test_a_file_is_its_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    (tmp_path / "b").write_bytes(b"x" * 3_000_000)
    (tmp_path / "c").write_bytes(b"x" * 2_999_999)
    assert hash_file(tmp_path / "a") == hash_file(tmp_path / "b") != hash_file(tmp_path / "c")
    (tmp_path / "a").write_bytes(b"abc")
    assert hash_file(tmp_path / "a") == hash_text("abc")
