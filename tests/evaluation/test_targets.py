"""From values to a result: what rows hold, which direction is good, and what is null."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from merbench.errors import MerbenchError
from merbench.evaluation.predictions import SCHEMA, SCHEMA_WITH_TARGETS
from merbench.evaluation.summary import summarise, summary_metrics
from merbench.evaluation.valued import map_answers, target_columns
from merbench.labels import map_labels
from merbench.models import Valued
from merbench.models._validate import check_output, choose, join
from merbench.targets import Task
from merbench.types import Cell, Utterance
from tests.evaluation.grids import CLASSES, cell, rows

CLEAN = Cell.clean()
TRUTH = ("sad", "happy", "happy")
TARGET = (-1.0, 1.0, 2.0)
TASK = Task(kind="dimensional", targets=("valence",), low=-3, steps=("a", "b", "c", "d", "e", "f", "g"))


def summary(values, *, task=TASK, reference=None, applied=None):
    """Summarise values by cell to three samples; labels are answered rightly."""
    made = rows(TRUTH, dict.fromkeys(values, TRUTH))
    for row in made:
        i = int(row["sample_id"][1:])
        told = next(v for of, v in values.items() if of.cell_id == row["cell_id"])
        row |= {"target": [TARGET[i]], "values": None if told is None else [told[i]]}
        if applied is not None and row["cell_id"] != "clean":
            row["applied"] = i in applied
    table = pa.Table.from_pylist(made, schema=SCHEMA_WITH_TARGETS)
    return summarise(table, list(values), CLASSES, task=task, reference=reference)


def test_an_error_grows_under_noise_and_its_drop_is_the_growth():
    found = summary({CLEAN: (-1.0, 1.5, 2.5), cell(): (0.0, 2.0, 3.0)})
    noisy = found["cells"][1]
    assert noisy["robustness"]["mae"] == pytest.approx(
        {"clean": 1 / 3, "noisy": 1.0, "drop": 2 / 3, "retention": 1 / 3}
    )
    assert noisy["metrics"]["per_target"]["valence"]["mae"] == 1.0
    assert found["overall"]["mae"] == noisy["robustness"]["mae"]
    score = noisy["robustness"]["ccc"]
    assert score["drop"] == score["clean"] - score["noisy"] > 0


def test_the_worst_corruption_is_that_whose_error_grows_most():
    found = summary({CLEAN: TARGET, cell(): (0.0, 2.0, 3.0), cell("audio/wind"): (-1.0, 1.0, 2.5)})
    assert found["worst_corruption"]["mae"]["corruption"] == "audio/rain"


def test_the_area_under_the_curve_of_an_error():
    curve = {cell(severity=s): tuple(t + s / 5 for t in TARGET) for s in range(1, 6)}
    found = summary({CLEAN: TARGET, **curve})["corruptions"][0]
    assert found["area"]["mae"] == pytest.approx(0.5)  # a straight line from 0 to 1


def test_over_the_samples_to_which_a_corruption_applied_clean_is_over_the_same_ones():
    found = summary({CLEAN: (0.0, 1.0, 2.0), cell(): (9.0, 2.0, 3.0)}, applied={1, 2})["cells"][1]
    assert found["applied"]["mae"] == {"clean": 0.0, "noisy": 1.0, "drop": 1.0, "retention": 0.0}


def test_relative_errors_take_an_error_as_it_is():
    worse = {CLEAN: TARGET, cell(): tuple(t + 2 for t in TARGET)}
    better = {CLEAN: TARGET, cell(): tuple(t + 1 for t in TARGET)}
    found = summary(better, reference=summary(worse))["relative"]
    assert found["mce"]["mae"] == 0.5
    assert found["relative_mce"]["mae"] == 0.5


def test_without_values_the_figures_are_null_and_those_of_the_labels_stand():
    found = summary({CLEAN: None, cell(): None})
    assert found["overall"]["mae"] == {"clean": None, "noisy": None, "drop": None, "retention": None}
    assert found["cells"][0]["metrics"]["acc7"] is None
    assert found["cells"][0]["metrics"]["accuracy"] == 1.0
    assert found["worst_corruption"]["mae"] is None


def test_a_result_without_a_task_has_no_trace_of_one():
    table = pa.Table.from_pylist(rows(TRUTH, {CLEAN: TRUTH}), schema=SCHEMA)
    text = json.dumps(summarise(table, [CLEAN], CLASSES))
    assert "mae" not in text
    assert "per_target" not in text
    assert summary_metrics(None) == ("uar", "accuracy", "macro_f1", "weighted_f1")


@pytest.mark.parametrize("odd", [[float("inf")], [0.0, 1.0], []])
def test_rows_that_no_run_can_have_written_are_refused(odd):
    made = rows(TRUTH, {CLEAN: TRUTH})
    for row, target in zip(made, TARGET, strict=True):
        row |= {"target": [target], "values": [0.0]}
    made[1]["values"] = odd
    with pytest.raises(MerbenchError, match="do not hold 1 finite numbers in every values"):
        summarise(pa.Table.from_pylist(made, schema=SCHEMA_WITH_TARGETS), [CLEAN], CLASSES, task=TASK)


def test_a_sample_has_the_same_target_in_every_cell():
    made = rows(TRUTH, {CLEAN: TRUTH, cell(): TRUTH})
    for i, row in enumerate(made):
        row |= {"target": [float(i)], "values": [0.0]}
    with pytest.raises(MerbenchError, match="one label in one cell and another in the next"):
        summarise(pa.Table.from_pylist(made, schema=SCHEMA_WITH_TARGETS), [CLEAN, cell()], CLASSES, task=TASK)


def adapter(labels=(), targets=()):
    return SimpleNamespace(name="model", labels=labels, targets=targets)


def facts(labels, task):
    return SimpleNamespace(dataset="data", labels=labels, task=task)


class TestWhereLabelsGo:
    def test_of_a_model_without_labels_they_follow_from_its_values(self):
        found = map_answers(adapter(targets=("valence",)), facts(TASK.steps, TASK), "strict")
        assert found.classes == TASK.steps
        assert found.table == {}

    def test_emotions_say_nothing_where_labels_are_steps(self):
        model = adapter(("angry", "happy"), ("valence",))
        assert map_answers(model, facts(TASK.steps, TASK), "strict").table == {}

    def test_a_model_with_the_labels_keeps_them(self):
        model = adapter(TASK.steps, ("valence",))
        assert map_answers(model, facts(TASK.steps, TASK), "strict").table["a"] == "a"

    def test_values_that_name_no_label_need_logits_beside_them(self):
        task = Task(kind="dimensional", targets=("valence",))
        with pytest.raises(MerbenchError, match=r"model answers no labels.*return merbench.models.Valued"):
            map_answers(adapter(targets=("valence",)), facts(CLASSES, task), "strict")

    @pytest.mark.parametrize(
        ("task", "why"), [(TASK, "data asks for valence"), (None, "data asks for labels alone")]
    )
    def test_values_that_nobody_asks_for(self, task, why):
        with pytest.raises(MerbenchError, match=f"model answers arousal, and {why}"):
            map_answers(adapter(targets=("arousal",)), facts(CLASSES, task), "strict")


def test_probabilities_of_all_labels_are_a_distribution_and_of_some_none():
    task = Task(kind="soft", targets=CLASSES)
    who = [Utterance(id="a", label="sad", split="test", targets=(0.25, 0.75))]
    columns = {"probabilities": pa.array([[0.5, 0.5]], pa.list_(pa.float32()))}
    logits = np.zeros((1, 2))
    found = target_columns(
        logits, columns, who, adapter(CLASSES), task, map_labels(CLASSES, CLASSES, "strict")
    )
    assert found["target"] == [[0.25, 0.75]]
    assert found["values"].to_pylist() == [[0.5, 0.5]]
    part = map_labels(("happy",), CLASSES, "subset")
    assert target_columns(logits, columns, who, adapter(("happy",)), task, part)["values"].to_pylist() == [
        None
    ]


class TestAnswers:
    def test_values_with_and_without_logits(self):
        found = check_output(Valued([[1, 2]]), 1, (), ("valence", "arousal"))
        assert found.values.dtype == np.float64
        assert found.logits is None
        assert check_output(Valued([[1]], [[0, 1]]), 1, ("a", "b"), ("valence",)).logits.shape == (1, 2)

    def test_batches_are_joined_and_rows_are_chosen(self):
        part = Valued(np.array([[1.0], [2.0]]), np.eye(2))
        whole = join([part, part])
        assert choose(whole, [3, 0]).values[:, 0].tolist() == [2, 1]
        assert choose(whole, [3]).logits.tolist() == [[0, 1]]
        assert join([Valued(part.values), Valued(part.values)]).logits is None

    @pytest.mark.parametrize(
        ("output", "labels", "targets", "why"),
        [
            (Valued([[1.0]]), (), (), "has no targets, and answered values"),
            ([[1.0]], ("a",), ("valence",), "has the targets valence and answered no values"),
            (Valued([[1.0]]), ("a", "b"), ("valence",), "has the labels a, b and answered values alone"),
            (Valued([[1.0, 2.0]]), (), ("valence",), r"values of shape \[1, 2\], not \[1, 1\]"),
            (Valued([[float("nan")]]), (), ("valence",), "answered NaN for 'valence' in row 0"),
            (Valued("high"), (), ("valence",), "answered a str"),
        ],
    )
    def test_what_is_no_answer_is_refused_in_one_line(self, output, labels, targets, why):
        with pytest.raises(MerbenchError, match=why) as caught:
            check_output(output, 1, labels, targets)
        assert "\n" not in str(caught.value)
