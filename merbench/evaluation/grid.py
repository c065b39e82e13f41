"""Predictions as dense arrays, cell by sample, from the rows of a run and nothing else.

Every cell must score exactly the clean cell's samples: a grid with a hole is an error, never a mean
over what happens to be there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from merbench.errors import MerbenchError
from merbench.evaluation.predictions import OUT_OF_SET, PARSED, TARGET_COLUMNS, UNPARSED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    import numpy.typing as npt

    from merbench.types import Cell

STATUSES = (PARSED, OUT_OF_SET, UNPARSED)

_COLUMNS = (
    "cell_id",
    "sample_id",
    "label",
    "prediction",
    "probabilities",
    "stated",
    "parse_status",
    "applied",
    "speaker",
    "dialogue",
    "session",
    "extra",
    *TARGET_COLUMNS,
)


@dataclass(frozen=True, eq=False)
class Grid:
    """K cells by n scored samples; samples are in the order of their ids.

    `truth` is [n] in 0..C-1. The others are [K, n]: `answer` in 0..C, where C means "no class";
    `status` indexes `STATUSES`; `confidence` is the probability of the answered class, NaN where there
    is none; `agrees` is 1 where a text answer beside the logits names the same class, 0 where it does not,
    -1 where there is no such text; `applied` tells where the corruption applied. `ids`, `speakers`,
    `dialogues`, `sessions` and `extra` are per sample.
    `unscored` counts the samples whose label is none of the classes. Where a task asks for T targets
    (`merbench.targets`), `target` [n, T] is what it asks for and `values` [K, n, T] what the model answered,
    NaN where it answered nothing; elsewhere T is 0.
    """

    cells: tuple[Cell, ...]
    truth: npt.NDArray[np.int64]
    answer: npt.NDArray[np.int64]
    status: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float32]
    agrees: npt.NDArray[np.int8]
    applied: npt.NDArray[np.bool_]
    ids: tuple[str, ...]
    speakers: tuple[str | None, ...]
    dialogues: tuple[str | None, ...]
    sessions: tuple[str | None, ...]
    extra: tuple[dict[str, Any], ...]
    unscored: int
    target: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    values: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0, 0)))

    @property
    def clean(self) -> int:
        """The index of the clean cell."""
        return _clean_index(self.cells)


def read_grid(
    predictions: pa.Table | Iterable[pa.RecordBatch],
    cells: Sequence[Cell],
    classes: Sequence[str],
    *,
    ignore: Collection[str] = (),
) -> Grid:
    """Read prediction rows (`merbench.evaluation.predictions.SCHEMA`) in any order.

    Args:
        predictions: the rows; batches are encoded one at a time, so that texts are never held.
        cells: the cells to score, the clean one among them.
        classes: the scored classes.
        ignore: ids of further cells whose rows are passed over.

    Raises:
        MerbenchError: there is no clean cell; a row belongs to no cell; a cell lacks a sample of the
            clean one, has one more, or has one twice; a sample has two labels; an answer or a
            probability vector does not fit the classes.
    """
    if not any(cell.is_clean for cell in cells):
        raise MerbenchError(
            "there is no clean cell, so nothing can be said about robustness",
            fix="evaluate the suite with its clean cell",
        )
    reader = _Reader(tuple(cells), tuple(classes), frozenset(ignore))
    batches = predictions.to_batches() if isinstance(predictions, pa.Table) else predictions
    for batch in batches:
        reader.add(batch.select([name for name in _COLUMNS if name in batch.schema.names]))
    return reader.grid()


class _Reader:
    """Gathers rows as integer codes; samples are numbered as they appear."""

    def __init__(self, cells: tuple[Cell, ...], classes: tuple[str, ...], ignore: frozenset[str]) -> None:
        self.cells = cells
        self.classes = classes
        self.ignore = ignore
        self.cell_code = {cell.cell_id: k for k, cell in enumerate(cells)}
        self.class_code = {name: c for c, name in enumerate(classes)}
        self.label_code: dict[str, int] = {}
        self.sample_code: dict[str, int] = {}
        self.facts: list[tuple[str | None, ...]] = []
        self.parts: list[tuple[np.ndarray, ...]] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Encode one batch."""
        cell = _encode(batch["cell_id"], self._cell)
        scored = np.flatnonzero(cell >= 0)
        cell, batch = cell[scored], batch.take(pa.array(scored))
        known = len(self.sample_code)
        sample = _encode(batch["sample_id"], lambda v: self.sample_code.setdefault(v, len(self.sample_code)))
        self._keep_facts(batch, sample, known)
        label = _encode(batch["label"], lambda v: self.label_code.setdefault(v, len(self.label_code)))
        status = _encode(batch["parse_status"], self._status)
        answer = np.full(len(batch), len(self.classes))
        parsed = np.flatnonzero(status == STATUSES.index(PARSED))
        answer[parsed] = _encode(batch["prediction"].take(pa.array(parsed)), self._class)
        confidence = self._confidence(batch, answer)
        agrees = pc.equal(batch["stated"], batch["prediction"]).cast(pa.int8())
        agrees = agrees.fill_null(-1).to_numpy(zero_copy_only=False)
        applied = batch["applied"].fill_null(False).to_numpy(zero_copy_only=False)
        target, values = self._targets(batch)
        self.parts.append((cell, sample, label, status, answer, confidence, agrees, applied, target, values))

    def _keep_facts(self, batch: pa.RecordBatch, sample: np.ndarray, known: int) -> None:
        """Keep the facts about the samples that were not there before this batch."""
        codes, first = np.unique(sample, return_index=True)
        rows = batch.select(["speaker", "dialogue", "session", "extra"]).take(pa.array(first[codes >= known]))
        self.facts.extend(zip(*(column.to_pylist() for column in rows.columns), strict=True))

    def _cell(self, cell_id: str) -> int:
        if cell_id in self.ignore:
            return -1
        if cell_id not in self.cell_code:
            raise MerbenchError(
                f"the predictions hold the cell '{cell_id}', which the suite does not have",
                fix="score them with the suite they were made from",
            )
        return self.cell_code[cell_id]

    def _class(self, prediction: str) -> int:
        if prediction not in self.class_code:
            raise MerbenchError(
                f"the predictions hold the answer '{prediction}' as parsed, which is none of the classes "
                f"({', '.join(self.classes)})",
                fix=f"its parse_status must be {OUT_OF_SET}",
            )
        return self.class_code[prediction]

    def _status(self, status: str) -> int:
        if status not in STATUSES:
            raise MerbenchError(
                f"the predictions hold the parse_status '{status}'", fix=f"it is one of {', '.join(STATUSES)}"
            )
        return STATUSES.index(status)

    def _confidence(self, batch: pa.RecordBatch, answer: np.ndarray) -> npt.NDArray[np.float32]:
        probabilities = batch["probabilities"]
        given = np.flatnonzero(probabilities.is_valid().to_numpy(zero_copy_only=False))
        values = probabilities.flatten().to_numpy(zero_copy_only=False)
        if len(values) != len(given) * len(self.classes):
            raise MerbenchError(
                f"the predictions do not hold {len(self.classes)} probabilities in every row",
                fix=f"give one for each of {', '.join(self.classes)}, or null",
            )
        if np.isnan(values).any():
            row = given[int(np.argmax(np.isnan(values))) // len(self.classes)]
            raise MerbenchError(
                f"the sample '{batch['sample_id'][row]}' has a probability that is not a number in the cell "
                f"{batch['cell_id'][row]}",
                fix="evaluate it again; a row without probabilities holds null",
            )
        table = np.full((len(answer), len(self.classes) + 1), np.nan, dtype=np.float32)
        table[given, :-1] = values.reshape(len(given), len(self.classes))
        return np.take_along_axis(table, answer[:, None], axis=1)[:, 0]

    def _targets(self, batch: pa.RecordBatch) -> list[npt.NDArray[np.float64]]:
        """Return both columns of targets, [rows, T]; NaN where one is null."""
        if TARGET_COLUMNS[0] not in batch.schema.names or not len(batch):
            return [np.empty((len(batch), 0))] * 2
        width = len(batch["target"][0])
        found = []
        for name in TARGET_COLUMNS:
            column = batch[name]
            given = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
            flat = column.flatten().to_numpy(zero_copy_only=False)
            sizes = pc.list_value_length(column).drop_null().to_numpy(zero_copy_only=False)
            if (sizes != width).any() or np.isinf(flat).any():
                raise MerbenchError(
                    f"the predictions do not hold {width} finite numbers in every {name}",
                    fix="evaluate the model again",
                )
            table = np.full((len(batch), width), np.nan)
            table[given] = flat.reshape(len(given), width)
            found.append(table)
        return found

    def grid(self) -> Grid:
        """Lay the rows out, samples by id."""
        if not self.parts:
            raise MerbenchError("there are no predictions", fix="evaluate at least one sample")
        width = max(part[-1].shape[1] for part in self.parts)
        parts = [part for part in self.parts if len(part[0])] or self.parts[:1]
        if any(part[-1].shape[1] != width for part in parts):
            raise MerbenchError(
                "the predictions do not all ask for as many numbers", fix="evaluate the model again"
            )
        cell, sample, label, status, answer, confidence, agrees, applied, target, values = map(
            np.concatenate, zip(*parts, strict=True)
        )
        ids = np.array(list(self.sample_code))
        place = cell * len(ids) + sample
        self._check_complete(np.bincount(place, minlength=len(self.cells) * len(ids)), ids)

        def dense(column: np.ndarray) -> np.ndarray:
            out = np.empty((len(self.cells) * len(ids), *column.shape[1:]), dtype=column.dtype)
            out[place] = column
            return out.reshape(len(self.cells), len(ids), *column.shape[1:])

        labels, targets = dense(label), dense(target)
        self._check_labels(labels, targets, ids)
        classes = np.array([self.class_code.get(name, -1) for name in self.label_code], dtype=np.int64)
        truth = classes[labels[0]]
        order = np.argsort(ids, kind="stable")
        order = order[truth[order] >= 0]
        if not len(order):
            raise MerbenchError(
                f"no sample has a label among the classes {', '.join(self.classes)}",
                fix="choose another --labels or another model",
            )
        speakers, dialogues, sessions, extra = zip(*(self.facts[i] for i in order), strict=True)
        return Grid(
            cells=self.cells,
            truth=truth[order],
            answer=dense(answer)[:, order],
            status=dense(status)[:, order],
            confidence=dense(confidence)[:, order],
            agrees=dense(agrees)[:, order],
            applied=dense(applied)[:, order],
            ids=tuple(ids[order].tolist()),
            speakers=speakers,
            dialogues=dialogues,
            sessions=sessions,
            extra=tuple(json.loads(facts or "{}") for facts in extra),
            unscored=len(ids) - len(order),
            target=targets[0][order],
            values=dense(values)[:, order],
        )

    def _check_complete(self, flat: np.ndarray, ids: np.ndarray) -> None:
        counts = flat.reshape(len(self.cells), len(ids))
        clean = counts[_clean_index(self.cells)]
        for k, cell in enumerate(self.cells):
            wrong = [*ids[counts[k] > 1], *ids[counts[k] != clean]]
            if wrong:
                first = min(wrong)
                n = int(counts[k][ids == first][0])
                what = {0: "lacks", 1: "has, and the clean cell does not,"}.get(n, f"has {n} times")
                raise MerbenchError(
                    f"the cell {cell.cell_id} {what} the sample '{first}'",
                    fix="every cell scores exactly the clean cell's samples, each once: evaluate it again",
                )

    def _check_labels(self, labels: np.ndarray, targets: np.ndarray, ids: np.ndarray) -> None:
        differs = (labels != labels[0]).any(axis=0) | (targets != targets[0]).any(axis=(0, 2))
        if differs.any():
            raise MerbenchError(
                f"the sample '{min(ids[differs])}' has one label in one cell and another in the next",
                fix="score predictions of one run only",
            )


def _clean_index(cells: Sequence[Cell]) -> int:
    return next(k for k, cell in enumerate(cells) if cell.is_clean)


def _encode(column: pa.Array, code: Callable[[Any], int]) -> npt.NDArray[np.int64]:
    """Return `code(value)` per row, asked once per distinct value."""
    encoded = column.dictionary_encode(null_encoding="encode")
    codes = np.array([code(value) for value in encoded.dictionary.to_pylist()], dtype=np.int64)
    return codes[encoded.indices.to_numpy()] if len(codes) else np.empty(0, dtype=np.int64)
