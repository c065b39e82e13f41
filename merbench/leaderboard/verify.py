"""Does a board say what its answers say? Every hash and every figure again, from the files beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isclose
from typing import TYPE_CHECKING, Any, Literal

from merbench.attacks import FAMILY
from merbench.errors import MerbenchError
from merbench.evaluation.attack_curves import curve_defects
from merbench.leaderboard.board import open_board, require_place, require_same_suite, row_files
from merbench.leaderboard.figures import INTERVALS, compute_figures
from merbench.leaderboard.row import Board, Row
from merbench.record.reading import IncomparableError, read_record, require_evaluator
from merbench.record.store import open_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from merbench.leaderboard.row import Figures

_DIGITS = 1e-9  # processors may add in another order; a forged figure differs by more

Outcome = Literal["verified", "wrong", "cannot tell"]


@dataclass(frozen=True)
class Verdict:
    """What was found about one row; `flags` are warnings that a reader must see though all figures hold."""

    path: Path
    outcome: Outcome
    why: str | None = None
    flags: tuple[str, ...] = ()
    row: Row | None = field(default=None, repr=False)


def verify_board(folder: Path) -> list[Verdict]:
    """Return a verdict on every row of a board, and on every file that belongs to none.

    Raises:
        MerbenchError: the board's settings cannot be read.
    """
    board = open_board(folder)
    rows = row_files(folder)
    verdicts = [verify_row(path, board) for path in rows]
    known = {path.with_suffix(".parquet") for path in rows}
    strays = sorted(set(folder.glob("*.parquet")) - known)
    return [*verdicts, *(Verdict(path, "wrong", f"{path} belongs to no row") for path in strays)]


def verify_row(path: Path, board: Board) -> Verdict:
    """Return a verdict on one row."""
    try:
        row = _checked(path, board)
    except IncomparableError as error:
        return Verdict(path, "cannot tell", str(error))
    except MerbenchError as error:
        return Verdict(path, "wrong", str(error))
    return Verdict(path, "verified", flags=flags_of(row), row=row)


def flags_of(row: Row) -> tuple[str, ...]:
    """Return what a reader must know before believing a row: contamination and the like, failed attacks."""
    return (*(f"{mark.kind}: {mark.why}" for mark in row.marks), *_unreliable_attacks(row.figures))


def require_verified(path: Path) -> Row:
    """Return the row at `path` of the board around it.

    Raises:
        MerbenchError: the row is not verified.
    """
    verdict = verify_row(path, open_board(path.parent))
    if verdict.row is None:
        raise MerbenchError(str(verdict.why))
    return verdict.row


def _checked(path: Path, board: Board) -> Row:
    row = read_record(path, Row)
    require_evaluator(path, row)
    if row.figures.intervals.version != INTERVALS:
        raise IncomparableError(
            f"{path} has intervals of version {row.figures.intervals.version}, and this merbench makes "
            f"version {INTERVALS}",
            fix="'merbench leaderboard add' writes it again; the model need not run",
        )
    require_place(path, row, board)
    require_same_suite(row.suite, board.suite, str(path))
    answers = open_rows(path, row)
    computed = compute_figures(row, answers, board.metric)
    different = next(_differences(row.figures.model_dump(), computed.model_dump(), "figures"), None)
    if different is not None:
        where, said, found = different
        raise MerbenchError(
            f"{path}: {where} is {said}, and the answers give {found}",
            fix="the row was edited: 'merbench leaderboard add' writes it again",
        )
    hidden = _implied(row) - {mark.kind for mark in row.marks}
    if hidden:
        raise MerbenchError(
            f"{path}: the model was trained on {_trained(row)}, and the row lacks the mark '{min(hidden)}'",
            fix="'merbench leaderboard add' writes it again",
        )
    return row


def _differences(said: Any, found: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield place, recorded and computed value of everything that differs."""
    if isinstance(said, dict) and isinstance(found, dict) and said.keys() == found.keys():
        for key in said:
            yield from _differences(said[key], found[key], f"{where}.{key}")
    elif isinstance(said, list) and isinstance(found, list) and len(said) == len(found):
        for i, (one, other) in enumerate(zip(said, found, strict=True)):
            yield from _differences(one, other, f"{where}.{i}")
    elif isinstance(said, float) and isinstance(found, float):
        if not isclose(said, found, rel_tol=_DIGITS, abs_tol=_DIGITS):
            yield where, said, found
    elif said != found:
        yield where, said, found


def _trained(row: Row) -> str:
    trained = row.model.trained_on
    return "unknown data" if trained is None else ", ".join(trained)


def _implied(row: Row) -> set[str]:
    """Return the marks that follow from what the row says about training."""
    trained = row.model.trained_on
    if trained is None:
        return {"unknown training data"}
    return {"out of domain"} if trained and row.suite.dataset not in trained else set()


def _unreliable_attacks(figures: Figures) -> Iterator[str]:
    """Yield attacks that did what none may do: they failed, the model did not withstand them."""
    entries: list[dict[str, Any]] = [
        {
            "corruption": one.corruption,
            "options": one.options,
            "clean": one.severities[0].robustness["accuracy"].clean,
            "scores": {s.severity: s.robustness["accuracy"].noisy for s in one.severities},
        }
        for one in figures.corruptions
        if one.family == FAMILY
    ]
    told = [e for e in entries if e["clean"] is not None and None not in e["scores"].values()]
    for attack in told:
        others = [other for other in told if other is not attack]
        for defect in curve_defects(attack, attack["clean"], others):
            yield f"unreliable attack: {attack['corruption']}: {defect}"
