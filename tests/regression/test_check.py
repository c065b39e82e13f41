"""``merbench check`` as a CI job meets it."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest

from merbench.hashing import hash_file
from tests.leaderboard.conftest import copy_of, edit


@pytest.fixture
def baseline(merbench, answered, tmp_path):
    path = tmp_path / "kept" / "last_good.json"
    assert merbench("check", answered(), "--write-baseline", path).code == 0
    return path


def test_the_same_model_passes_and_every_form_of_the_result_is_written(
    merbench, answered, baseline, tmp_path, monkeypatch
):
    steps = tmp_path / "steps.md"
    steps.write_text("## What another step said\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(steps))
    outcome = merbench("check", answered(), "--against", baseline, "--junit", tmp_path / "j.xml", "--json")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    assert (found["verdict"], found["samples"], found["unit"]) == ("held", 120, "speaker")
    assert ElementTree.parse(tmp_path / "j.xml").getroot().find(".//failure") is None
    text = steps.read_text(encoding="utf-8")
    assert text.startswith("## What another step said\n### ✅ Robustness: held")


def test_another_model_does_not_pass_unseen(merbench, answered, baseline):
    outcome = merbench("check", answered("Talker"), "--against", baseline)
    assert outcome.code in (1, 2)
    assert "HELD" not in outcome.out
    assert "against" in outcome.out


def test_a_run_over_other_samples_is_no_pass(merbench, answered, baseline):
    merbench("check", answered(limit=60), "--against", baseline).refused("has the sample", "has not")


def test_a_run_with_a_cell_missing_is_no_pass(merbench, answered, baseline, texts, tmp_path):
    from tests import adapters

    words = ("--dataset", "table", "--root", texts, "--limit", 120, "--corruption", "text/typo")
    run = tmp_path / "run"
    model = f"{adapters.__file__}:TextOnly"
    assert merbench("eval", "--model", model, *words, "--severity", "1,3", "--out", run).code == 0
    merbench("check", run, "--against", baseline).refused("text-typo-s5", "has not")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda b: b.update(schema_version=99), "schema 99"),
        (lambda b: b["evaluator"].update(format=99), "evaluator 99."),
        (lambda b: b["predictions"].update(file="../baseline.parquet"), "predictions.file"),
        (lambda b: b["predictions"].update(file="other.parquet"), "not the file beside it"),
        (lambda b: b["suite"].update(answer_key="0" * 64), "does not answer the suite"),
        (lambda b: b["suite"].update(recipe_id="0" * 64, content_root="0" * 64), "content_root"),
        (lambda b: b.pop("model"), "model"),
    ],
)
def test_a_baseline_of_another_kind_or_edited_is_no_pass(merbench, answered, baseline, change, expected):
    edit(baseline, change)
    merbench("check", answered(), "--against", baseline).refused(expected)


def test_truncated_answers_of_a_baseline_are_no_pass(merbench, answered, baseline):
    answers = baseline.with_suffix(".parquet")
    answers.write_bytes(answers.read_bytes()[:-100])
    merbench("check", answered(), "--against", baseline).refused("not the file that was recorded")
    edit(baseline, lambda b: b["predictions"].update(sha256=hash_file(answers)))
    merbench("check", answered(), "--against", baseline).refused("truncated")
    answers.unlink()
    merbench("check", answered(), "--against", baseline).refused("is missing")


def test_a_run_whose_answers_were_edited_is_no_pass(merbench, answered, baseline, tmp_path):
    run = copy_of(answered(), tmp_path / "run")
    answers = pq.read_table(run / "predictions.parquet")
    at = answers.schema.get_field_index("prediction")
    right = answers.set_column(at, answers.schema.field(at), answers["label"])
    pq.write_table(right, run / "predictions.parquet")
    merbench("check", run, "--against", baseline).refused("not the file that was scored")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ["--against", "--write-baseline"]),
        (["--against", "nowhere.json"], ["no file nowhere.json"]),
        (["--write-baseline", "baseline.txt"], ["ends in .json"]),
        (["--write-baseline", "my baseline.json"], ["cannot be called 'my baseline.json'"]),
        (["--against", "{baseline}", "--metric", "bleu"], ["no metric 'bleu'"]),
        (["--against", "{baseline}", "--unit", "planet"], ["no unit 'planet'"]),
        (["--against", "{baseline}", "--tolerance", "2"], ["--tolerance"]),
        (["--against", "{baseline}", "--write-baseline", "b.json"], ["give one of the two"]),
    ],
)
def test_bad_words_are_answered_in_one_line(
    merbench, answered, baseline, tmp_path, monkeypatch, words, expected
):
    monkeypatch.chdir(tmp_path)
    given = [word.replace("{baseline}", str(baseline)) for word in words]
    merbench("check", answered(), *given).refused(*expected)
    merbench("check", "nowhere", "--against", baseline).refused("no result in nowhere")
