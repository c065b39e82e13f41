"""Models over several datasets, each dataset one block."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from merbench.errors import MerbenchError
from merbench.statistics.classical import Friedman, friedman
from merbench.statistics.intervals import LEVEL
from merbench.statistics.panel import OVERALL, Run, make_panel, read_models
from merbench.statistics.scores import quantity_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from merbench.statistics.scores import Quantity


def across_datasets(
    models: Sequence[Path | str], *, metric: str, quantity: Quantity = "noisy", level: float = LEVEL
) -> Friedman:
    """Rank models by a pooled figure within every dataset (Friedman's test, Nemenyi's difference).

    Args:
        models: two or more entries ``NAME=RUN,RUN,...`` with one run per dataset, the same datasets for
            every model.
        metric: one of `merbench.evaluation.metrics.SUMMARY_METRICS`.
        quantity: ``noisy`` (over everything) or ``clean``.
        level: 1 minus the error rate of all comparisons together.

    Raises:
        MerbenchError: a model lacks a dataset or has it twice, the runs over a dataset do not match, or
            there are fewer than three datasets or two models.
    """
    named = read_models(models)
    names = [name or runs[0].result["model"]["name"] for name, runs in named]
    blocks: dict[tuple[str, str | None], dict[str, Run]] = defaultdict(dict)
    for name, (_, runs) in zip(names, named, strict=True):
        for run in runs:
            block = blocks[run.result["data"]["dataset"], run.result["data"]["split"]]
            if name in block:
                raise MerbenchError(
                    f"{name} has two runs over one dataset: {block[name].where} and {run.where}",
                    fix="give one run per dataset",
                )
            block[name] = run
    rows = []
    for (dataset, _), block in blocks.items():
        if lacking := [name for name in names if name not in block]:
            raise MerbenchError(
                f"{lacking[0]} has no run over {dataset}", fix="give every model every dataset"
            )
        panel = make_panel([[block[name]] for name in names], names=names)
        whole = panel.scores(metric).whole
        rows.append(quantity_of(whole, panel.clean, panel.scope(OVERALL), quantity))
    return friedman(np.array(rows), names, level)
