"""A model per fold, each asked about its own fold only, and one run of all their answers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

from merbench.evaluation.result import read_result


@pytest.fixture
def pooled(bench, evaluated):
    outcome = evaluated("--verify")
    assert outcome.code == 0, outcome.err
    return bench.folder / "run"


def answers(run):
    rows = pq.read_table(run / "predictions.parquet").to_pylist()
    return {(row["cell_id"], row["sample_id"]): row for row in rows}


def test_every_sample_is_answered_once_by_the_model_of_its_fold(bench, evaluated, pooled):
    rows = answers(pooled)
    assert len(rows) == 96 * 3, "clean and two severities"
    for fold in (1, 2, 3):
        bench.model(f"alone{fold}", seed=f"m{fold}")
        alone = evaluated(model=bench.named(f"alone{fold}"), out=f"run{fold}")
        assert alone.code == 0, alone.err
        expected = answers(bench.folder / f"run{fold}")
        mine = {key for key, row in rows.items() if json.loads(row["extra"]) == {"protocol_fold": fold}}
        assert len(mine) == 32 * 3
        for key in mine:
            assert rows[key] == expected[key]


def test_the_result_names_every_fold(pooled):
    result = read_result(pooled)
    prints = [one["fingerprint"] for one in result["model"]["folds"].values()]
    assert len(set(prints)) == 3
    assert result["model"]["fingerprint"] not in prints
    assert result["model"]["name"] == "speller.py:Speller"
    assert result["data"]["unit"] == "dialogue", "the protocol's, not the card's"
    assert result["data"]["protocol"]["labels"]["classes"]["low"] == ["low", "dull"]
    assert result["metrics"]["groups"]["fold"]["groups"].keys() == {"1", "2", "3"}
    assert result["marks"] == []


def test_the_table_says_what_was_merged_and_pooled(evaluated):
    told = " ".join(evaluated().out.split())
    assert "by protocol letters, 96 samples" in told
    assert "low = low + dull" in told
    assert "left out: odd" in told
    assert "3 folds by speaker, a model for each, pooled" in told
    assert "F1 corruption sev" in told, "macro_f1 is the protocol's metric"
    assert "only a part" not in told


def test_a_part_of_a_protocol_says_so(evaluated):
    told = " ".join(evaluated("--limit", "20", "--severity", "3").out.split())
    assert "only a part of protocol letters: 20 of 96 samples and severity 3 alone" in told


def test_everything_else_takes_a_pooled_run(merbench, bench, evaluated, pooled):
    bench.model("one")
    assert evaluated("--verify", model=bench.named("one"), out="run-of-one").code == 0
    assert merbench("show", "run", pooled).code == 0
    compared = merbench("compare", pooled, bench.folder / "run-of-one", "--json")
    assert json.loads(compared.out)["unit"] == "dialogue"
    assert json.loads(compared.out)["n_units"] == 10
    page = bench.folder / "report.html"
    assert merbench("report", pooled, "--out", page, "--root", bench.table).code == 0
    assert "by protocol letters" in page.read_text(encoding="utf-8")
    assert "Low = low + dull." in page.read_text(encoding="utf-8")
    assert merbench("paper", pooled, "--out", bench.folder / "paper").code == 0
    board = bench.folder / "boards" / "letters"
    added = merbench("leaderboard", "add", pooled, "--board", board)
    assert added.code == 0, added.err
    assert merbench("leaderboard", "verify", board).code == 0
    assert json.loads((board / "board.json").read_text())["metric"] == "macro_f1"
    baseline = bench.folder / "baselines" / "letters.json"
    assert merbench("check", pooled, "--write-baseline", baseline).code == 0
    assert merbench("check", pooled, "--against", baseline).code == 0


def test_again_nothing_runs_twice(bench, evaluated, pooled):
    before = (pooled / "predictions.parquet").read_bytes()
    result = read_result(pooled)
    again = evaluated()
    assert again.code == 0, again.err
    assert (pooled / "predictions.parquet").read_bytes() == before
    assert read_result(pooled) == result, "content_root included"


@pytest.mark.slow
def test_killed_in_the_middle_it_goes_on_to_the_same_answers(bench, evaluated, pooled):
    out, models = bench.folder / "killed", bench.models()
    brake = bench.folder / "models" / "m2" / "slow"
    brake.write_text("30")
    command = [
        *(sys.executable, "-m", "merbench", "eval", "--protocol", bench.protocol(), "--root", bench.table),
        *("--model", models, "--out", out),
    ]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (out / "folds" / "2" / "run.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "result.json").exists()
    first = (out / "folds" / "1" / "predictions.parquet").stat().st_mtime_ns
    brake.unlink()
    outcome = evaluated(model=models, out="killed")
    assert outcome.code == 0, outcome.err
    assert (out / "folds" / "1" / "predictions.parquet").stat().st_mtime_ns == first
    assert answers(out) == answers(pooled)


def test_a_built_suite_gives_the_same_answers(merbench, bench, pooled):
    suite = bench.folder / "suite"
    built = merbench("corrupt", "--protocol", bench.protocol(), "--root", bench.table, "--out", suite)
    assert built.code == 0, built.err
    run = merbench("eval", "--suite", suite, "--model", bench.models(), "--out", bench.folder / "from-suite")
    assert run.code == 0, run.err
    assert answers(bench.folder / "from-suite") == answers(pooled)
    streamed, read = read_result(pooled), read_result(bench.folder / "from-suite")
    assert streamed["recipe_id"] == read["recipe_id"]
    assert streamed["content_root"] == read["content_root"]
    assert merbench("compare", pooled, bench.folder / "from-suite").code == 0


def test_a_suite_of_a_protocol_is_made_again_from_its_recipe(merbench, bench, tmp_path):
    first = tmp_path / "first"
    data = ("--protocol", bench.protocol(), "--root", bench.table)
    assert merbench("corrupt", *data, "--out", first).code == 0
    again = merbench(
        *("suite", "rebuild", first / "recipe.json", "--root", bench.table, "--out", tmp_path / "again")
    )
    assert again.code == 0, again.err
    manifests = [json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("first", "again")]
    assert manifests[0] == manifests[1], "facts of the protocol included"
    run = merbench(
        "eval", "--suite", tmp_path / "again", "--model", bench.models(), "--out", tmp_path / "run"
    )
    assert run.code == 0, run.err


def test_a_missing_model_is_named_before_anything_runs(bench, evaluated):
    models = bench.models()
    (bench.folder / "models" / "m2" / "record.json").unlink()
    (bench.folder / "models" / "m2").rmdir()
    plain = f"{bench.folder}/models/m{{fold}}"
    evaluated(model=plain).refused(
        "fold 2", "m2 does not exist", "merbench train --protocol letters.toml --fold 2"
    )
    evaluated(model=models).refused("fold 2", "m2")
    assert not (bench.folder / "run").exists()


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({"samples": ["t010"], "speakers": []}, ["trained on 1 of the 32 samples"]),
        ({"samples": [], "speakers": ["s3", "s0"]}, ["trained on 1 of the speakers"]),
    ],
)
def test_a_model_that_has_seen_its_fold_is_refused(bench, evaluated, seen, words):
    models = bench.models()
    bench.model("m2", trained_on=[{"dataset": "table", **seen}])
    evaluated(model=models).refused("fold 2", "m2", *words)
    assert not (bench.folder / "run").exists()
    assert evaluated("--allow-contaminated", model=models).code == 0
    (mark,) = read_result(bench.folder / "run")["marks"]
    assert mark["kind"] == "contaminated"
    assert mark["why"] == f"fold 2: {words[0]}"


def test_one_model_of_all_folds_is_contaminated(bench, evaluated):
    bench.models()
    evaluated(model=bench.named("m1")).refused("trained on 4 of the speakers")


def test_models_that_do_not_answer_the_same(bench, evaluated):
    models = bench.models()
    bench.model("m3", labels=["glad", "calm", "low"])
    evaluated(model=models).refused("folds 1 and 3", "labels")


def test_a_model_per_fold_needs_folds(merbench, bench):
    bench.models()
    merbench("eval", "--dataset", "table", "--root", bench.table, "--model", "runs/{fold}").refused(
        "no folds"
    )
    merbench("eval", "--protocol", "synthetic", "--limit", "2", "--model", "runs/{fold}").refused("no folds")


def test_a_folder_holds_one_kind_of_run(bench, evaluated, pooled):
    bench.model("one")
    evaluated(model=bench.named("one")).refused("not empty")
    assert evaluated(model=bench.named("one"), out="run-of-one").code == 0
    evaluated(out="run-of-one").refused("a run of one model")


def test_folds_without_a_sample_need_not_run(bench, evaluated):
    assert evaluated("--limit", "2").code == 0
    assert len(read_result(bench.folder / "run")["model"]["folds"]) <= 2
