"""A run keeps every answer, computes nothing twice, and survives whatever ends it."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from merbench.evaluation.run import evaluate
from merbench.evaluation.scorer import Batcher, Passes, Scorer
from merbench.suites.build import build_suite
from tests import adapters
from tests.suites.test_build import SLOWED, in_a_process
from tests.suites.test_plan import plan

HERE = Path(adapters.__file__)


def named(adapter: str) -> str:
    return f"{HERE}:{adapter}"


def rows(folder: Path) -> list[dict]:
    return pq.read_table(folder / "predictions.parquet", partitioning=None).to_pylist()


@pytest.fixture
def typo(texts):
    return ("--dataset", "table", "--root", texts, "--corruption", "text/typo", "--severity", "1,4")


def test_streamed_and_built_suites_give_the_same_predictions(tmp_path):
    suite = build_suite(plan(), tmp_path / "suite")
    streamed, _ = evaluate(plan(), named("Statistics"), tmp_path / "streamed")
    built, _ = evaluate(suite, named("Statistics"), tmp_path / "built")
    assert (streamed / "predictions.parquet").read_bytes() == (built / "predictions.parquet").read_bytes()


@pytest.mark.parametrize("adapter", [adapters.Statistics(), adapters.Whole()])
def test_reuse_changes_no_answer_and_saves_passes(adapter):
    passes = Passes()
    for chunk in plan(severities=(1, 2, 3, 4, 5)).chunks(0):
        scorer = Scorer(adapter, chunk.clean, Batcher(4), passes)
        assert np.array_equal(scorer.clean_answers, adapter.predict(chunk.clean))
        for cell, batch, _, achieved in chunk.cells:
            again = batch.take(range(len(batch)))
            assert np.allclose(scorer.answers(batch, achieved), adapter.predict(again), atol=1e-6), cell
    counts = passes.to_json()
    assert all(c["run"] + c["reused"] > 0 for c in counts.values())
    assert sum(c["reused"] for c in counts.values()) > 0


def test_an_audio_cell_never_touches_the_other_encoders():
    calls: list[str] = []

    class Counting(adapters.Statistics):
        def encode(self, modality, batch):
            calls.append(modality)
            return super().encode(modality, batch)

    adapter = Counting()
    for chunk in plan("audio/environment").chunks(0):
        scorer = Scorer(adapter, chunk.clean, Batcher(32), Passes())
        calls.clear()
        for _, batch, _, achieved in chunk.cells:
            scorer.answers(batch, achieved)
    assert set(calls) == {"audio"}


def test_every_cell_answers_exactly_the_samples_of_the_clean_one(tmp_path):
    folder, _ = evaluate(plan(), named("Statistics"), tmp_path / "run")
    by_cell: dict[str, set[str]] = {}
    for row in rows(folder):
        by_cell.setdefault(row["cell_id"], set()).add(row["sample_id"])
    assert len({frozenset(ids) for ids in by_cell.values()}) == 1
    assert set(by_cell) == {cell.cell_id for cell in plan().cells}


def test_a_model_that_counts_rows_scores_chance(merbench, typo, tmp_path):
    """Three classes go round with the id; in the order of ids this cheat would be right every time."""
    adapters.Cheat.seen = 0
    outcome = merbench("eval", *typo, "--model", named("Cheat"), "--out", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    answers = [row for row in rows(tmp_path / "run") if row["cell_id"] == "clean"]
    right = np.mean([row["label"] == row["prediction"] for row in answers])
    assert abs(right - 1 / 3) < 4 * np.sqrt(2 / 9 / len(answers))


def test_nothing_in_a_batch_names_the_sample(merbench, typo, tmp_path):
    assert merbench("eval", *typo, "--model", named("Peeper"), "--out", tmp_path / "run").code == 0


def test_answers_in_words_are_parsed_and_failures_counted_apart(merbench, typo, tmp_path):
    merbench("eval", *typo, "--model", named("Talker"), "--out", tmp_path / "run")
    seen = {row["raw_output"]: (row["prediction"], row["parse_status"]) for row in rows(tmp_path / "run")}
    assert seen == {
        "Calm.": ("calm", "ok"),
        "furious": ("furious", "out_of_set"),
        "   ": (None, "unparsed"),
    }


@pytest.mark.parametrize(
    ("adapter", "words"),
    [
        ("NotANumber", ["NaN"]),
        ("WrongShape", ["4"]),
        ("TooFewRows", ["1"]),
        ("NotText", []),
        ("Breaks", ["no weights here"]),
        ("NoModel", ["NoModel"]),
        ("Missing", ["Missing"]),
    ],
)
def test_a_model_that_answers_nonsense_is_refused(merbench, typo, tmp_path, adapter, words):
    merbench("eval", *typo, "--model", named(adapter), "--out", tmp_path / "run").refused(*words)
    assert not (tmp_path / "run" / "result.json").exists()


def test_labels_outside_the_list_of_the_model_are_refused_by_strict_mapping(merbench, typo, tmp_path):
    merbench("eval", *typo, "--model", named("Statistics"), "--out", tmp_path / "run").refused("common")


def test_running_out_of_memory_halves_the_batch_for_good(merbench, typo, tmp_path):
    outcome = merbench("eval", *typo, "--model", named("Greedy"), "--out", tmp_path / "greedy")
    assert outcome.code == 0, outcome.err
    assert json.loads((tmp_path / "greedy" / "result.json").read_text())["cost"]["batch_size"] == 4
    merbench("eval", *typo, "--model", named("TextOnly"), "--out", tmp_path / "plain")
    assert rows(tmp_path / "greedy") == rows(tmp_path / "plain")


def test_the_batch_size_changes_no_prediction(merbench, typo, tmp_path):
    for size in (1, 7, 64):
        out = tmp_path / str(size)
        assert (
            merbench("eval", *typo, "--model", named("TextOnly"), "--batch-size", size, "--out", out).code
            == 0
        )
    assert rows(tmp_path / "1") == rows(tmp_path / "7") == rows(tmp_path / "64")


@pytest.mark.parametrize("parts", [1, 2])
def test_kill_9_at_any_moment_changes_no_prediction(merbench, typo, tmp_path, parts):
    command = ("eval", *typo, "--model", named("TextOnly"), "--out")
    assert merbench(*command, tmp_path / "quiet").code == 0
    folder = tmp_path / "killed"
    process = in_a_process(*command, folder, before=SLOWED)
    deadline = time.monotonic() + 60
    while len(list(folder.rglob("parts/*.parquet"))) < parts:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "result.json").exists()
    assert merbench(*command, folder).code == 0
    one, other = (tmp_path / name / "predictions.parquet" for name in ("quiet", "killed"))
    assert one.read_bytes() == other.read_bytes()
    results = [json.loads((tmp_path / name / "result.json").read_text()) for name in ("quiet", "killed")]
    for result in results:
        result.pop("cost")
    assert results[0] == results[1]


def test_a_model_without_fingerprint_is_never_resumed(merbench, typo, tmp_path):
    command = ("eval", *typo, "--model", named("Forgetful"), "--out", tmp_path / "run")
    assert merbench(*command).code == 0
    first = (tmp_path / "run" / "predictions.parquet").stat().st_mtime_ns
    assert merbench(*command).code == 0
    assert (tmp_path / "run" / "predictions.parquet").stat().st_mtime_ns > first


def test_a_finished_run_is_not_run_again(merbench, typo, tmp_path):
    command = ("eval", *typo, "--model", named("TextOnly"), "--out", tmp_path / "run")
    assert merbench(*command).code == 0
    first = (tmp_path / "run" / "predictions.parquet").stat().st_mtime_ns
    assert merbench(*command).code == 0
    assert (tmp_path / "run" / "predictions.parquet").stat().st_mtime_ns == first


def test_model_a_is_never_served_as_model_b(merbench, typo, tmp_path):
    assert merbench("eval", *typo, "--model", named("TextOnly"), "--out", tmp_path / "run").code == 0
    merbench("eval", *typo, "--model", named("Greedy"), "--out", tmp_path / "run").refused(
        "another model or suite"
    )


def test_every_figure_is_computed_again_from_the_predictions(merbench, typo, tmp_path):
    assert merbench("eval", *typo, "--model", named("TextOnly"), "--out", tmp_path / "run").code == 0
    assert merbench("show", "run", tmp_path / "run").code == 0


def test_a_result_that_does_not_follow_from_its_predictions_is_refused(merbench, typo, tmp_path):
    merbench("eval", *typo, "--model", named("TextOnly"), "--out", tmp_path / "run")
    path = tmp_path / "run" / "result.json"
    result = json.loads(path.read_text())
    result["metrics"]["cells"][0]["metrics"]["accuracy"] = 0.99
    path.write_text(json.dumps(result))
    merbench("show", "run", tmp_path / "run").refused("does not follow")


def test_other_predictions_are_noticed(merbench, typo, tmp_path):
    merbench("eval", *typo, "--model", named("TextOnly"), "--out", tmp_path / "run")
    path = tmp_path / "run" / "predictions.parquet"
    pq.write_table(pq.read_table(path, partitioning=None).slice(1), path)
    merbench("show", "run", tmp_path / "run").refused("not the file that was scored")
