"""Streaming evaluation against what it cannot avoid, and against building first.

    python benchmarks/streaming.py [--samples 240] [--model late-fusion] [--noise-root DIR]

Four corruptions of `core` and audio/urban_noise, five severities each, and the clean cell. Printed:

- streaming / (one decode + the same encoder and fusion passes on batches already in memory);
- (build + evaluate the built suite) / streaming;
- encoder passes run, and saved by reuse.

Without --noise-root a small UrbanSound8K tree is made from the synthesized bank.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from merbench.datasets import datasets
from merbench.evaluation.runner import run_model
from merbench.evaluation.scorer import Batcher, Passes, Scorer
from merbench.labels import map_labels
from merbench.models._load import load_model
from merbench.suites.build import build_suite
from merbench.suites.plan import make_plan, parse_corruption
from merbench.suites.presets import PRESETS
from merbench.suites.source import prefetched
from merbench.types import SEVERITIES


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=240)
    parser.add_argument("--model", default="late-fusion")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--noise-root", type=Path)
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        shared = {
            "noise_root": arguments.noise_root or small_urban(here / "urban"),
            "noise_folds": "1+3+5+7" if arguments.noise_root else "10",
        }
        dataset = datasets["synthetic"]()
        specs = [*PRESETS["core"], "audio/urban_noise"]
        plan = make_plan(
            dataset,
            [parse_corruption(spec, shared) for spec in specs],
            SEVERITIES,
            split="test",
            limit=arguments.samples,
        )
        adapter = load_model(arguments.model, label_counts=plan.facts.label_counts)
        labels = map_labels(adapter.labels, plan.facts.labels, "strict")

        started = time.perf_counter()
        run_model(plan, adapter, labels, here / "cold", workers=arguments.workers)
        cold = time.perf_counter() - started

        started = time.perf_counter()
        run = run_model(plan, adapter, labels, here / "streamed", workers=arguments.workers)
        streamed = time.perf_counter() - started

        started = time.perf_counter()
        parts = [plan.utterances[i : i + 32] for i in range(0, plan.size, 32)]
        for _ in prefetched(parts, dataset.load, arguments.workers):
            pass
        decode = time.perf_counter() - started

        model = 0.0
        for shard in range(plan.shards):
            for chunk in plan.chunks(shard, workers=arguments.workers):
                cells = list(chunk.cells)
                started = time.perf_counter()
                scorer = Scorer(adapter, chunk.clean, Batcher(adapter.batch_size), Passes())
                for _, batch, _, achieved in cells:
                    scorer.answers(batch, achieved)
                model += time.perf_counter() - started

        started = time.perf_counter()
        suite = build_suite(plan, here / "suite", workers=arguments.workers)
        built = time.perf_counter() - started
        run_model(suite, adapter, labels, here / "built", workers=arguments.workers)
        both = time.perf_counter() - started

        passes = run.cost["passes"].values()
        ran, reused = (sum(p[k] for p in passes) for k in ("run", "reused"))
        print(
            f"{plan.size} samples x {len(plan.cells)} cells, {arguments.model}, {arguments.workers} threads"
        )
        rate = plan.size * len(plan.cells) / streamed
        print(f"streaming                      {streamed:7.2f} s  ({rate:.0f} samples x cells per second)")
        print(f"the same, first in the process {cold:7.2f} s  (compiled kernels loaded, noise synthesized)")
        print(f"decode once                    {decode:7.2f} s")
        print(f"encoder and fusion, in memory  {model:7.2f} s")
        print(f"streaming / (decode + model)   {streamed / (decode + model):7.2f}    (goal at most 1.15)")
        print(f"build {built:.2f} s + evaluate built  {both:7.2f} s")
        print(f"build and evaluate / streaming {both / streamed:7.2f}    (goal at least 3)")
        print(f"encoder passes: {ran} run, {reused} saved ({reused / (ran + reused):.0%})")


def small_urban(root: Path) -> Path:
    """Write a small UrbanSound8K of white noise: one clip of fold 10 at 44.1 kHz."""
    import soundfile

    from merbench.rng import Stream

    noise = (Stream.of("benchmark").normal(4 * 44_100) * 3000).astype(np.int16)
    (root / "metadata").mkdir(parents=True)
    (root / "audio" / "fold10").mkdir(parents=True)
    soundfile.write(root / "audio" / "fold10" / "1-4-0-0.wav", noise, 44_100)
    (root / "metadata" / "UrbanSound8K.csv").write_text(
        "slice_file_name,fsID,start,end,salience,fold,classID,class_name\n1-4-0-0.wav,1,0,4,1,10,4,drilling\n"
    )
    return root


if __name__ == "__main__":
    main()
