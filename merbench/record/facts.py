"""What a record says, as types; everything that reads or writes one goes through them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

import merbench
from merbench.evaluation.result import SCHEMA_VERSION
from merbench.evaluation.runner import FORMAT
from merbench.types import JSON, Cell, Modality

VERSION = 1
"""Version of the record; raised when a field changes its meaning."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
STEM = r"[A-Za-z0-9][A-Za-z0-9_.@+-]*"
"""What a record's files may be called, as a regular expression without the ending: it leads nowhere."""

FileName = Annotated[str, StringConstraints(pattern=rf"^{STEM}\.parquet$")]


class Part(BaseModel):
    """A part of a record: nothing unknown in it, nothing converted, nothing infinite."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class CellKey(Part):
    """A cell's identity (`merbench.types.Cell`)."""

    corruption: str
    version: int
    severity: int
    options: dict[str, JSON]
    seed: int
    replicate: int


class SuiteFacts(Part):
    """What was answered; two records can be compared when this is equal in both."""

    dataset: str
    options: dict[str, JSON]
    split: str | None
    recipe_id: Sha256
    content_root: Sha256 | None = Field(description="null for a streamed run that was not hashed")
    samples: int = Field(gt=0, description="scored samples")
    answer_key: Sha256 = Field(description="over samples, labels, groups and where each cell applied")
    classes: list[str]
    text_informative: bool
    unit: str
    restricted: bool
    licence: str
    cells: list[CellKey]
    task: dict[str, JSON] | None = Field(
        default=None,
        exclude_if=lambda task: task is None,
        description="what is asked beside the label (merbench.targets.Task); absent where nothing is",
    )


class ModelFacts(Part):
    """Who answered."""

    name: str = Field(min_length=1, max_length=200)
    fingerprint: Sha256 | None
    labels: list[str]
    uses: list[Modality]
    trained_on: list[str] | None = Field(description="datasets; null: nobody recorded it")


class Evaluator(Part):
    """By which rules answers became rows; figures of other rules are not compared."""

    merbench: str = Field(description="the version that ran; for information")
    format: int = Field(description="merbench.evaluation.runner.FORMAT")
    result_schema: int = Field(description="merbench.evaluation.result.SCHEMA_VERSION")


class LabelFacts(Part):
    """Where the model's labels went."""

    mode: Literal["strict", "subset", "closed"]
    table: dict[str, str | None]


class MarkFacts(Part):
    """A warning that stays with the figures."""

    kind: str
    why: str


class Answers(Part):
    """The file of answers beside the record."""

    file: FileName
    sha256: Sha256
    rows: int = Field(gt=0)


class Record(Part):
    """What every record says."""

    schema_version: int = Field(ge=1, le=VERSION)
    suite: SuiteFacts
    model: ModelFacts
    evaluator: Evaluator
    labels: LabelFacts
    marks: list[MarkFacts]
    predictions: Answers

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The suite's cells."""
        return tuple(Cell.from_json(cell.model_dump()) for cell in self.suite.cells)


def this_evaluator() -> Evaluator:
    """Return by which rules the merbench that runs makes rows."""
    return Evaluator(merbench=merbench.__version__, format=FORMAT, result_schema=SCHEMA_VERSION)
