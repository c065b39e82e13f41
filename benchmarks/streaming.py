"""Streaming evaluation against what it cannot avoid, and against building first.

    python benchmarks/streaming.py [--samples 240] [--model late-fusion] [--noise-root DIR]
    python benchmarks/streaming.py --clips 1000

Four corruptions of `core` and audio/urban_noise, five severities each, and the clean cell. Printed:

- streaming / (one decode + the same encoder and fusion passes on batches already in memory);
- (build + evaluate the built suite) / streaming;
- encoder passes run, and saved by reuse.

Without --noise-root a small UrbanSound8K tree is made from the synthesized bank.

With --clips there is no model: `core` at five severities over that many MP4 files (3 s, 480 x 360 at 25
frames per second in H.264, AAC at 44.1 kHz; 20 different ones) against decoding them alone, on one and on two
threads. The two take turns, 256 clips at a time, so that both meet whatever else the machine does.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from merbench.datasets import datasets
from merbench.datasets._base import load_dataset
from merbench.evaluation.runner import run_model
from merbench.evaluation.scorer import Batcher, Passes, Scorer
from merbench.labels import map_labels
from merbench.models._load import load_model
from merbench.suites.build import build_suite
from merbench.suites.plan import CHUNK_ROWS, SHARD_ROWS, make_plan, parse_corruption
from merbench.suites.presets import PRESETS
from merbench.suites.source import prefetched
from merbench.types import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from merbench.datasets._base import Dataset

DIFFERENT = 20
"""Clips that are encoded; the others are links to them."""


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=240)
    parser.add_argument("--model", default="late-fusion")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--noise-root", type=Path)
    parser.add_argument("--clips", type=int)
    arguments = parser.parse_args()
    if arguments.clips:
        over_clips(arguments.clips)
        return

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


def over_clips(count: int) -> None:
    """Stream `core` over encoded clips, against decoding them alone."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = write_clips(Path(folder), count)
        corruptions = [parse_corruption(spec, {}) for spec in PRESETS["core"]]
        plan = make_plan(dataset, corruptions, SEVERITIES, split="test")
        for _ in next(plan.chunks(0, workers=1)).cells:  # kernels loaded, noise synthesized
            pass
        for workers in (1, 2):
            spent = {"decode alone": [0.0, 0.0], "core x 5, streamed": [0.0, 0.0]}
            for shard in range(plan.shards):
                here = plan.utterances[shard * SHARD_ROWS : (shard + 1) * SHARD_ROWS]
                parts = [here[i : i + CHUNK_ROWS] for i in range(0, len(here), CHUNK_ROWS)]
                took(spent["decode alone"], prefetched(parts, dataset.load, workers))
                chunks = plan.chunks(shard, workers=workers)
                took(spent["core x 5, streamed"], (cell for chunk in chunks for cell in chunk.cells))
            for name, (wall, processor) in spent.items():
                print(
                    f"{workers} thread(s), {name:20} {wall:7.1f} s, {processor:7.1f} processor seconds, "
                    f"{plan.size / wall:6.1f} clips/s"
                )
            (wall, processor), (wall_alone, processor_alone) = reversed(spent.values())
            print(
                f"{workers} thread(s), streamed / decode alone: {wall / wall_alone:.3f} of the time, "
                f"{processor / processor_alone:.3f} of the processor's"
            )


def took(spent: list[float], work: Iterable[object]) -> None:
    """Add the seconds and processor seconds that it takes to go through `work`."""
    started = time.perf_counter(), time.process_time()
    for _ in work:
        pass
    spent[0] += time.perf_counter() - started[0]
    spent[1] += time.process_time() - started[1]


def write_clips(root: Path, count: int) -> Dataset:
    """Write clips of 3 s with sound, and return them as a dataset."""
    import cv2

    synthetic = datasets["synthetic"]()
    rows = ["id,video,text,label,speaker,split"]
    for i in range(count):
        path = root / f"{i}.mp4"
        if i < DIFFERENT:
            sample = synthetic.load(synthetic.utterances()[i])
            pictures = np.zeros((75, 360, 480, 3), dtype=np.uint8)
            for picture, k in zip(pictures, np.linspace(0, len(sample.frames) - 1, 75).round(), strict=True):
                picture[:, 60:420] = cv2.resize(sample.frames[int(k)], (360, 360))
            write_mp4(path, pictures, np.resize(sample.audio, 3 * sample.sample_rate), sample.sample_rate)
        else:
            path.hardlink_to(root / f"{i % DIFFERENT}.mp4")
        rows.append(f"{i},{path.name},I really did not think that anybody would come,happy,s{i % 9},test")
    table = root / "clips.csv"
    table.write_text("\n".join(rows) + "\n")
    return load_dataset("table", table)


def write_mp4(path: Path, pictures: np.ndarray, sound: np.ndarray, rate: int) -> None:
    """Write a clip as cameras and platforms do: H.264 and AAC."""
    import av

    with av.open(path, "w") as sink:
        video = sink.add_stream("libx264", rate=25, options={"crf": "23", "preset": "medium"})
        video.height, video.width, video.pix_fmt = *pictures.shape[1:3], "yuv420p"
        audio = sink.add_stream("aac", rate=44_100, layout="mono")
        for picture in pictures:
            sink.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        sink.mux(video.encode(None))
        frame = av.AudioFrame.from_ndarray(sound[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = rate
        for part in av.AudioResampler(format="fltp", layout="mono", rate=44_100).resample(frame):
            sink.mux(audio.encode(part))
        sink.mux(audio.encode(None))


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
