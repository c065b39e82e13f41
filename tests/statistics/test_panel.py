"""Runs side by side: what matches, and what is refused by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from merbench.errors import MerbenchError
from merbench.evaluation import metrics
from merbench.evaluation.metrics import SUMMARY_METRICS
from merbench.evaluation.predictions import SCHEMA
from merbench.evaluation.summary import summarise
from merbench.hashing import hash_file
from merbench.statistics.intervals import single_interval
from merbench.statistics.panel import Run, load_panel, make_panel
from merbench.statistics.scores import quantity_of
from merbench.types import Cell
from tests.evaluation import grids
from tests.statistics.panels import CLASSES, grid, panel, result, write_run

if TYPE_CHECKING:
    from pathlib import Path

CLEAN = Cell.clean()
RAIN = [grids.cell("audio/rain", severity) for severity in (1, 2)]
TYPO = [grids.cell("text/typo", 1), grids.cell("text/typo", 1, replicate=1), grids.cell("text/typo", 3)]
OF = [CLEAN, *RAIN, *TYPO]
TRUTH = ["happy", "sad", "sad", "happy"]
WHO = [{"speaker": name} for name in ("ann", "bob", "ann", "bob")]


def answers(seed: int, of=OF, n: int = 4) -> dict:
    rng = np.random.default_rng(seed)
    return {cell: rng.choice(["happy", "sad", "?"], n, p=(0.45, 0.45, 0.1)).tolist() for cell in of}


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    return [
        write_run(tmp_path / name, TRUTH, answers(seed), WHO, name=name)
        for seed, name in enumerate(("a", "b"))
    ]


def test_an_answer_edited_by_hand_is_found_though_its_hash_was_renewed(two):
    path = two[1] / "predictions.parquet"
    table = pq.read_table(path, partitioning=None).to_pylist()
    row = next(r for r in table if r["prediction"] == "happy" and r["label"] == "sad")
    row["prediction"] = "sad"
    pq.write_table(pa.Table.from_pylist(table, schema=SCHEMA), path)
    told = json.loads((two[1] / "result.json").read_text())
    told["predictions"]["sha256"] = hash_file(path)
    (two[1] / "result.json").write_text(json.dumps(told))
    with pytest.raises(MerbenchError, match="does not follow from its predictions"):
        load_panel(two)


def test_runs_are_matched_by_sample_and_cell(tmp_path):
    first = write_run(tmp_path / "a", TRUTH, answers(0), WHO, name="a")
    shuffled = dict(reversed(answers(1).items()))
    second = write_run(tmp_path / "b", TRUTH, shuffled, WHO, name="b")
    found = load_panel([first, second])
    assert [model.name for model in found.models] == ["a", "b"]
    assert found.answer.shape == (2, len(OF), 4)
    assert found.units.names == ("ann", "bob")
    for k, cell in enumerate(found.cells):
        expected = [{"happy": 0, "sad": 1, "?": 2}[word] for word in answers(1)[cell]]
        assert found.answer[1, k].tolist() == expected


@pytest.mark.parametrize("metric", SUMMARY_METRICS)
def test_figures_are_those_of_the_result(two, metric):
    """The same tree of means, to the last digits, overall and at every branch."""
    found = load_panel(two)
    table = grids.table(grids.rows(TRUTH, answers(0), WHO))
    summary = summarise(table, OF, grids.CLASSES)
    branches = {"overall": summary["overall"]}
    branches |= {family["family"]: family["robustness"] for family in summary["families"]}
    branches |= {corruption["corruption"]: corruption["robustness"] for corruption in summary["corruptions"]}
    branches |= {cell["cell_id"]: cell["robustness"] for cell in summary["cells"] if cell["robustness"]}
    assert {scope.name for scope in found.scopes} >= branches.keys()
    for name, robustness in branches.items():
        for quantity, expected in robustness[metric].items():
            whole = found.scores(metric).whole
            ours = quantity_of(whole, found.clean, found.scope(name), quantity)[0]
            assert ours == pytest.approx(np.nan if expected is None else expected, nan_ok=True), (
                name,
                quantity,
            )


@pytest.mark.parametrize("metric", SUMMARY_METRICS)
def test_scores_agree_with_the_metrics_of_confusion_matrices(metric):
    rng = np.random.default_rng(3)
    truth = rng.choice(4, 60, p=(0.5, 0.3, 0.15, 0.05))
    units = rng.integers(0, 9, 60)
    p = panel(truth, rng.integers(0, 5, (2, 3, 60)), units)
    each = p.confusion([0, 1], [0, 1, 2])  # [R, K, U, C, C + 1]
    total = each.sum(2)
    scores = p.scores(metric)
    np.testing.assert_allclose(scores.whole, metrics.scalars(total)[metric])
    np.testing.assert_allclose(scores.within, metrics.scalars(each)[metric])
    np.testing.assert_allclose(scores.without, metrics.scalars(total[:, :, None] - each)[metric])


def test_a_unit_that_nobody_recorded_is_the_sample_itself(tmp_path):
    run = write_run(tmp_path / "a", TRUTH, answers(0), [{}] * 4, name="a")
    units = load_panel([run]).units
    assert (units.name, len(units), units.loners) == ("sample", 4, 4)
    with pytest.raises(MerbenchError, match="has a speaker"):
        load_panel([run], unit="speaker")
    with pytest.raises(MerbenchError, match="no unit 'actor'; choose one of speaker"):
        load_panel([run], unit="actor")


def test_some_samples_without_a_speaker_are_counted(tmp_path):
    run = write_run(tmp_path / "a", TRUTH, answers(0), [*WHO[:3], {}], name="a")
    units = load_panel([run]).units
    assert (units.name, len(units), units.loners) == ("speaker", 3, 1)


def test_seeds_of_one_model_are_named_together(tmp_path):
    for seed in range(3):
        write_run(tmp_path / f"base-{seed}", TRUTH, answers(seed), WHO, fingerprint=str(seed) * 64)
    other = write_run(tmp_path / "other", TRUTH, answers(9), WHO, name="other")
    found = load_panel([f"base={tmp_path}/base-*", other])
    assert [(model.name, model.runs) for model in found.models] == [("base", (0, 1, 2)), ("other", (3,))]
    listed = load_panel([f"base={tmp_path}/base-0,{tmp_path}/base-2"])
    assert [run.where for run in listed.runs] == [str(tmp_path / "base-0"), str(tmp_path / "base-2")]
    with pytest.raises(MerbenchError, match="names no run"):
        load_panel([f"base={tmp_path}/nothing-*"])
    write_run(tmp_path / "copy", TRUTH, answers(0), WHO, fingerprint="0" * 64)
    with pytest.raises(MerbenchError, match="runs of the same checkpoint"):
        load_panel([f"base={tmp_path}/base-0,{tmp_path}/copy"])
    with pytest.raises(MerbenchError, match="is given twice"):
        load_panel([other, other])


def test_namesakes_are_told_apart(tmp_path):
    runs = [write_run(tmp_path / f, TRUTH, answers(0), WHO, fingerprint=f * 64) for f in "xy"]
    assert [model.name for model in load_panel(runs).models] == ["a@xxxxxxxx", "a@yyyyyyyy"]
    same = [write_run(tmp_path / f, TRUTH, answers(0), WHO) for f in ("u", "v")]
    assert [model.name for model in load_panel(same).models] == [
        f"a@ffffffff in {tmp_path / 'u'}",
        f"a@ffffffff in {tmp_path / 'v'}",
    ]


def refuse(first: Path, second: Path, *words: str) -> None:
    with pytest.raises(MerbenchError) as error:
        load_panel([first, second])
    for word in words:
        assert word in str(error.value)


def test_other_data_is_refused(tmp_path, two):
    other = write_run(tmp_path / "c", TRUTH, answers(1), WHO)
    value = json.loads((other / "result.json").read_text())
    value["data"]["split"] = "dev"
    (other / "result.json").write_text(json.dumps(value))
    refuse(two[0], other, "different data", "split test and dev")


def test_other_cells_are_named(tmp_path, two):
    fewer = write_run(tmp_path / "c", TRUTH, answers(1, OF[:-1]), WHO)
    refuse(two[0], fewer, f"has the cell {TYPO[2].cell_id}", f"{fewer} has not")


def test_the_first_other_sample_is_named(tmp_path, two):
    more = write_run(tmp_path / "c", [*TRUTH, "sad"], answers(1, n=5), [*WHO, WHO[0]])
    refuse(two[0], more, f"{more} has the sample 's4'")


def test_other_labels_and_speakers_are_named(tmp_path, two):
    relabelled = write_run(tmp_path / "c", ["happy", "happy", "sad", "happy"], answers(1), WHO)
    refuse(two[0], relabelled, "label of the sample 's1'")
    moved = write_run(tmp_path / "d", TRUTH, answers(1), [WHO[0], WHO[1], WHO[1], WHO[1]])
    refuse(two[0], moved, "speaker of the sample 's2'")


def test_content_decides_and_the_recipe_where_content_is_unknown(tmp_path):
    known = [
        write_run(tmp_path / name, TRUTH, answers(0), WHO, content_root=root, recipe_id=recipe)
        for name, root, recipe in (
            ("a", "1" * 64, "x"),
            ("b", "1" * 64, "y"),
            ("c", "2" * 64, "x"),
            ("d", None, "y"),
        )
    ]
    load_panel(known[:2])  # another recipe for the same bytes
    refuse(known[0], known[2], "different media", "content_root")
    refuse(known[0], known[3], "different media", "recipe_id")


def test_a_changed_prediction_file_is_found(two):
    import pyarrow.parquet as pq

    path = two[1] / "predictions.parquet"
    rows = pq.read_table(path).to_pylist()
    rows[0]["prediction"] = "happy" if rows[0]["prediction"] == "sad" else "sad"
    pq.write_table(grids.table(rows), path)
    refuse(*two, "not the file that was scored")


def test_a_truncated_prediction_file_is_found(two):
    path = two[1] / "predictions.parquet"
    path.write_bytes(path.read_bytes()[:-200])
    refuse(*two, "not the file that was scored")


def test_a_newer_schema_is_refused(tmp_path, two):
    refuse(two[0], write_run(tmp_path / "c", TRUTH, answers(1), WHO, schema=99), "schema 99")


def test_predictions_elsewhere_are_refused(tmp_path, two):
    value = json.loads((two[1] / "result.json").read_text())
    value["predictions"]["file"] = "../a/predictions.parquet"
    (two[1] / "result.json").write_text(json.dumps(value))
    refuse(*two, "outside its folder")


def test_cells_that_apply_to_nothing_leave_the_panel():
    of = [CLEAN, *RAIN]
    truth = [0, 1, 2, 3]
    applied = np.array([[False] * 4, [True] * 4, [False] * 4])
    one = grid(of, truth, [truth] * 3, ["x", "x", "y", "y"], applied=applied)
    assert make_panel([[Run("one", result(of, CLASSES), one)]]).cells == (CLEAN, RAIN[0])


def test_corruptions_that_hit_other_samples_are_named():
    of = [CLEAN, RAIN[0]]
    hit = np.array([[False] * 4, [True] * 4])
    missed = hit.copy()
    missed[1, 2] = False
    runs = [
        [Run(name, result(of, CLASSES), grid(of, [0, 1, 2, 3], np.zeros((2, 4)), ["x"] * 4, applied=where))]
        for name, where in (("one", hit), ("two", missed))
    ]
    with pytest.raises(MerbenchError, match="'s00002' is the first"):
        make_panel(runs)


def test_a_probability_that_is_not_a_number_is_found(tmp_path):
    import pyarrow.parquet as pq

    from merbench.hashing import hash_file

    run = write_run(tmp_path / "a", TRUTH, answers(0), WHO)
    rows = grids.rows(TRUTH, answers(0), WHO)
    for row in rows:
        row["probabilities"] = [0.5, 0.5]
    rows[6]["probabilities"] = [float("nan"), 0.5]
    pq.write_table(grids.table(rows), run / "predictions.parquet")
    value = json.loads((run / "result.json").read_text())
    value["predictions"]["sha256"] = hash_file(run / "predictions.parquet")
    (run / "result.json").write_text(json.dumps(value))
    refuse(run, run.parent / "b", f"'{rows[6]['sample_id']}'", rows[6]["cell_id"], "not a number")


def test_the_panel_of_some_samples_is_that_of_runs_over_these_alone(tmp_path):
    keep = np.array([True, False, True, True])
    loner = [*WHO[:3], {"speaker": None}]

    def runs(rows):
        def chosen(values):
            return [value for value, kept in zip(values, rows, strict=True) if kept]

        return [
            write_run(
                tmp_path / f"{name}{sum(rows)}",
                chosen(TRUTH),
                {cell: chosen(given) for cell, given in answers(seed).items()},
                chosen(loner),
                name=name,
            )
            for seed, name in enumerate(("a", "b"))
        ]

    whole, alone = load_panel(runs([True] * 4)), load_panel(runs(keep))
    part = whole.of_samples(keep)
    for what in ("truth", "answer", "applied"):
        assert np.array_equal(getattr(part, what), getattr(alone, what)), what
    assert np.array_equal(part.units.code, alone.units.code)
    assert part.units.loners == alone.units.loners == 1
    assert len(part.units.names) == len(part.units) == 2
    for metric in ("accuracy", "uar"):
        ours, theirs = single_interval(part, 0, metric=metric), single_interval(alone, 0, metric=metric)
        assert ours.estimate == theirs.estimate
    assert "bob" not in part.units.names
