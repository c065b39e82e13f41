"""What a row of a board says: facts, what the submitter states, and figures computed from the answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from merbench.errors import MerbenchError
from merbench.evaluation.metrics import SUMMARY_METRICS
from merbench.record.facts import Part, Record, SuiteFacts
from merbench.types import JSON  # noqa: TC001 - pydantic reads it at run time

FINGERPRINT_DIGITS = 12
"""How much of a fingerprint is in a file's name; the row holds all of it."""

BoardName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]
"""A board's name, which is also a folder of its pages."""

Recipe = Literal["clean", "noise", "fgsm", "pgd", "noise+fgsm", "noise+pgd", "noise-aware", "other", "none"]
"""How a model was trained, or hardened; ``none`` is for what was not trained at all."""


class Statement(Part):
    """What the submitter says about the model; nobody can compute it, so nobody verifies it."""

    recipe: Recipe | None = None
    about: str = Field(default="", max_length=2_000)
    url: str | None = Field(default=None, pattern=r"^https?://[^\s\"<>]+$", max_length=500)
    licence: str | None = Field(default=None, max_length=100)
    submitter: str | None = Field(default=None, max_length=200)
    bibtex: str | None = Field(default=None, max_length=5_000)


def make_statement(**given: str | None) -> Statement:
    """Return a statement from what a user wrote.

    Raises:
        MerbenchError: something is not what it should be.
    """
    try:
        return Statement.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise MerbenchError(f"--{first['loc'][0]} cannot be '{first['input']}'", fix=first["msg"]) from error


class Score(Part):
    """A metric clean and under noise; null where undefined (`merbench.evaluation.robustness`)."""

    clean: float | None
    noisy: float | None
    drop: float | None
    retention: float | None


def _in_every_metric(scores: dict[str, Score]) -> dict[str, Score]:
    if scores.keys() != set(SUMMARY_METRICS):
        raise ValueError(f"is not {', '.join(SUMMARY_METRICS)}")
    return scores


Robustness = Annotated[dict[str, Score], AfterValidator(_in_every_metric)]


class Interval(Part):
    """A confidence interval; null ends where the suite has too few units for one."""

    low: float | None
    high: float | None


class Spread(Part):
    """Intervals of the board's metric."""

    clean: Interval
    noisy: Interval
    drop: Interval


class SeverityFigures(Part):
    """One point of a severity curve, draws averaged."""

    severity: int
    robustness: Robustness


class CorruptionFigures(Part):
    """One corruption with its options."""

    corruption: str
    version: int
    options: dict[str, JSON]
    family: str
    severities: list[SeverityFigures]
    robustness: Robustness
    area: dict[str, float | None]


class FamilyFigures(Part):
    """One noise family, corruptions averaged."""

    family: str
    robustness: Robustness
    spread: Spread


class IntervalMethod(Part):
    """What an interval is."""

    version: int = Field(description="merbench.leaderboard.figures.INTERVALS")
    metric: str
    level: float
    unit: str
    units: int
    method: str


class Figures(Part):
    """Everything a board shows; every number follows from the answers."""

    clean: dict[str, float | None] = Field(description="of the clean cell, error rates and ECE included")
    overall: Robustness
    overall_spread: Spread
    families: list[FamilyFigures]
    corruptions: list[CorruptionFigures]
    worst_corruption: dict[str, dict[str, JSON] | None]
    not_applicable: list[str] = Field(description="corruptions that mean nothing here")
    intervals: IntervalMethod


class Row(Record):
    """One model on one board."""

    board: BoardName
    statement: Statement
    figures: Figures


class Board(Part):
    """A board's own settings: the suite that every row must have answered, and what is shown."""

    schema_version: int = Field(ge=1)
    name: BoardName
    title: str
    about: str
    metric: str
    evaluate: str = Field(description="the arguments of 'merbench eval' that make a run for this board")
    suite: SuiteFacts


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a row, for tools that do not speak Python."""
    schema: dict[str, Any] = Row.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
