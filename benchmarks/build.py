"""Building a suite against decoding and losslessly encoding what is written.

    python benchmarks/build.py [--samples 96] [--few 512] [--many 768]

`core` x 5 severities on the synthetic set at 16 frames of 224 px, one and two workers. The
alternative decodes the same samples and encodes the same media, in the same number of threads,
and does nothing else: no draw, no hash, no Parquet, no sync.

Then the same build by `merbench corrupt` of --few and of --many samples, two and three shards (the end of one
is written while the next begins), each in a process of its own: peak resident memory must not grow.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from memory import peak

from merbench.datasets import datasets
from merbench.media.encode import encode_flac, encode_png
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
    parser.add_argument("--samples", type=int, default=96)
    parser.add_argument("--few", type=int, default=512)
    parser.add_argument("--many", type=int, default=768)
    arguments = parser.parse_args()
    dataset = datasets["synthetic"]()
    corruptions = [parse_corruption(spec, {}) for spec in PRESETS["core"]]
    plan = make_plan(dataset, corruptions, SEVERITIES, split="test", limit=arguments.samples)
    warm = make_plan(dataset, corruptions, (1,), split="validation", limit=4)
    walls = {}
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            build_suite(warm, Path(folder) / "warm", workers=workers)
            started, before = time.perf_counter(), time.process_time()
            suite = build_suite(plan, Path(folder) / "suite", workers=workers)
            wall, busy = time.perf_counter() - started, time.process_time() - before
            written = sum(shard["bytes"] for shard in suite.manifest["shards"].values())
        floor, floor_busy, raw = decode_and_encode(plan, workers)
        walls[workers] = wall
        print(
            f"{workers} worker(s): build {wall:.2f} s, decode + encode alone {floor:.2f} s, "
            f"ratio {wall / floor:.2f} (goal at most 1.15), of the processor {busy / floor_busy:.2f}; "
            f"{written / 1e6:.0f} MB written at "
            f"{written / wall / 1e6:.0f} MB/s, {raw / written:.1f} times smaller than raw"
        )
    print(f"one worker / two workers: {walls[1] / walls[2]:.2f}")
    few, many = arguments.few, arguments.many
    peaks = [built_peak(samples, many) for samples in (few, many)]
    print(f"{many} / {few} samples: {peaks[1] / peaks[0]:.2f} of the memory (goal 1.10)")


def built_peak(samples: int, split: int) -> float:
    """Build from the command line, print the peak resident memory in MB, and return it."""
    with tempfile.TemporaryDirectory() as folder:
        data = ["--dataset", f"synthetic:test={split}", "--limit", str(samples), "--corruption", "core"]
        found = peak(["corrupt", *data, "--severity", "1-5", "--out", "suite"], folder)
        written = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    print(f"{samples} samples, {written / 1e6:.0f} MB written: peak {found:.0f} MB")
    return found


def decode_and_encode(plan, workers: int) -> tuple[float, float, int]:
    """Return seconds and processor seconds of decoding and encoding alone, and the raw bytes encoded."""
    raw = 0
    parts = [plan.utterances[i : i + 32] for i in range(0, plan.size, 32)]
    started, before = time.perf_counter(), time.process_time()
    for _ in prefetched(parts, plan.dataset.load, workers):
        pass
    seconds, busy = time.perf_counter() - started, time.process_time() - before
    for shard in range(plan.shards):
        for chunk in plan.chunks(shard, workers=workers):
            sounds = [(a, r) for a, r in zip(chunk.clean.audio, chunk.clean.sample_rates, strict=True)]
            frames = [f for clip in chunk.clean.frames for f in clip]
            for cell, batch, _, achieved in chunk.cells:
                applied = [a["applied"] for a in achieved]
                if cell.corruption.startswith("audio/"):
                    rows = zip(batch.audio, batch.sample_rates, applied, strict=True)
                    sounds += [(a, r) for a, r, done in rows if done]
                elif cell.corruption.startswith("vision/"):
                    frames += [
                        f for clip, done in zip(batch.frames, applied, strict=True) if done for f in clip
                    ]
            raw += sum(a.nbytes for a, _ in sounds) + sum(f.nbytes for f in frames)
            started, before = time.perf_counter(), time.process_time()
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(lambda sound: encode_flac(*sound), sounds))
                list(pool.map(encode_png, frames))
            seconds += time.perf_counter() - started
            busy += time.process_time() - before
    return seconds, busy, raw


if __name__ == "__main__":
    main()
