"""A run keeps every answer, computes nothing twice, and survives whatever ends it."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from merbench.errors import MerbenchError
from merbench.evaluation.result import recompute
from merbench.evaluation.run import evaluate
from merbench.evaluation.scorer import Batcher, Passes, Scorer
from merbench.suites.build import build_suite
from merbench.suites.store import Suite
from merbench.types import Batch, Sample, Utterance
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


def test_running_out_of_memory_on_one_row_is_the_end(merbench, typo, tmp_path):
    outcome = merbench("eval", *typo, "--model", named("Hungry"), "--out", tmp_path / "run")
    outcome.refused("a single sample", "--device cpu")


def test_batches_are_made_of_rows_of_similar_length():
    texts = ["a" * size for size in (9, 1, 8, 2, 9, 1, 8, 2)]
    nobody = Utterance(id="u", label="calm", split="test")
    clean = Batch.of([Sample(utterance=nobody, text=text) for text in texts])
    adapter = adapters.Padded()
    answers = Scorer(adapter, clean, Batcher(2), Passes()).clean_answers
    assert adapter.padding == 0
    assert np.array_equal(answers, adapters.TextOnly().predict(clean))


def test_a_model_may_score_and_talk(merbench, typo, tmp_path):
    assert merbench("eval", *typo, "--model", named("Both"), "--out", tmp_path / "run").code == 0
    seen = {(r["prediction"], r["raw_output"], r["stated"]) for r in rows(tmp_path / "run")}
    assert seen <= {("calm", "Calm.", "calm"), ("calm", "furious", "furious"), ("calm", "   ", "")}
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    clean = [r for r in rows(tmp_path / "run") if r["cell_id"] == "clean"]
    calm = sum(r["stated"] == "calm" for r in clean)
    assert 0 < calm < len(clean)
    assert result["metrics"]["cells"][0]["metrics"]["agreement"] == calm / len(clean)
    assert recompute(tmp_path / "run") == result


def test_agreement_is_undefined_without_both_answers(merbench, typo, tmp_path):
    for model in ("Talker", "TextOnly"):
        merbench("eval", *typo, "--model", named(model), "--out", tmp_path / model)
        result = json.loads((tmp_path / model / "result.json").read_text())
        assert {cell["metrics"]["agreement"] for cell in result["metrics"]["cells"]} == {None}


@pytest.mark.parametrize(
    ("device", "words"), [("cuda:99", "this machine has"), ("tpu", "no device 'tpu'"), ("auto:1", "device")]
)
def test_a_device_that_is_not_here_is_refused(merbench, typo, tmp_path, device, words):
    out = tmp_path / "run"
    merbench("eval", *typo, "--model", "majority", "--device", device, "--out", out).refused(words)
    assert not out.exists()


def test_a_precision_that_is_none_is_refused(merbench, typo, tmp_path):
    merbench("eval", *typo, "--model", "majority", "--precision", "int3").refused("int3", "bfloat16")


def test_several_prompts_are_compared(merbench, typo, tmp_path):
    out = tmp_path / "run"
    options = ("--prompt", "calm", "--prompt", "glad", "--out", out)
    outcome = merbench("eval", *typo, "--model", named("Prompted"), *options, "--json")
    assert outcome.code == 0, outcome.err
    table = json.loads(outcome.out)
    assert [entry["prompt"] for entry in table["prompts"]] == ["calm", "glad"]
    accuracy = [entry["clean"]["accuracy"] for entry in table["prompts"]]
    assert table["range"]["clean"]["accuracy"] == pytest.approx(abs(accuracy[0] - accuracy[1]))
    assert recompute(out / "calm")["metrics"]["overall"]["accuracy"]["clean"] == accuracy[0]


def test_prompts_are_for_models_that_take_one(merbench, typo, tmp_path):
    merbench("eval", *typo, "--model", named("Talker"), "--prompt", "x").refused("no option 'prompt'")


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


def test_predictions_that_are_gone_or_changed_are_made_again(merbench, typo, tmp_path):
    command = ("eval", *typo, "--model", named("TextOnly"), "--out", tmp_path / "run")
    assert merbench(*command).code == 0
    path = tmp_path / "run" / "predictions.parquet"
    made = path.read_bytes()
    path.unlink()
    assert merbench(*command).code == 0
    assert path.read_bytes() == made
    pq.write_table(pq.read_table(path, partitioning=None).slice(1), path)
    assert merbench(*command).code == 0
    assert path.read_bytes() == made


def test_other_content_under_the_same_recipe_is_another_run(merbench, tmp_path):
    """Pinned bytes depend on library versions: what was answered before is no answer to the new media."""
    suite = build_suite(plan(), tmp_path / "suite")
    evaluate(suite, named("Statistics"), tmp_path / "run")
    other = Suite(suite.folder, {**suite.manifest, "content_root": "0" * 64})
    with pytest.raises(MerbenchError, match="another model or suite"):
        evaluate(other, named("Statistics"), tmp_path / "run")


@pytest.mark.parametrize("text", ["[", "[]", "{}"])
def test_a_damaged_run_is_said_to_be_damaged(merbench, typo, tmp_path, text):
    command = ("eval", *typo, "--model", named("TextOnly"), "--out", tmp_path / "run")
    assert merbench(*command).code == 0
    (tmp_path / "run" / "run.json").write_text(text)
    merbench(*command).refused("run.json", "damaged")


def test_a_folder_of_something_else_keeps_its_unfinished_downloads(merbench, typo, tmp_path):
    mine = tmp_path / "films" / ".film.mkv.part"
    mine.parent.mkdir()
    mine.write_text("half of it")
    merbench("eval", *typo, "--model", named("TextOnly"), "--out", tmp_path).refused("holds no run")
    assert mine.read_text() == "half of it"


def test_an_exception_in_a_model_is_the_models(merbench, typo, tmp_path):
    merbench("eval", *typo, "--model", named("Crashes"), "--out", tmp_path / "run").refused(
        "adapters.py:Crashes failed", "KeyError", "--debug"
    )


def test_an_encoder_answers_every_row():
    class Short(adapters.Statistics):
        name = "short"

        def encode(self, modality, batch):
            return super().encode(modality, batch)[:1]

    chunk = next(iter(plan().chunks(0)))
    with pytest.raises(MerbenchError, match="short encoded the audio of 6 rows as 1"):
        Scorer(Short(), chunk.clean, Batcher(32), Passes())


def test_a_session_may_be_a_number(merbench, tmp_path):
    table = {
        "text": ["hello you", "hi there", "bye now"],
        "label": ["calm", "glad", "low"],
        "session": [1, 2, 3],
    }
    pq.write_table(pa.table(table), tmp_path / "t.parquet")
    data = ("--dataset", "table", "--root", tmp_path / "t.parquet", "--corruption", "text/typo")
    outcome = merbench("eval", *data, "--model", named("TextOnly"), "--out", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    assert {row["session"] for row in rows(tmp_path / "run")} == {"1", "2", "3"}


def test_a_class_without_samples_is_still_a_class_that_the_majority_knows(merbench, tmp_path):
    (tmp_path / "t.csv").write_text("id,text,label\na,hello there,calm\n")
    data = (
        "--dataset",
        "table:label_names=calm+glad",
        "--root",
        tmp_path / "t.csv",
        "--corruption",
        "text/typo",
    )
    outcome = merbench("eval", *data, "--model", "majority", "--out", tmp_path / "run", "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["metrics"]["classes"] == ["calm", "glad"]


def test_a_metric_that_is_not_there_is_noticed_before_the_run(merbench, typo, tmp_path):
    run = tmp_path / "run"
    merbench("eval", *typo, "--model", named("TextOnly"), "--metric", "auc", "--out", run).refused(
        "'auc'", "uar"
    )
    assert not run.exists()


def test_a_suite_is_not_narrowed_by_the_options_of_a_plan(merbench, tmp_path):
    build_suite(plan(), tmp_path / "suite")
    command = (
        "eval",
        "--suite",
        tmp_path / "suite",
        "--model",
        named("Statistics"),
        "--out",
        tmp_path / "run",
    )
    merbench(*command, "--severity", 3, "--limit", 2).refused("--severity", "--limit", "--suite")
    assert merbench(*command).code == 0
