"""A board on disk: a folder with ``board.json``, and a row and its answers for every model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from merbench.errors import MerbenchError
from merbench.evaluation.table import require_metric
from merbench.files import locked, write_json
from merbench.leaderboard.figures import compute_figures
from merbench.leaderboard.row import FINGERPRINT_DIGITS, Board, Row, Statement
from merbench.record.facts import ModelFacts, SuiteFacts
from merbench.record.reading import newer_schema, read_text, validated
from merbench.record.store import record_of, write_record, write_rows

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = "board.json"
SCHEMA_VERSION = 1
"""Version of ``board.json``."""


def find_boards(root: Path) -> list[Path]:
    """Return the boards at `root`: itself if it is one, else the folders in it that are.

    Raises:
        MerbenchError: there is none.
    """
    if (root / SETTINGS).is_file():
        return [root]
    found = sorted(path.parent for path in root.glob(f"*/{SETTINGS}"))
    if not found:
        raise MerbenchError(
            f"there is no board in {root}",
            fix="give a folder that holds a board.json or such folders; 'merbench leaderboard add' makes one",
        )
    return found


def open_board(folder: Path) -> Board:
    """Read a board's settings.

    Raises:
        MerbenchError: they are missing, damaged, or of another version.
    """
    path = folder / SETTINGS
    text = read_text(path)
    found = newer_schema(text, SCHEMA_VERSION)
    if found is not None:
        raise MerbenchError(
            f"{path} has schema {found}, and this merbench reads up to schema {SCHEMA_VERSION}",
            fix="install the merbench that wrote it",
        )
    board = validated(path, text, Board)
    require_metric(board.metric)
    return board


def row_files(folder: Path) -> list[Path]:
    """Return the rows of a board, by name."""
    return sorted(path for path in folder.glob("*.json") if path.name != SETTINGS)


def row_name(model: ModelFacts) -> str:
    """Return how a model's files are called: ``<model>@<fingerprint>``.

    Raises:
        MerbenchError: the model has no fingerprint.
    """
    if model.fingerprint is None:
        raise MerbenchError(
            f"{model.name} has no fingerprint, so that nobody could tell it from another model",
            fix="give its adapter a fingerprint() over weights, configuration and code; evaluate it again",
        )
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", model.name).strip("-.")[:80] or "model"
    return f"{slug}@{model.fingerprint[:FINGERPRINT_DIGITS]}"


def require_place(path: Path, row: Row, board: Board) -> None:
    """Check that the row at `path` is of this board and called after its model.

    Raises:
        MerbenchError: it belongs elsewhere.
    """
    if row.board != board.name or path.stem != row_name(row.model):
        raise MerbenchError(
            f"{path} is the row of '{row.model.name}' on the board '{row.board}'",
            fix=f"it belongs to {row.board}/{row_name(row.model)}.json",
        )


def add_run(run: Path, folder: Path, statement: Statement, *, metric: str = "uar") -> Path:
    """Compute a row from a run's answers, write both into a board, and return the row's path.

    Nothing is copied from ``result.json`` but facts about model and suite. A board that is not there, or
    has no row yet, becomes a board of this run's suite. A row of the same model is replaced.

    Args:
        run: a folder written by ``merbench eval``; a streamed run needs ``--verify``.
        folder: the board.
        statement: what the submitter says about the model.
        metric: of a board that is not there yet.

    Raises:
        MerbenchError: the run is damaged, has no ``content_root`` or fingerprint, or answered another
            suite than the board's.
    """
    record, rows = record_of(run, folder / "row.json")
    path = folder / f"{row_name(record.model)}.json"
    if record.suite.content_root is None:
        raise MerbenchError(
            f"the run in {run} was streamed without hashing what the model was given",
            fix="run the same 'merbench eval' with --verify (the model is not run again)",
        )
    with locked(folder):
        board = _board_for(folder, record.suite, metric)
        require_same_suite(record.suite, board.suite, f"the run in {run}")
        row = Row(
            **{name: getattr(record, name) for name in type(record).model_fields if name != "predictions"},
            predictions=record.predictions.model_copy(
                update={"file": path.with_suffix(".parquet").name, "sha256": write_rows(path, rows)}
            ),
            board=board.name,
            statement=statement,
            figures=compute_figures(record, rows, board.metric),
        )
        write_record(path, row)
    return path


def require_same_suite(found: SuiteFacts, expected: SuiteFacts, who: str) -> None:
    """Check that a suite is the board's.

    Raises:
        MerbenchError: it is not; the message names the first fact that differs.
    """
    for name in SuiteFacts.model_fields:
        if getattr(found, name) != getattr(expected, name):
            shown = [_short(getattr(suite, name)) for suite in (found, expected)]
            raise MerbenchError(
                f"{who} answered another suite: its {name} is {shown[0]}, and the board's is {shown[1]}",
                fix="evaluate the model on the board's suite, with the same --labels",
            )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:60]}..."


def _board_for(folder: Path, suite: SuiteFacts, metric: str) -> Board:
    """Return the board, made or turned to this suite if it has no row that says otherwise."""
    if not (folder / SETTINGS).exists():
        require_metric(metric)
        name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-") or "board"
        board = Board(
            schema_version=SCHEMA_VERSION,
            name=name,
            title=name,
            about="",
            metric=metric,
            evaluate="",
            suite=suite,
        )
    else:
        board = open_board(folder)
        if row_files(folder) or board.suite == suite:
            return board
        board = board.model_copy(update={"suite": suite})
    write_json(folder / SETTINGS, board.model_dump(mode="json"))
    return board
