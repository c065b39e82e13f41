"""Reading what others wrote: every way in which a file can be wrong has its own line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from merbench.errors import MerbenchError
from merbench.record.facts import VERSION, Part, Record, this_evaluator

if TYPE_CHECKING:
    from pathlib import Path

P = TypeVar("P", bound=Part)
R = TypeVar("R", bound=Record)


class IncomparableError(MerbenchError):
    """A record of a later schema or of another evaluator, of which nothing can be said here."""


def read_record(path: Path, kind: type[R]) -> R:
    """Read a record.

    Raises:
        MerbenchError: it is missing, not JSON, of a newer schema, or not what the schema says.
    """
    text = read_text(path)
    try:
        return validated(path, text, kind)
    except MerbenchError:
        found = newer_schema(text, VERSION)
        if found is None:
            raise
        raise IncomparableError(
            f"{path} has schema {found}, and this merbench reads up to schema {VERSION}",
            fix="install the merbench that wrote it",
        ) from None


def require_evaluator(path: Path, record: Record) -> None:
    """Check that the record at `path` was made by the rules of the merbench that runs.

    Raises:
        IncomparableError: it was not.
    """
    ours, theirs = this_evaluator(), record.evaluator
    if (theirs.format, theirs.result_schema) != (ours.format, ours.result_schema):
        raise IncomparableError(
            f"{path} was made by evaluator {theirs.format}.{theirs.result_schema} (merbench "
            f"{theirs.merbench}), and this is {ours.format}.{ours.result_schema}",
            fix="evaluate the model again with this merbench, or use that one",
        )


def validated(path: Path, text: str, kind: type[P]) -> P:
    """Return what `path` holds as what it should be.

    Raises:
        MerbenchError: it is not; the message names the first field that differs.
    """
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise MerbenchError(
            f"{path}: {where}: {first['msg']}", fix="it was edited or is damaged: write it again"
        ) from error


def read_text(path: Path) -> str:
    """Read a text file.

    Raises:
        MerbenchError: it is missing, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise MerbenchError(f"there is no file {path}", fix="check the path") from None
    except UnicodeDecodeError as error:
        raise MerbenchError(f"{path} is no text ({error})", fix="write it again") from error


def newer_schema(text: str, known: int) -> int | None:
    """Return the schema version that a JSON text claims, if it is later than the `known` one."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    found = value.get("schema_version") if isinstance(value, dict) else None
    return found if isinstance(found, int) and found > known else None
