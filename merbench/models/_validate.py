"""What a model answered, refused unless it is an answer."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from merbench.errors import MerbenchError
from merbench.models._adapter import Answered, Valued

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from merbench.models._adapter import Adapter

Answers = np.ndarray | list[str] | Answered | Valued
"""Checked answers: float64 logits [N, C], N texts, both, or float64 values [N, K] with or without logits."""

_FIX = "mend the adapter's predict()"


def check_output(output: Any, n: int, labels: Sequence[str], targets: Sequence[str] = ()) -> Answers:
    """Return the answers to a batch of `n` rows as `Answers`.

    Apart from `Answered` and `Valued`, anything with numbers in it is read as logits and anything else as
    one text per row.

    Raises:
        MerbenchError: the shape of the logits is not [n, C] or that of the values not [n, K]; a number is
            NaN or infinite; there are not `n` texts; one of them is not a string; values are missing or
            answered though there are no targets.
    """
    if isinstance(output, Valued) != bool(targets):
        what = f"has the targets {', '.join(targets)} and answered no values" if targets else "has no targets"
        raise MerbenchError(
            f"the model {what}{'' if targets else ', and answered values'}",
            fix="set Adapter.targets and return merbench.models.Valued(values, logits)",
        )
    if isinstance(output, Valued):
        values = _check_numbers(output.values, n, targets, "values", "targets")
        scored = None if output.logits is None else _check_logits(output.logits, n, labels)
        if scored is None and labels:
            raise MerbenchError(
                f"the model has the labels {', '.join(labels)} and answered values alone",
                fix="return Valued(values, logits), or leave its labels empty",
            )
        return Valued(values, scored)
    if isinstance(output, Answered):
        return Answered(_check_logits(output.logits, n, labels), _check_texts(output.texts, n))
    if isinstance(output, (list, tuple)) and any(isinstance(answer, str) for answer in output):
        return _check_texts(output, n)
    return _check_logits(output, n, labels)


def join(parts: Sequence[Answers]) -> Answers:
    """Return the answers to consecutive batches of one model as one."""
    if isinstance(parts[0], Answered):
        both = [part for part in parts if isinstance(part, Answered)]
        logits = np.concatenate([part.logits for part in both])
        return Answered(logits, [text for part in both for text in part.texts])
    if isinstance(parts[0], Valued):
        valued = [part for part in parts if isinstance(part, Valued)]
        scored = [part.logits for part in valued if part.logits is not None]
        return Valued(
            np.concatenate([part.values for part in valued]), np.concatenate(scored) if scored else None
        )
    if isinstance(parts[0], list):
        return [text for part in parts if isinstance(part, list) for text in part]
    return np.concatenate([part for part in parts if isinstance(part, np.ndarray)])


def choose(answers: Answers, rows: Sequence[int] | npt.NDArray[np.int64]) -> Answers:
    """Return the answers to these rows, in this order."""
    if isinstance(answers, Answered):
        return Answered(answers.logits[rows], [answers.texts[i] for i in rows])
    if isinstance(answers, Valued):
        return Valued(answers.values[rows], None if answers.logits is None else answers.logits[rows])
    if isinstance(answers, list):
        return [answers[i] for i in rows]
    return np.asarray(answers[rows])


@contextmanager
def blamed(adapter: Adapter) -> Iterator[None]:
    """Say that it is the model that failed, and how: somebody's adapter is input, and may be wrong.

    Running out of memory is nobody's mistake yet: a smaller batch may fit.
    """
    try:
        yield
    except MerbenchError:
        raise
    except Exception as error:
        if out_of_memory(error):
            raise
        raise MerbenchError(
            f"{adapter.name} failed: {type(error).__name__}: {error}",
            fix="mend the adapter; --debug shows where",
        ) from error


def out_of_memory(error: Exception) -> bool:
    """Tell a MemoryError, or torch's own for GPU and CPU, without importing torch."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error))
    )


def _check_logits(output: Any, n: int, labels: Sequence[str]) -> npt.NDArray[np.float64]:
    return _check_numbers(output, n, labels, "logits", "labels")


def _check_numbers(
    output: Any, n: int, names: Sequence[str], what: str, columns: str
) -> npt.NDArray[np.float64]:
    """Return finite numbers [n, K], one column per name."""
    try:
        numbers = np.asarray(output, dtype=np.float64)
    except (TypeError, ValueError):
        kind = type(output).__name__
        raise MerbenchError(
            f"the model answered a {kind} that is neither {what} nor a list of texts", fix=_FIX
        ) from None
    expected = (n, len(names))
    if numbers.shape != expected:
        raise MerbenchError(
            f"the model answered {n} rows with {what} of shape {list(numbers.shape)}, not {list(expected)} "
            f"(rows, {columns}: {', '.join(names)})",
            fix=_FIX,
        )
    finite = np.isfinite(numbers)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        value = "NaN" if np.isnan(numbers[row, column]) else numbers[row, column]
        raise MerbenchError(
            f"the model answered {value} for '{names[column]}' in row {row} of a batch",
            fix=_FIX,
        )
    return numbers


def _check_texts(output: Sequence[Any], n: int) -> list[str]:
    if len(output) != n:
        raise MerbenchError(f"the model answered {n} rows with {len(output)} texts", fix=_FIX)
    for row, answer in enumerate(output):
        if not isinstance(answer, str):
            raise MerbenchError(
                f"the model answered a {type(answer).__name__} instead of a text in row {row} of a batch",
                fix=_FIX,
            )
    return list(output)
