"""Clustered statistics against plain ways of computing the same.

    python benchmarks/compare.py [--samples 10000] [--units 280] [--corruptions 40] [--read]

Two models, a clean cell and every corruption at five severities. Times are processor seconds over all
cores, which a busy machine does not change much. Printed:

- 9 999 swaps of whole units, every corruption, family and overall, under noise and in drop, against
  counting the confusion matrices again for every replicate (timed on a few);
- the same p of one mean over units against ``scipy.stats.permutation_test``;
- jackknife-t intervals of everything against counting again without each unit;
- the repeated-measures analysis of variance against statsmodels' ``AnovaRM`` (20 units, 5 corruptions:
  its time grows much faster than ours);
- with --read, ``merbench compare`` of two such runs from disk.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from merbench.evaluation.metrics import confusion_matrix, scalars
from merbench.statistics.anova import repeated_measures
from merbench.statistics.compare import compare
from merbench.statistics.intervals import paired_interval
from merbench.statistics.panel import Model, Panel, Run, Units
from merbench.statistics.permutation import draw_signs, sign_flip, swap_test
from merbench.types import SEVERITIES, Cell

if TYPE_CHECKING:
    from collections.abc import Callable

CLASSES = ("neutral", "happy", "sad", "angry", "fear", "disgust", "surprise")
METRIC = "macro_f1"


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--units", type=int, default=280)
    parser.add_argument("--corruptions", type=int, default=40)
    parser.add_argument("--read", action="store_true")
    arguments = parser.parse_args()
    panel = make(arguments.samples, arguments.units, arguments.corruptions)
    print(f"{len(panel.truth)} samples, {len(panel.units)} units, {len(panel.cells)} cells")

    scopes = panel.of_kind("overall", "family", "corruption")
    questions: Any = [(quantity, scope) for scope in scopes for quantity in ("noisy", "drop")]
    signs = draw_signs(len(panel.units))
    ours, _ = timed(lambda: swap_test(panel, 0, 1, METRIC, questions, signs))
    few = 5
    plain, _ = timed(lambda: [recount(panel, swapped) for swapped in signs.swapped[:few]])
    plain *= len(signs.swapped) / few
    show(f"{len(signs.swapped)} swaps, {len(questions)} questions", ours, plain, "recounting (extrapolated)")

    each = panel.scores("accuracy").within[:, 1:].mean(1)
    difference = each[1] - each[0]
    from scipy.stats import permutation_test

    ours, _ = timed(lambda: sign_flip(np.repeat(difference[:, None], len(questions), axis=1), signs))
    plain, _ = timed(
        lambda: permutation_test(
            (difference,), np.mean, permutation_type="samples", n_resamples=9_999, vectorized=True, rng=0
        )
    )
    show("sign-flips of unit means", ours, plain * len(questions), "scipy permutation_test per question")

    ours, _ = timed(lambda: [paired_interval(panel, 0, 1, metric=METRIC, scope=scope) for scope in scopes])
    plain, _ = timed(lambda: [recount(panel, None, without=unit) for unit in range(few)])
    show(
        f"{len(scopes)} jackknife-t intervals",
        ours,
        plain * len(panel.units) / few,
        "recounting (extrapolated)",
    )

    table = np.random.default_rng(0).normal(size=(20, 2, 5, 5))
    ours, _ = timed(lambda: repeated_measures(table, ["model", "noise", "level"], draw_signs(20)))
    plain, _ = timed(lambda: anova_rm(table))
    show("ANOVA, 20 x 2 x 5 x 5, with 9 999 sign-flips", ours, plain, "statsmodels AnovaRM, without")

    whole, _ = timed(lambda: compare(panel, metric=METRIC))
    print(f"compare, from answers in memory       {whole:7.2f} s")
    if arguments.read:
        with tempfile.TemporaryDirectory() as folder:
            runs = [write(panel, run, Path(folder) / str(run)) for run in range(2)]
            read, _ = timed(lambda: compare(runs, metric=METRIC))
            print(f"compare, from two runs on disk        {read:7.2f} s    (goal under 5)")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"peak memory                           {peak:7.2f} GB")


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the processor seconds that something takes over all cores, and what it gives."""
    started = time.process_time()
    given = work()
    return time.process_time() - started, given


def show(what: str, ours: float, plain: float, than: str) -> None:
    """Print one comparison."""
    print(f"{what:46s} {ours:7.2f} s, {plain / ours:7.0f} times faster than {than}")


def make(samples: int, units: int, corruptions: int) -> Panel:
    """Return a panel of two models whose speakers are of very different sizes."""
    rng = np.random.default_rng(0)
    families = ("audio", "vision", "text", "modality")
    cells = [
        Cell.clean(),
        *(
            Cell(corruption=f"{families[i % 4]}/noise{i}", version=1, severity=severity)
            for i in range(corruptions)
            for severity in SEVERITIES
        ),
    ]
    truth = rng.integers(0, len(CLASSES), samples)
    sizes = rng.lognormal(0, 0.7, units)
    who = np.r_[np.arange(units), rng.choice(units, samples - units, p=sizes / sizes.sum())]
    ease = rng.normal(0.8, 1, (2, units))[:, who] + rng.normal(0, 1, samples)
    severity = np.array([cell.severity for cell in cells])
    right = ease[:, None] - 0.3 * severity[:, None] + rng.normal(0, 0.5, (2, len(cells), samples)) > 0
    answer = np.where(right, truth, rng.integers(0, len(CLASSES), right.shape)).astype(np.uint8)
    data = {"dataset": "toy", "options": {}, "split": "test", "unit": "speaker", "text_informative": True}
    facts = {"recipe_id": "0", "content_root": None, "data": data, "labels": {"classes": list(CLASSES)}}
    return Panel(
        models=tuple(Model(name, (i,), frozenset(families[:3])) for i, name in enumerate("ab")),
        runs=tuple(Run(name, facts, None) for name in "ab"),  # type: ignore[arg-type]
        cells=tuple(cells),
        classes=CLASSES,
        sample_ids=tuple(f"utterance-{i:06d}" for i in range(samples)),
        truth=truth,
        answer=answer,
        confidence=np.full(answer.shape, np.nan, dtype=np.float32),
        applied=np.repeat(severity[:, None] > 0, samples, axis=1),
        units=Units("speaker", who, tuple(f"speaker{i:03d}" for i in range(units)), 0),
    )


def recount(panel: Panel, swapped: Any, without: int | None = None) -> Any:
    """Return every cell's metric of both models, counted from the answers."""
    kept = np.ones(len(panel.truth), dtype=bool) if without is None else panel.units.code != without
    a, b = panel.answer[:, :, kept]
    if swapped is not None:
        mine = swapped[panel.units.code[kept]]
        a, b = np.where(mine, b, a), np.where(mine, a, b)
    return scalars(confusion_matrix(panel.truth[kept], np.stack([a, b]), len(CLASSES)))[METRIC]


def anova_rm(table: np.ndarray) -> Any:
    """Return statsmodels' table."""
    import pandas as pd
    from statsmodels.stats.anova import AnovaRM

    long = pd.DataFrame(
        [(*place, value) for place, value in np.ndenumerate(table)],
        columns=["who", "model", "noise", "level", "y"],
    )
    return AnovaRM(long, "y", "who", within=["model", "noise", "level"]).fit()


def write(panel: Panel, run: int, folder: Path) -> Path:
    """Write one run as ``merbench eval`` leaves it, rows in shards of 256 samples."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from merbench.evaluation.predictions import SCHEMA
    from merbench.evaluation.result import SCHEMA_VERSION
    from merbench.files import write_json
    from merbench.hashing import hash_file

    folder.mkdir()
    path = folder / "predictions.parquet"
    names = np.array(CLASSES)
    rng = np.random.default_rng(run)
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for start in range(0, len(panel.truth), 256):
            here = slice(start, start + 256)
            who = panel.units.code[here]
            n = len(who)
            parts = []
            for k, cell in enumerate(panel.cells):
                columns: dict[str, Any] = {
                    name: pa.nulls(n, SCHEMA.field(name).type) for name in SCHEMA.names
                }
                chances = rng.dirichlet(np.ones(len(CLASSES)), n).astype(np.float32)
                columns |= {
                    "cell_id": [cell.cell_id] * n,
                    "sample_id": list(panel.sample_ids[here]),
                    "corruption": [cell.corruption] * n,
                    "severity": [cell.severity] * n,
                    "label": names[panel.truth[here]],
                    "prediction": names[panel.answer[run, k, here]],
                    "probabilities": pa.FixedSizeListArray.from_arrays(chances.ravel(), len(CLASSES)).cast(
                        SCHEMA.field("probabilities").type
                    ),
                    "parse_status": ["ok"] * n,
                    "applied": panel.applied[k, here],
                    "speaker": [panel.units.names[u] for u in who],
                    "extra": ["{}"] * n,
                }
                parts.append(pa.table(columns, schema=SCHEMA))
            writer.write_table(pa.concat_tables(parts))
    model = {"name": panel.models[run].name, "fingerprint": None, "uses": sorted(panel.models[run].uses)}
    result = {
        **panel.runs[run].result,
        "schema": SCHEMA_VERSION,
        "model": model,
        "cells": [cell.to_json() for cell in panel.cells],
        "predictions": {"file": path.name, "sha256": hash_file(path)},
    }
    write_json(folder / "result.json", result)
    return folder


if __name__ == "__main__":
    main()
