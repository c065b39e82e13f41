"""The loop of every corruption that spoils recordings, or clips, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from merbench.corruption import Measure
    from merbench.types import Achieved, Packed


def spoil_rows(
    media: Packed,
    spoil: Callable[[int, np.ndarray, np.ndarray], Achieved | str],
    measure: Measure,
    absent: str,
) -> tuple[Packed, list[Achieved]]:
    """Spoil every row of `media` into a new buffer.

    Args:
        media: recordings or clips.
        spoil: given a row's number, the row and where its spoilt version goes, fills that and returns the
            figures achieved (without ``applied``), or the reason why the row stays as it is.
        measure: names the figure that is missing where nothing was done.
        absent: the reason for rows that are not there.

    Returns:
        The rows, those that could not be spoilt unchanged, and a report for each.
    """
    spoilt = media.with_values(np.empty_like(media.values))
    reports: list[Achieved | str] = []
    for i, (row, out) in enumerate(zip(media, spoilt, strict=True)):
        report = absent if row is None or out is None else spoil(i, row, out)
        if isinstance(report, str):
            span = slice(media.offsets[i], media.offsets[i + 1])
            spoilt.values[span] = media.values[span]
        reports.append(report)
    return spoilt, reported(reports, measure)


def reported(reports: Sequence[Achieved | str], measure: Measure) -> list[Achieved]:
    """Return what was done to every row in the form that `Corruption.apply` owes.

    A row has its figures, or the reason why it stays as it is.
    """
    return [
        {"applied": False, measure.achieved: None, "reason": report}
        if isinstance(report, str)
        else {"applied": True, **report}
        for report in reports
    ]
