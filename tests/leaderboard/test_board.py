"""A row says what its answers say, and whoever changes either is found."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from merbench.errors import MerbenchError
from merbench.evaluation.result import read_result
from merbench.hashing import hash_file
from merbench.leaderboard.board import SETTINGS, add_run, find_boards
from merbench.leaderboard.row import Row, Statement, json_schema
from merbench.leaderboard.verify import _differences, flags_of, verify_board
from merbench.record.reading import read_record
from tests.leaderboard.conftest import copy_of, edit

HOME = Path(__file__).parents[2] / "leaderboards"
COMMITTED = sorted(path for path in HOME.glob("*/*.json") if path.name != SETTINGS)


def verdict(board: Path):
    (found,) = verify_board(board)
    return found


def test_the_committed_schema_is_that_of_the_types():
    assert json.loads((HOME / "schema.json").read_text(encoding="utf-8")) == json_schema()


@pytest.mark.parametrize("board", find_boards(HOME), ids=lambda path: path.name)
def test_committed_boards_are_verified(board):
    found = verify_board(board)
    assert found
    assert {v.outcome for v in found} == {"verified"}, [v.why for v in found]


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_committed_answers_hold_no_words(path):
    answers = pq.read_table(path.with_suffix(".parquet"))
    if read_record(path, Row).suite.restricted:
        assert answers["raw_output"].null_count == len(answers)


def test_a_row_has_the_figures_of_its_run_and_more(answered, row):
    run, found = read_result(answered())["metrics"], read_record(row, Row).figures
    assert found.model_dump()["overall"] == run["overall"]
    assert [f.robustness["uar"].noisy for f in found.families] == [
        f["robustness"]["uar"]["noisy"] for f in run["families"]
    ]
    spread = found.overall_spread.noisy
    assert spread.low < run["overall"]["uar"]["noisy"] < spread.high
    assert (found.intervals.unit, found.intervals.units) == ("speaker", 9)


def test_adding_the_same_run_again_changes_nothing(answered, board, row):
    before = row.read_bytes(), row.with_suffix(".parquet").read_bytes()
    assert add_run(answered(), board, Statement(recipe="clean", about="counts vowels")) == row
    assert (row.read_bytes(), row.with_suffix(".parquet").read_bytes()) == before


def test_a_board_that_lost_its_rows_takes_the_next_suite_and_keeps_its_words(answered, board, row):
    edit(board / SETTINGS, lambda b: b.update(title="Typos", about="spelling"))
    row.unlink()
    row.with_suffix(".parquet").unlink()
    add_run(answered(limit=60), board, Statement())
    settings = json.loads((board / SETTINGS).read_text())
    assert (settings["title"], settings["suite"]["samples"]) == ("Typos", 60)


def test_a_streamed_run_that_was_not_hashed_is_refused_with_the_remedy(answered, tmp_path):
    with pytest.raises(MerbenchError, match="--verify"):
        add_run(answered(verify=False), tmp_path / "board", Statement())


def test_a_run_of_another_suite_is_refused_by_name(answered, board):
    with pytest.raises(MerbenchError, match="another suite: its recipe_id"):
        add_run(answered(limit=60), board, Statement())


def test_a_model_without_a_fingerprint_is_refused(answered, tmp_path):
    with pytest.raises(MerbenchError, match="no fingerprint"):
        add_run(answered("Forgetful"), tmp_path / "board", Statement())


def test_figures_are_computed_and_not_copied(answered, tmp_path):
    run = copy_of(answered(), tmp_path / "run")
    edit(run / "result.json", lambda r: r["metrics"]["overall"]["uar"].update(noisy=0.99))
    with pytest.raises(MerbenchError, match="does not follow from its predictions"):
        add_run(run, tmp_path / "board", Statement())


EDITS = {
    "a better score": (
        lambda r: r["figures"]["overall"]["uar"].update(noisy=0.99),
        "figures.overall.uar.noisy",
    ),
    "a narrower interval": (
        lambda r: r["figures"]["overall_spread"]["noisy"].update(low=0.9),
        "figures.overall_spread.noisy.low",
    ),
    "a corruption left out": (lambda r: r["figures"]["corruptions"].clear(), "figures.corruptions"),
    "a warning taken off": (lambda r: r["marks"].clear(), "unknown training data"),
    "another hash": (lambda r: r["predictions"].update(sha256="0" * 64), "not the file that was recorded"),
    "a path that leaves the folder": (
        lambda r: r["predictions"].update(file="../../elsewhere.parquet"),
        "predictions.file",
    ),
    "somebody else's answers": (
        lambda r: r["predictions"].update(file="other@0123456789ab.parquet"),
        "not the file beside it",
    ),
    "other media": (lambda r: r["suite"].update(content_root="f" * 64), "content_root"),
    "a cell left out": (lambda r: r["suite"]["cells"].pop(), "cells"),
    "another name": (lambda r: r["model"].update(name="better"), "row of 'better'"),
    "another board": (lambda r: r.update(board="hard"), "board 'hard'"),
    "an unknown field": (lambda r: r.update(rank=1), "rank"),
    "a number as text": (lambda r: r["figures"]["clean"].update(uar="0.99"), "figures.clean.uar"),
    "not a number": (lambda r: r["figures"]["clean"].update(uar=float("nan")), "figures.clean.uar"),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_row_edited_by_hand_is_found(board, row, name):
    change, expected = EDITS[name]
    edit(row, change)
    found = verdict(board)
    assert found.outcome == "wrong"
    assert expected in found.why


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda r: r["evaluator"].update(format=99), "evaluator 99."),
        (lambda r: r.update(schema_version=99), "schema 99"),
        (lambda r: r["figures"]["intervals"].update(version=99), "version 99"),
    ],
)
def test_nothing_is_said_about_rows_of_another_merbench(merbench, board, row, change, expected):
    edit(row, change)
    outcome = merbench("leaderboard", "verify", board)
    assert outcome.code == 2
    assert "cannot tell" in outcome.out
    assert expected in outcome.out


def test_words_of_the_submitter_may_change(board, row):
    edit(row, lambda r: r["statement"].update(about="counts vowels, slowly"))
    assert verdict(board).outcome == "verified"


def forge(row: Path, change) -> None:
    """Change the answers, and their hash in the row, as somebody who knows the format would."""
    path = row.with_suffix(".parquet")
    answers = change(pq.read_table(path))
    pq.write_table(answers, path, compression="zstd")
    edit(row, lambda r: r["predictions"].update(sha256=hash_file(path), rows=len(answers)))


def replaced(answers: pa.Table, column: str, values) -> pa.Table:
    at = answers.schema.get_field_index(column)
    return answers.set_column(
        at, answers.schema.field(column), pa.array(values, answers.schema.field(column).type)
    )


def nan_in(answers):
    rows = answers["probabilities"].to_pylist()
    rows[7] = [float("nan")] * 3
    return replaced(answers, "probabilities", rows)


def all_right(answers):
    given = [
        [float(name == label) for name in ("calm", "glad", "low")] for label in answers["label"].to_pylist()
    ]
    return replaced(replaced(answers, "prediction", answers["label"]), "probabilities", given)


FORGERIES = {
    "answers turned right": (lambda a: replaced(a, "prediction", a["label"]), "greatest probability"),
    "answers and probabilities turned right": (all_right, "figures."),
    "labels turned to the answers": (
        lambda a: replaced(a, "label", a["prediction"]),
        "does not answer the suite",
    ),
    "hard samples left out": (
        lambda a: a.filter(pc.equal(a["label"], a["prediction"])),
        "does not answer the suite",
    ),
    "noise that never applied": (
        lambda a: replaced(a, "applied", [False] * len(a)),
        "does not answer the suite",
    ),
    "speakers split up": (lambda a: replaced(a, "speaker", a["sample_id"]), "does not answer the suite"),
    "probabilities that are not numbers": (nan_in, "are no probabilities"),
    "probabilities above 1": (
        lambda a: replaced(a, "probabilities", [[2.0, 0.0, 0.0]] * len(a)),
        "are no probabilities",
    ),
    "a column too few": (lambda a: a.drop_columns(["applied"]), "does not have the columns"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_answers_are_found_though_their_hash_fits(board, row, name):
    change, expected = FORGERIES[name]
    forge(row, change)
    found = verdict(board)
    assert found.outcome == "wrong"
    assert expected in found.why


def test_truncated_answers_are_found(board, row):
    answers = row.with_suffix(".parquet")
    answers.write_bytes(answers.read_bytes()[:-200])
    assert "not the file that was recorded" in verdict(board).why
    edit(row, lambda r: r["predictions"].update(sha256=hash_file(answers)))
    assert "truncated" in verdict(board).why


def test_missing_and_linked_answers_are_found(board, row, tmp_path):
    answers = row.with_suffix(".parquet")
    elsewhere = tmp_path / "elsewhere.parquet"
    answers.rename(elsewhere)
    assert "is missing" in verdict(board).why
    answers.symlink_to(elsewhere)
    assert "not the file beside it" in verdict(board).why


def test_answers_that_belong_to_no_row_are_found(board, row):
    row.unlink()
    assert "belongs to no row" in verdict(board).why


def test_a_damaged_row_does_not_hide_the_others(answered, board, row):
    add_run(answered("Talker"), board, Statement())
    row.write_text('{"schema_version": 1,', encoding="utf-8")
    assert sorted(v.outcome for v in verify_board(board)) == ["verified", "wrong"]


@settings(max_examples=40)
@given(data=st.data())
def test_any_figure_that_is_changed_is_found(data):
    figures = read_record(COMMITTED[0], Row).figures.model_dump()
    leaves = list(_leaves(figures))
    path, value = data.draw(st.sampled_from(leaves))
    changed = json.loads(json.dumps(figures))
    at = changed
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value + data.draw(st.sampled_from([-0.5, -1e-6, 1e-6, 0.01]))
    found = list(_differences(changed, figures, "figures"))
    assert [where for where, *_ in found] == [".".join(map(str, ("figures", *path)))]


def _leaves(value, path=()):
    if isinstance(value, float):
        yield path, value
    elif isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(inner, (*path, key))


def test_of_restricted_data_no_word_of_the_model_is_kept(answered, tmp_path):
    run = copy_of(answered("Talker"), tmp_path / "run")
    edit(run / "result.json", lambda r: r["data"].update(restricted=True))
    row = add_run(run, tmp_path / "board", Statement())
    kept = pq.read_table(row.with_suffix(".parquet"))
    assert "furious" in pq.read_table(run / "predictions.parquet")["prediction"].to_pylist()
    assert kept["raw_output"].null_count == len(kept)
    assert set(kept["prediction"].to_pylist()) == {"calm", "(withheld)", None}
    assert verdict(tmp_path / "board").outcome == "verified"


def test_contamination_is_flagged(board, row):
    edit(row, lambda r: r["marks"].append({"kind": "contaminated", "why": "trained on 3 of the samples"}))
    assert "contaminated: trained on 3 of the samples" in verdict(board).flags


def test_an_attack_that_does_less_harm_with_more_budget_is_flagged(row):
    found = read_record(row, Row)
    (typo,) = found.figures.corruptions
    scores = [s.model_copy(update={"severity": i + 1}) for i, s in enumerate(reversed(typo.severities))]
    for i, accuracy in enumerate((0.5, 0.2, 0.4)):
        better = scores[i].robustness["accuracy"].model_copy(update={"noisy": accuracy})
        scores[i] = scores[i].model_copy(update={"robustness": {**scores[i].robustness, "accuracy": better}})
    attack = typo.model_copy(update={"family": "adversarial", "severities": scores})
    figures = found.figures.model_copy(update={"corruptions": [attack]})
    flags = flags_of(found.model_copy(update={"figures": figures}))
    assert any("unreliable attack" in flag and "severity 2 and 3" in flag for flag in flags)
    assert not any("unreliable attack" in flag for flag in flags_of(found))


def test_the_commands_say_what_they_did(merbench, answered, tmp_path):
    board = tmp_path / "typos"
    outcome = merbench("leaderboard", "add", answered(), "--board", board, "--recipe", "noise", "--json")
    assert outcome.code == 0, outcome.err
    row = Path(json.loads(outcome.out)["row"])
    assert read_record(row, Row).statement.recipe == "noise"
    shown = merbench("leaderboard", "verify", tmp_path)
    assert (shown.code, "1 of 1 rows verified" in shown.out) == (0, True)
    assert "flag: unknown training data" in shown.out
    edit(row, lambda r: r["figures"]["clean"].update(uar=0.99))
    assert merbench("leaderboard", "verify", board).code == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["verify", "nowhere"], ["no board in nowhere"]),
        (["add", "nowhere", "--board", "b"], ["no result in nowhere"]),
        (["add", "nowhere", "--board", "b", "--recipe", "magic"], ["--recipe", "magic"]),
        (["add", "nowhere", "--board", "b", "--url", "javascript:alert(1)"], ["--url"]),
        (["render", "nowhere"], ["no board in nowhere"]),
        (["publish", "nowhere/row.json", "--to", "me"], ["OWNER/NAME"]),
        (["publish", "nowhere/row.json", "--to", "me/model"], ["nowhere/board.json"]),
    ],
)
def test_bad_words_are_answered_in_one_line(merbench, tmp_path, monkeypatch, words, expected):
    monkeypatch.chdir(tmp_path)
    merbench("leaderboard", *words).refused(*expected)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_board_is_bad_input(merbench, board):
    (board / SETTINGS).write_text("{", encoding="utf-8")
    merbench("leaderboard", "verify", board).refused("board.json", "edited or is damaged")
