"""Every built-in corruption: how fast it is, against copying memory and against the libraries people use.

    python -m venv VENV && VENV/bin/pip install imagecorruptions 'setuptools<80'
    pip install fast_mp3_augment  # else audio/codec has no twin
    taskset -c 1 python benchmarks/catalogue.py [NAME ...] --imagecorruptions VENV/bin/python [--rounds 5]

In processor seconds of one thread. A round takes a new batch (32 recordings of 3 s at 16 kHz, 32 texts of 20
words, 2 clips of 16 frames of 224 px, 8 samples with all of them) that is packed already, draws once and
applies all five severities, as a suite does; then every twin does its five strengths on the same batch. The
best round of each counts, so that both sides meet the same disturbance.

- draw: microseconds per sample, once for five severities;
- apply: samples (clips of 16 frames) per second, the mean over the severities;
- copy: the share of the speed at which `copy()` of the same buffers runs;
- cold: milliseconds for the first batch of a new process, with numba's disk cache warm and imports counted;
- ratio: the twin's time over ours, our share of the draw included. Libraries draw within their call.

(This file cannot be called corruptions.py: that would hide the package `corruptions` from every script in
this folder.)
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", NO_ALBUMENTATIONS_UPDATE="1")

import argparse
import random
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from _twins import IMAGECORRUPTIONS, RATE, TWINS

from merbench.corruption import Corruption, corruptions
from merbench.datasets import datasets
from merbench.errors import MerbenchError
from merbench.options import build, has_option
from merbench.types import SEVERITIES, Batch, Pool, Sample, Utterance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COUNTS = {"audio": 32, "text": 32, "vision": 2}
"""Samples per batch by family; where all modalities are needed, 8."""

FRAMES = 16
SECONDS = 3
TEXT = """
I really did not think that anybody would ever come back to this quiet little house again after all these
years and yet here we are their children were singing in the kitchen while somebody is looking for the
keys that she has lost no one knows where or why he went away so late last night but it was a lovely day
"""
WORDS = TEXT.split()
CHINESE = "我今天真的很高兴见到你他们在家里做事已经晚了"
EMOJI = ("😀", "❤️", "🎉", ":)", "👨‍👩‍👧")


@dataclass
class Timing:
    """Processor seconds per sample and severity; `draw` and `bytes` (of the media changed) per sample."""

    draw: float
    apply: float
    copy: float
    bytes: float
    twins: dict[str, float] = field(default_factory=dict)

    @property
    def whole(self) -> float:
        """What one severity costs with its share of the draw."""
        return self.apply + self.draw / len(SEVERITIES)

    def better(self, other: Timing) -> Timing:
        """Return the lower of each figure."""
        return Timing(
            min(self.draw, other.draw),
            min(self.apply, other.apply),
            min(self.copy, other.copy),
            self.bytes,
            {label: min(seconds, other.twins[label]) for label, seconds in self.twins.items()},
        )


DIFFERENCES = {(twin.corruption, twin.label): twin.difference for twin in TWINS} | {
    (name, f"imagecorruptions {theirs}"): difference
    for name, (theirs, difference) in IMAGECORRUPTIONS.items()
}


def main() -> None:
    """Print the table and the medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--imagecorruptions", type=Path, metavar="PYTHON")
    parser.add_argument("--no-cold", action="store_true")
    parser.add_argument("--first", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.first:  # one cold batch, in a process of its own
        print(first(*[*arguments.names, None][:2]))
        return
    names = arguments.names or [
        name for name in corruptions.names() if corruptions.entry(name).provider == "builtin"
    ]
    print("| corruption | draw, µs | apply, /s | MB/s | of copy | cold, ms ", end="")
    print("| twin | twin, /s | cold, ms | ratio |\n|---|---:|---:|---:|---:|---:|---|---:|---:|---:|")
    ratios: dict[str, dict[str, float]] = {}
    with files() as root:
        for name in names:
            try:
                timing = measured(name, root, arguments.rounds, arguments.imagecorruptions)
            except MerbenchError:
                print(f"| {name} | not measured: it needs files or a model of its own |")
                continue
            show(name, timing, cold=not arguments.no_cold)
            ratios[name] = {twin: seconds / timing.whole for twin, seconds in timing.twins.items()}
    summarise(ratios)
    print("\nwhere the outputs differ:")
    for (name, twin), difference in DIFFERENCES.items():
        if name in names:
            print(f"- {name}, {twin}: {difference}")


def measured(name: str, root: Path, rounds: int, imagecorruptions: Path | None) -> Timing:
    """Measure a corruption and its twins, round by round."""
    twins = [
        twin
        for twin in TWINS
        if twin.corruption == name and (twin.needs is None or find_spec(twin.needs) is not None)
    ]
    corruption = instance(name, root, {key: value for twin in twins for key, value in twin.options})
    transforms = {
        twin.label: [twin.make(corruption.strength(severity), root) for severity in SEVERITIES]
        for twin in twins
    }
    best: Timing | None = None
    for number in range(-1, rounds):  # the first round warms both sides up
        samples = samples_for(corruption, number)
        timing = a_round(corruption, samples)
        inputs = prepared(samples)
        for label, calls in transforms.items():
            spent = clock(lambda calls=calls, inputs=inputs: [call(x) for call in calls for x in inputs])
            timing.twins[label] = spent / (len(inputs) * len(SEVERITIES))
        if imagecorruptions and name in IMAGECORRUPTIONS:
            theirs = IMAGECORRUPTIONS[name][0]
            timing.twins[f"imagecorruptions {theirs}"] = by_worker(imagecorruptions, theirs, samples, root)
        if number >= 0:
            best = timing if best is None else best.better(timing)
    return best


def show(name: str, timing: Timing, *, cold: bool) -> None:
    """Print the lines of a corruption and its twins."""
    ours = f"{cold_start(name):.0f}" if cold else ""
    line = f"| {name} | {timing.draw * 1e6:.1f} | {1 / timing.apply:,.0f} "
    if timing.copy:
        line += f"| {timing.bytes / timing.apply / 1e6:,.0f} | {timing.copy / timing.apply:.0%} | {ours} "
    else:
        line += f"| {timing.bytes / timing.apply / 1e6:,.0f} | | {ours} "
    for label, seconds in timing.twins.items():
        has_cold = cold and not label.startswith("imagecorruptions")
        theirs = f"{cold_start(name, label):.0f}" if has_cold else ""
        print(f"{line}| {label} | {1 / seconds:,.0f} | {theirs} | {seconds / timing.whole:.1f} |")
        line = "| | | | | | "
    if not timing.twins:
        print(f"{line}| none | | | |")
    sys.stdout.flush()


def summarise(ratios: dict[str, dict[str, float]]) -> None:
    """Print the medians, and which corruptions are slower than a twin."""
    pairs = [ratio for found in ratios.values() for ratio in found.values()]
    if pairs:
        fastest = [min(found.values()) for found in ratios.values() if found]
        slower = [f"{name} ({twin})" for name, found in ratios.items() for twin, r in found.items() if r < 1]
        print(f"\nmedian ratio over {len(pairs)} pairs: {median(pairs):.1f}")
        print(f"over {len(fastest)} corruptions, against the fastest twin of each: {median(fastest):.1f}")
        print(f"slower than a twin: {', '.join(slower) or 'none'}")


def a_round(corruption: Corruption, samples: list[Sample]) -> Timing:
    """Time one draw, five severities and five copies, per sample (and severity)."""
    pool, batch = pool_of(samples), Batch.of(samples)
    params = corruption.draw_all(samples, pool, "benchmark")
    spent = min(clock(lambda: corruption.draw_all(samples, pool, "benchmark")) for _ in range(3))
    strengths = [corruption.strength(severity) for severity in SEVERITIES]
    applying = clock(lambda: [corruption.apply(batch, params, pool, **s) for s in strengths])
    buffers = [b for b, m in ((batch.audio, "audio"), (batch.frames, "vision")) if m in corruption.changes]
    copying = clock(lambda: [b.values.copy() for _ in strengths for b in buffers]) if buffers else 0.0
    severities = len(samples) * len(strengths)
    size = sum(media_bytes(corruption, s) for s in samples) / len(samples)
    return Timing(spent / len(samples), applying / severities, copying / severities, size)


def clock(call: Callable[[], object]) -> float:
    """Return the processor seconds that a call takes."""
    started = time.process_time()
    call()
    return time.process_time() - started


def first(name: str, label: str | None) -> float:
    """Return the milliseconds that the first batch takes, of a corruption or of its twin of that label."""
    with files() as root:
        if label is None:
            samples = samples_for(corruptions[name](), 0)
            return 1e3 * clock(lambda: a_round(instance(name, root, {}), samples))
        twin = next(t for t in TWINS if (t.corruption, t.label) == (name, label))
        corruption = instance(name, root, dict(twin.options))
        inputs = prepared(samples_for(corruption, 0))

        def call() -> None:
            for severity in SEVERITIES:
                transform = twin.make(corruption.strength(severity), root)
                for x in inputs:
                    transform(x)

        return 1e3 * clock(call)


def cold_start(*names: str) -> float:
    """Return what `first` gives in a new process, for a corruption or for it and a twin of it."""
    command = [sys.executable, __file__, "--first", *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def instance(name: str, root: Path, options: dict[str, Any]) -> Corruption:
    """Return the corruption, over the noise of the benchmark where it needs some."""
    cls = corruptions[name]
    where = {"noise_root": root / "urban44100"} if has_option(cls, "noise_root") else {}
    return build(cls, name, where, **options)


@cache
def worker_process(python: Path, pictures: Path) -> subprocess.Popen[str]:
    """Start the other interpreter on a file with frames."""
    script = Path(__file__).with_name("_imagecorruptions.py")
    return subprocess.Popen(
        [python, script, pictures], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def by_worker(python: Path, theirs: str, samples: list[Sample], root: Path) -> float:
    """Return what a corruption of imagecorruptions takes per clip and severity, on a clip like ours."""
    pictures = root / "frames.npy"
    if not pictures.exists():
        np.save(pictures, samples[0].frames)
    process = worker_process(python, pictures)
    process.stdin.write(f"{theirs}\n")
    process.stdin.flush()
    return float(process.stdout.readline()) / len(SEVERITIES)


def media_bytes(corruption: Corruption, sample: Sample) -> int:
    """Return the bytes of the modalities that a corruption may change."""
    sizes = {
        "audio": 0 if sample.audio is None else sample.audio.nbytes,
        "vision": 0 if sample.frames is None else sample.frames.nbytes,
        "text": 0 if sample.text is None else len(sample.text.encode()),
    }
    return sum(sizes[m] for m in corruption.changes)


def prepared(samples: list[Sample]) -> list[Any]:
    """Return what libraries are given: float32 sounds, frames, or texts."""
    if samples[0].audio is not None:
        return [s.audio.astype(np.float32) / 32768 for s in samples]
    return [s.frames if s.text is None else s.text for s in samples]


def pool_of(samples: list[Sample]) -> Pool:
    """Return the samples as the split from which partners are taken."""
    by_id = {s.id: s for s in samples}
    return Pool(tuple(s.utterance for s in samples), lambda u: by_id[u.id])


def samples_for(corruption: Corruption, number: int) -> list[Sample]:
    """Return a batch with the modalities that a corruption changes; every number is another batch."""
    family = corruption.changes[0] if len(corruption.changes) == 1 else "all"
    count = COUNTS.get(family, 8)
    samples = [
        Sample(utterance=Utterance(id=f"u{number}-{i}", label="?", split="test", speaker=f"s{i}"))
        for i in range(count)
    ]
    if family in ("audio", "all"):
        sounds = voices(count, number)
        samples = [
            replace(s, audio=sound, sample_rate=RATE) for s, sound in zip(samples, sounds, strict=True)
        ]
    if family in ("vision", "all"):
        times = np.arange(FRAMES) * SECONDS / FRAMES
        samples = [
            replace(s, frames=np.roll(clip(i), number, axis=2), timestamps=times)
            for i, s in enumerate(samples)
        ]
    if family in ("text", "all"):
        rng = np.random.default_rng(number + 1)
        samples = [replace(s, text=sentence(corruption.name, rng)) for s in samples]
    return samples


def sentence(name: str, rng: np.random.Generator) -> str:
    """Return 20 English words with a comma, a full stop and two capitals, or what a corruption needs."""
    if name == "text/chinese":
        return "".join(rng.choice(list(CHINESE), 40))
    spoken = [str(word) for word in rng.choice(WORDS, 20)]
    spoken[0], spoken[9] = spoken[0].capitalize(), f"{spoken[9].capitalize()},"
    if name == "text/emoji_strip":
        spoken[4::5] = rng.choice(EMOJI, 4)
    return " ".join(spoken) + "."


@cache
def clip(i: int) -> np.ndarray:
    """Return the frames of an utterance of the synthetic set, uint8 [16, 224, 224, 3]."""
    dataset = datasets["synthetic"]()
    return dataset.load(dataset.utterances()[i]).frames


def voices(count: int, number: int) -> np.ndarray:
    """Return recordings of 3 s with pauses, PCM16 [count, T]."""
    rng = np.random.default_rng(number + 1)
    loudness = np.repeat(rng.uniform(0, 3_000, (count, 10 * SECONDS)), RATE // 10, axis=1)
    return (rng.standard_normal((count, SECONDS * RATE)) * loudness).clip(-32768, 32767).astype(np.int16)


@contextmanager
def files() -> Iterator[Path]:
    """Yield a folder with noise in the layout of UrbanSound8K at two rates, and responses of rooms."""
    rng = np.random.default_rng(2)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for rate, channels in ((RATE, 1), (44_100, 2)):
            urban = root / f"urban{rate}"
            (urban / "audio" / "fold10").mkdir(parents=True)
            (urban / "metadata").mkdir()
            lines = ["slice_file_name,fsID,start,end,salience,fold,classID,class"]
            for i in range(8):
                noise = (rng.standard_normal((4 * rate, channels)) * 3_000).clip(-32768, 32767)
                path = urban / "audio" / "fold10" / f"{i}-5-0-0.wav"
                soundfile.write(path, noise.astype(np.int16), rate, subtype="PCM_16")
                lines.append(f"{path.name},{i},0,4,1,10,5,engine_idling")
            (urban / "metadata" / "UrbanSound8K.csv").write_text("\n".join(lines) + "\n")
        for rt60 in corruptions["audio/reverb"].severity["rt60_s"]:
            length = int(rt60 * RATE)
            response = rng.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
            soundfile.write(root / f"room{rt60:g}.wav", response / np.abs(response).max(), RATE)
        yield root


if __name__ == "__main__":
    random.seed(0)
    main()
