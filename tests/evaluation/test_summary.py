"""Every figure of a result follows from the prediction rows, over exactly the clean cell's samples."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from merbench.errors import MerbenchError
from merbench.evaluation.summary import NOT_APPLICABLE, SCORED, summarise
from merbench.types import Cell
from tests.evaluation.grids import CLASSES, cell, row, rows, table

CLEAN = Cell.clean()
TRUTH = ("happy", "happy", "sad", "sad")
ALL_RIGHT = TRUTH
HALF_RIGHT = ("happy", "sad", "sad", "happy")
ALL_WRONG = ("sad", "sad", "happy", "happy")


def summary(answers, *, facts=None, **more) -> dict:
    """Summarise answers by cell to the four samples of `TRUTH`."""
    return summarise(table(rows(TRUTH, answers, facts)), list(answers), CLASSES, **more)


def uar(entry: dict) -> dict:
    return entry["robustness"]["uar"]


def test_a_cell_has_its_metrics_and_its_drop_beside_clean():
    found = summary({CLEAN: ALL_RIGHT, cell(): HALF_RIGHT})
    clean, noisy = found["cells"]
    assert (clean["cell_id"], clean["robustness"]) == ("clean", None)
    assert (noisy["status"], noisy["n"], noisy["n_applied"]) == (SCORED, 4, 4)
    assert noisy["metrics"]["accuracy"] == 0.5
    assert noisy["metrics"]["confusion"] == [[1, 1, 0], [1, 1, 0]]
    assert uar(noisy) == {"clean": 1.0, "noisy": 0.5, "drop": 0.5, "retention": 0.5}


def test_answers_out_of_the_set_and_answers_that_say_nothing_are_counted_apart():
    found = summary({CLEAN: ("happy", "furious", "?", "?")})["cells"][0]["metrics"]
    assert found["out_of_set_rate"] == 0.25
    assert found["parse_failure_rate"] == 0.5
    assert found["confusion"] == [[1, 0, 1], [0, 0, 2]]


def test_metrics_over_the_samples_to_which_the_corruption_applied_have_clean_over_the_same_ones():
    given_rows = rows(TRUTH, {CLEAN: ("sad", "happy", "sad", "sad"), cell(): ALL_WRONG})
    for r in given_rows:
        r["applied"] = r["cell_id"] != "clean" and r["sample_id"] in ("s1", "s2")
    noisy = summarise(table(given_rows), [CLEAN, cell()], CLASSES)["cells"][1]
    assert noisy["n_applied"] == 2
    assert noisy["robustness"]["accuracy"] == {"clean": 0.75, "noisy": 0.0, "drop": 0.75, "retention": 0.0}
    assert noisy["applied"]["accuracy"] == {"clean": 1.0, "noisy": 0.0, "drop": 1.0, "retention": 0.0}


def test_the_mean_goes_over_draws_then_severities_then_options_then_corruptions_then_families():
    found = summary(
        {
            CLEAN: ALL_RIGHT,
            cell(severity=1, seed=0): ALL_RIGHT,
            cell(severity=1, seed=1): ALL_WRONG,  # severity 1: 1/2
            cell(severity=2): ALL_WRONG,  # these options: 1/4
            cell(severity=1, options={"loud": True}): ALL_RIGHT,  # rain: 5/8
            cell("audio/wind"): HALF_RIGHT,  # audio: 9/16
            cell("text/typo"): ALL_RIGHT,
        }
    )
    first = found["corruptions"][0]
    assert [uar(s)["noisy"] for s in first["severities"]] == [0.5, 0.0]
    assert uar(first)["noisy"] == 0.25
    assert {f["family"]: uar(f)["noisy"] for f in found["families"]} == {"audio": 9 / 16, "text": 1.0}
    assert found["overall"]["uar"]["noisy"] == pytest.approx(25 / 32)
    assert found["overall"]["uar"]["clean"] == 1.0


def test_variants_of_a_corruption_are_separate_rows():
    found = summary(
        {CLEAN: ALL_RIGHT, cell(options={"loud": False}): ALL_RIGHT, cell(options={"loud": True}): ALL_WRONG}
    )
    assert [(c["options"], uar(c)["drop"]) for c in found["corruptions"]] == [
        ({"loud": False}, 0.0),
        ({"loud": True}, 1.0),
    ]
    assert found["worst_corruption"]["uar"] == {
        "corruption": "audio/rain",
        "options": {"loud": True},
        "drop": 1.0,
    }


def test_there_is_an_area_only_under_all_five_severities():
    five = {CLEAN: ALL_RIGHT, **{cell(severity=s): HALF_RIGHT for s in range(1, 6)}}
    assert summary(five)["corruptions"][0]["area"]["uar"] == pytest.approx((0.75 + 4 * 0.5) / 5)
    del five[cell(severity=3)]
    assert summary(five)["corruptions"][0]["area"]["uar"] is None


def test_text_cells_of_scripted_data_are_not_applicable_and_leave_every_aggregate():
    answers = {CLEAN: ALL_RIGHT, cell(): HALF_RIGHT, cell("text/typo"): ALL_WRONG}
    found = summary(answers, text_informative=False)
    assert [c["status"] for c in found["cells"]] == [SCORED, SCORED, NOT_APPLICABLE]
    assert found["cells"][2]["metrics"] is None
    assert [c["corruption"] for c in found["corruptions"]] == ["audio/rain"]
    assert found["overall"]["uar"]["noisy"] == 0.5
    assert summary(answers)["overall"]["uar"]["noisy"] == 0.25


def test_a_cell_that_applies_to_no_sample_is_not_applicable_rather_than_harmless():
    inert = cell("vision/mask")
    idle = [
        {**row, "applied": False} if row["cell_id"] == inert.cell_id else row
        for row in rows(TRUTH, {CLEAN: ALL_RIGHT, cell(): HALF_RIGHT, inert: ALL_RIGHT})
    ]
    found = summarise(table(idle), [CLEAN, cell(), inert], CLASSES)
    assert [c["status"] for c in found["cells"]] == [SCORED, SCORED, NOT_APPLICABLE]
    assert found["cells"][2]["why"] == "it applies to no sample"
    assert [f["family"] for f in found["families"]] == ["audio"]
    assert found["overall"]["uar"]["noisy"] == 0.5


def test_corruption_errors_are_null_without_a_reference():
    assert summary({CLEAN: ALL_RIGHT, cell(): HALF_RIGHT})["relative"] is None


def test_corruption_errors_are_relative_to_the_reference_and_averaged_over_corruptions():
    cells = CLEAN, cell(), cell("audio/wind")
    theirs = summary(dict(zip(cells, (ALL_RIGHT, ALL_WRONG, HALF_RIGHT), strict=True)))
    ours = summary(dict(zip(cells, (ALL_RIGHT, HALF_RIGHT, HALF_RIGHT), strict=True)), reference=theirs)
    relative = ours["relative"]
    assert [c["ce"]["uar"] for c in relative["corruptions"]] == [0.5, 1.0]
    assert relative["mce"]["uar"] == 0.75
    assert relative["relative_mce"]["uar"] == 0.75


def test_a_reference_that_lacks_a_corruption_is_refused():
    theirs = summary({CLEAN: ALL_RIGHT, cell("audio/wind"): ALL_WRONG})
    with pytest.raises(MerbenchError, match="no audio/rain"):
        summary({CLEAN: ALL_RIGHT, cell(): HALF_RIGHT}, reference=theirs)


def test_groups_are_told_apart_and_their_gap_is_given():
    facts = [{"gender": "female"}, {"gender": "male"}, {"gender": "female"}, {"gender": "male"}]
    found = summary({CLEAN: ALL_RIGHT, cell(): ("happy", "sad", "sad", "happy")}, facts=facts)
    gender = found["groups"]["gender"]
    assert {name: g["n"] for name, g in gender["groups"].items()} == {"female": 2, "male": 2}
    assert gender["groups"]["female"]["robustness"]["uar"]["drop"] == 0.0
    assert gender["groups"]["male"]["robustness"]["uar"]["drop"] == 1.0
    assert gender["gap"]["uar"] == {"clean": 0.0, "noisy": 1.0, "drop": 1.0}


def test_expressed_intensity_is_by_name_or_in_thirds():
    named = [{"intensity": i} for i in ("normal", "strong", "normal", "strong")]
    found = summary({CLEAN: HALF_RIGHT}, facts=named)["groups"]["intensity"]["groups"]
    assert {name: g["robustness"]["accuracy"]["clean"] for name, g in found.items()} == {
        "normal": 1.0,
        "strong": 0.0,
    }
    scaled = [{"intensity": i} for i in (0.1, 0.2, 0.5, 0.9)]
    found = summary({CLEAN: ALL_RIGHT}, facts=scaled)["groups"]["intensity"]["groups"]
    assert {name: g["n"] for name, g in found.items()} == {"1 low": 2, "2 middle": 1, "3 high": 1}


def test_one_group_has_no_gap():
    assert summary({CLEAN: ALL_RIGHT}, facts=[{"speaker": "a"}] * 4)["groups"] == {
        "intensity": None,
        "gender": None,
        "speaker": None,
    }


def test_samples_outside_the_classes_are_counted_and_not_scored():
    extra = [row(c, "s9", "calm", "happy") for c in (CLEAN, cell())]
    given_rows = rows(TRUTH, {CLEAN: ALL_RIGHT, cell(): ALL_RIGHT}) + extra
    found = summarise(table(given_rows), [CLEAN, cell()], CLASSES)
    assert (found["n"], found["unscored"]) == (4, 1)
    assert found["cells"][0]["metrics"]["accuracy"] == 1.0


def test_calibration_is_of_the_answers_that_have_a_probability():
    given_rows = rows(TRUTH, {CLEAN: ALL_RIGHT})
    for r, p in zip(given_rows, ([0.9, 0.1], [0.9, 0.1], [0.3, 0.7], None), strict=True):
        r["probabilities"] = p
    found = summarise(table(given_rows), [CLEAN], CLASSES)["cells"][0]["metrics"]
    assert found["ece"] == pytest.approx((0.1 + 0.1 + 0.3) / 3)
    assert summary({CLEAN: ALL_RIGHT})["cells"][0]["metrics"]["ece"] is None


def test_a_summary_without_corrupted_cells_has_no_noisy_figures():
    overall = summary({CLEAN: ALL_RIGHT})["overall"]["uar"]
    assert overall == {"clean": 1.0, "noisy": None, "drop": None, "retention": None}


@given(st.randoms(use_true_random=False), st.integers(1, 7))
def test_neither_the_order_of_the_rows_nor_their_batches_change_a_figure(random, batch_size):
    answers = {CLEAN: HALF_RIGHT, cell(): ("happy", "?", "furious", "sad"), cell("text/typo"): ALL_WRONG}
    given_rows = rows(TRUTH, answers, [{"speaker": s, "gender": g} for s, g in ("af", "bm", "af", "bm")])
    for i, r in enumerate(given_rows):
        r["probabilities"] = [0.1 + i / 20, 0.9 - i / 20]
    expected = summarise(table(given_rows), list(answers), CLASSES)
    random.shuffle(given_rows)
    batches = [
        table(given_rows[i : i + batch_size]).to_batches() for i in range(0, len(given_rows), batch_size)
    ]
    assert summarise(itertools.chain.from_iterable(batches), list(answers), CLASSES) == expected


def test_a_summary_is_plain_json_without_nan():
    found = summary({CLEAN: ("?", "?", "?", "?"), cell(): ALL_WRONG})
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def refused(given_rows, cells, match):
    with pytest.raises(MerbenchError, match=match):
        summarise(table(given_rows), cells, CLASSES)


def test_there_must_be_a_clean_cell():
    refused(rows(TRUTH, {cell(): ALL_RIGHT}), [cell()], "no clean cell")


def test_there_must_be_predictions():
    refused([], [CLEAN], "no predictions")


def test_a_cell_that_lacks_a_sample_is_refused_by_name():
    given_rows = rows(TRUTH, {CLEAN: ALL_RIGHT, cell(): ALL_RIGHT})[:-1]
    refused(given_rows, [CLEAN, cell()], f"{cell().cell_id} lacks the sample 's3'")


def test_a_cell_without_any_row_is_refused():
    refused(rows(TRUTH, {CLEAN: ALL_RIGHT}), [CLEAN, cell()], f"{cell().cell_id} lacks the sample 's0'")


def test_a_cell_with_a_sample_more_than_clean_is_refused():
    given_rows = [*rows(TRUTH, {CLEAN: ALL_RIGHT, cell(): ALL_RIGHT}), row(cell(), "s7", "sad", "sad")]
    refused(given_rows, [CLEAN, cell()], "the clean cell does not, the sample 's7'")


def test_a_sample_that_is_answered_twice_is_refused():
    given_rows = [*rows(TRUTH, {CLEAN: ALL_RIGHT}), row(CLEAN, "s1", "happy", "sad")]
    refused(given_rows, [CLEAN], "clean has 2 times the sample 's1'")


def test_a_row_of_an_unknown_cell_is_refused():
    refused(rows(TRUTH, {CLEAN: ALL_RIGHT, cell(): ALL_RIGHT}), [CLEAN], "which the suite does not have")


def test_a_sample_with_two_labels_is_refused():
    given_rows = rows(TRUTH, {CLEAN: ALL_RIGHT, cell(): ALL_RIGHT})
    given_rows[-1]["label"] = "happy"
    refused(given_rows, [CLEAN, cell()], "'s3' has one label in one cell and another")


def test_an_answer_that_claims_to_be_a_class_and_is_none_is_refused():
    given_rows = rows(TRUTH, {CLEAN: ALL_RIGHT})
    given_rows[0]["prediction"] = "furious"
    refused(given_rows, [CLEAN], "'furious' as parsed")


def test_probabilities_of_another_width_are_refused():
    given_rows = [{**r, "probabilities": [0.2, 0.3, 0.5]} for r in rows(TRUTH, {CLEAN: ALL_RIGHT})]
    refused(given_rows, [CLEAN], "2 probabilities in every row")


def test_nothing_to_score_is_refused():
    refused([row(CLEAN, "s0", "calm", "sad")], [CLEAN], "no sample has a label among")


def test_a_large_grid_is_dense_and_right():
    """2 000 samples by 26 cells, against figures computed the plain way."""
    rng = np.random.default_rng(0)
    cells = [CLEAN, *(cell(f"audio/n{c}", s) for c in range(5) for s in range(1, 6))]
    truth = rng.integers(0, 2, 2000)
    answer = rng.integers(0, 2, (26, 2000))
    columns = table(
        row(of, f"{i:04d}", CLASSES[truth[i]], CLASSES[answer[k, i]])
        for k, of in enumerate(cells)
        for i in range(2000)
    )
    found = summarise(columns, cells, CLASSES)
    accuracies = (answer == truth).mean(axis=1)
    assert [c["metrics"]["accuracy"] for c in found["cells"]] == pytest.approx(accuracies)
    assert found["overall"]["accuracy"]["noisy"] == pytest.approx(accuracies[1:].mean())
