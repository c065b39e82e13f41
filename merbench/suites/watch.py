"""Somebody else's corruption, watched at its work.

Ours are held to their contract by our tests. Whether anybody tested a plug-in is not known here, and one
that writes to what it is given, or rolls dice of its own, would spoil every later cell without a word.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from merbench.corruption import corruptions
from merbench.errors import MerbenchError
from merbench.hashing import canonical_json, hash_array

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np

    from merbench.corruption import Corruption
    from merbench.types import Achieved, Batch, Params, Pool, Sample


def draw_all(
    corruption: Corruption,
    samples: Sequence[Sample],
    pool: Pool,
    dataset: str,
    *,
    seed: int = 0,
    replicate: int = 0,
) -> list[Params]:
    """Draw for every sample, as `Corruption.draw_all` does.

    Raises:
        MerbenchError: a plug-in fails.
    """
    with _blaming(corruption):
        return corruption.draw_all(samples, pool, dataset, seed=seed, replicate=replicate)


def apply(
    corruption: Corruption, batch: Batch, params: Sequence[Params], pool: Pool, severity: int
) -> tuple[Batch, list[Achieved]]:
    """Apply a corruption at `severity`; a plug-in can only read the batch that it is given.

    Raises:
        MerbenchError: a plug-in fails, writes to its input, or leaves rows out.
    """
    strength = corruption.strength(severity)
    if _is_ours(corruption):
        return corruption.apply(batch, params, pool, **strength)
    with _read_only(batch), _blaming(corruption):
        spoilt, achieved = corruption.apply(batch, params, pool, **strength)
    if not len(spoilt) == len(achieved) == len(batch):
        raise _blame(
            corruption,
            f"gives {len(spoilt)} rows and {len(achieved)} reports for {len(batch)} rows",
            "a row to which it does not apply is handed through with applied = False",
        )
    return spoilt, achieved


def require_repeatable(
    corruption: Corruption, draw: Callable[[], list[Params]], batch: Batch, pool: Pool, severity: int
) -> None:
    """Refuse a plug-in whose work depends on anything but what it is given; ours are not asked.

    It draws before and after it was applied, and is applied twice.

    Raises:
        MerbenchError: it changes its input or its params, or what it does differs between the two times.
    """
    if _is_ours(corruption):
        return
    params, before = draw(), _content(batch)
    written = canonical_json(params)
    results = []
    for _ in range(2):
        results.append(_content(apply(corruption, batch, params, pool, severity)[0]))
        if _content(batch) != before or canonical_json(params) != written:
            raise _blame(corruption, "writes to what it is given", "let it work on a copy")
    if results[0] != results[1]:
        raise _blame(
            corruption,
            "does something else each time it is applied with the same params",
            "let draw() decide what is random, from the stream that it is given",
        )
    if canonical_json(draw()) != written:
        raise _blame(
            corruption,
            "draws differently after it was applied: by a generator of its own, or with the severity in hand",
            "let draw() take all randomness from the stream that it is given, and keep nothing between calls",
        )


def _is_ours(corruption: Corruption) -> bool:
    return corruptions.entry(corruption.name).provider == "builtin"


def _blame(corruption: Corruption, what: str, fix: str) -> MerbenchError:
    provider = corruptions.entry(corruption.name).provider
    return MerbenchError(f"corruption '{corruption.name}', which '{provider}' provides, {what}", fix=fix)


@contextlib.contextmanager
def _blaming(corruption: Corruption) -> Iterator[None]:
    try:
        yield
    except MerbenchError:
        raise
    except Exception as error:
        if _is_ours(corruption):
            raise
        what = f"fails: {type(error).__name__}: {error}"
        if isinstance(error, ValueError) and "read-only" in str(error):  # numpy's only sign of it
            what = f"writes to what it is given ({error})"
        raise _blame(corruption, what, "tell whoever wrote it: --debug shows where") from error


@contextlib.contextmanager
def _read_only(batch: Batch) -> Iterator[None]:
    """Lock the arrays of a batch, and leave every lock as it was."""
    arrays: list[np.ndarray] = [batch.audio.values, batch.frames.values]
    arrays += [times for times in batch.timestamps if times is not None]
    held = [array for array in arrays if array.flags.writeable]
    for array in held:
        array.setflags(write=False)
    try:
        yield
    finally:
        for array in held:
            array.setflags(write=True)


def _content(batch: Batch) -> tuple[object, ...]:
    media = (*batch.audio, *batch.frames, *batch.timestamps)
    return (*(None if row is None else hash_array(row) for row in media), batch.sample_rates, batch.text)
