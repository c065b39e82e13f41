"""Cells in which nothing happened: a mask on data without pictures, babble among too few people."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from merbench.suites.store import Shard, shard_path

if TYPE_CHECKING:
    from merbench.suites.store import Suite


@dataclass(frozen=True, slots=True)
class Idle:
    """A corruption that applied to no sample at these severities, and the commonest reason."""

    corruption: str
    severities: tuple[int, ...]
    reason: str


def idle_cells(suite: Suite) -> list[Idle]:
    """Return what a built suite holds that is as clean as the clean cell; reads no media.

    Raises:
        MerbenchError: a shard is damaged.
    """
    found: dict[tuple[str, str], list[int]] = {}
    for cell in suite.cells:
        if not cell.is_clean and (reason := _why_idle(suite, cell.cell_id)) is not None:
            found.setdefault((cell.corruption, reason), []).append(cell.severity)
    return [Idle(name, tuple(dict.fromkeys(levels)), why) for (name, why), levels in found.items()]


def _why_idle(suite: Suite, cell_id: str) -> str | None:
    reasons: Counter[str] = Counter()
    for shard in range(suite.shards):
        for row in Shard.open(shard_path(suite.folder, cell_id, shard)).columns(["applied", "achieved"]):
            if row["applied"]:
                return None
            reasons[str(json.loads(row["achieved"]).get("reason", "no reason given"))] += 1
    return reasons.most_common(1)[0][0] if reasons else None
