"""Packed rows, batches that hold media only, and cells that know who they are."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from merbench.types import MODALITIES, Batch, Cell, MediaSpec, Packed, Sample, Utterance

ROWS = st.lists(st.none() | st.lists(st.integers(-9, 9), max_size=5), max_size=6)


def packed(rows):
    return Packed.of([None if r is None else np.array(r, dtype=np.int16) for r in rows], np.int16)


def listed(rows):
    return [None if r is None else r.tolist() for r in rows]


class TestPacked:
    @given(ROWS)
    def test_rows_come_out_as_they_went_in(self, rows):
        assert listed(packed(rows)) == rows
        assert packed(rows).present.tolist() == [r is not None for r in rows]

    @given(ROWS)
    def test_nothing_is_padded(self, rows):
        assert packed(rows).values.size == sum(len(r) for r in rows if r is not None)

    def test_rows_keep_their_shapes(self):
        clips = [np.zeros((2, 3, 4, 3), np.uint8), None, np.ones((1, 5, 5, 3), np.uint8)]
        rows = Packed.of(clips, np.uint8)
        assert [None if r is None else r.shape for r in rows] == [(2, 3, 4, 3), None, (1, 5, 5, 3)]

    def test_an_empty_row_is_not_an_absent_one(self):
        assert listed(packed([[], None])) == [[], None]

    def test_a_row_is_a_view(self):
        rows = packed([[1, 2], [3]])
        rows[1][0] = 9
        assert rows.values.tolist() == [1, 2, 9]

    def test_hiding_copies_nothing(self):
        rows = packed([[1, 2], [3], [4]])
        fewer = rows.hide(np.array([False, True, False]))
        assert listed(fewer) == [[1, 2], None, [4]]
        assert fewer.values is rows.values
        assert listed(rows) == [[1, 2], [3], [4]]

    @given(ROWS, st.data())
    def test_taking_rows_copies_them_in_the_order_asked_for(self, rows, data):
        chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=5)) if rows else []
        assert listed(packed(rows).take(chosen)) == [rows[i] for i in chosen]


def sample(name="u", **media):
    return Sample(utterance=Utterance(id=name, label="happy", split="test", speaker="s"), **media)


@pytest.fixture
def batch():
    return Batch.of(
        [
            sample(
                "happy_clip",
                audio=np.arange(3, dtype=np.int16),
                sample_rate=16_000,
                frames=np.zeros((1, 2, 2, 3), np.uint8),
                timestamps=np.zeros(1),
                text="hi",
            ),
            sample("nothing"),
        ]
    )


class TestBatch:
    def test_it_holds_media_and_nothing_that_could_tell_the_label(self):
        fields = {field.name for field in dataclasses.fields(Batch)}
        assert fields == {"audio", "sample_rates", "frames", "timestamps", "text"}

    def test_missing_is_missing_and_not_zeros(self, batch):
        assert batch.audio[1] is None
        assert batch.frames[1] is None
        assert batch.text[1] is None
        for modality in MODALITIES:
            assert batch.present(modality).tolist() == [True, False]

    def test_only_keeps_one_modality_and_no_trace_of_the_others(self, batch):
        heard = batch.only("audio")
        assert heard.audio is batch.audio
        assert heard.text == (None, None)
        assert heard.frames.values.size == 0
        assert heard.timestamps == (None, None)
        assert batch.only("text").sample_rates == (None, None)

    def test_rows_can_be_taken(self, batch):
        turned = batch.take([1, 0])
        assert turned.text == (None, "hi")
        assert turned.audio[1].tolist() == [0, 1, 2]
        assert turned.sample_rates == (None, 16_000)

    def test_replacing_one_modality_shares_the_rest(self, batch):
        other = batch.replace(text=("ho", None))
        assert other.audio is batch.audio
        assert batch.text == ("hi", None)

    def test_a_sample_knows_what_it_has(self):
        assert sample(text="").has("text")
        assert not sample(text="").has("audio")


class TestCell:
    CELL = Cell(corruption="audio/rain", version=2, severity=3, options={"b": 1, "a": [1, 2]}, seed=4)

    def test_it_survives_being_written(self):
        assert Cell.from_json(json.loads(json.dumps(self.CELL.to_json()))) == self.CELL

    def test_its_id_is_a_file_name_that_says_what_it_is(self):
        assert self.CELL.cell_id.startswith("audio-rain-s3-")
        assert "/" not in self.CELL.cell_id

    @pytest.mark.parametrize(
        "change", [{"version": 3}, {"severity": 4}, {"options": {}}, {"seed": 5}, {"replicate": 1}]
    )
    def test_everything_about_it_is_in_its_id(self, change):
        assert dataclasses.replace(self.CELL, **change).cell_id != self.CELL.cell_id

    def test_the_order_of_options_is_not(self):
        turned = dataclasses.replace(self.CELL, options={"a": [1, 2], "b": 1})
        assert turned.cell_id == self.CELL.cell_id

    def test_the_clean_cell_is_called_clean(self):
        assert Cell.clean().cell_id == "clean"
        assert Cell.clean().is_clean
        assert not self.CELL.is_clean

    def test_a_family_is_the_folder(self):
        assert self.CELL.family == "audio"


def test_a_media_spec_is_plain_json():
    assert MediaSpec().to_json() == {"sample_rate": 16_000, "frames": 16, "frame_size": 224}
