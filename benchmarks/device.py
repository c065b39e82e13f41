"""What twins of corruptions move on a device, against what a copy moves there in the same run.

    python benchmarks/device.py --device cuda --fuse
    python benchmarks/device.py --device cpu --batch 4    # shows no more than that it runs

One batch of 3 s at 16 kHz and of 16 frames of 224 px, severity 3. Bytes are those of the media that a
corruption changes, read once and written once, whatever a twin reads besides (noise, masks); the copy moves
the same media. Rounds alternate between the two and the best of each counts, timed by events on CUDA.

- apply: `apply_on_device` as one calls it, its plans made on the host in the same time;
- kernels: what the device itself was busy for in a call (torch.profiler, CUDA only). The goal is 60 % of the
  copy's rate for occlusion, mixing, noise and masks.

With --fuse torch.compile makes the kernels, outside the clock. First the bytes are compared with the host's.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from merbench.corruption import corruptions
from merbench.device import DeviceBatch
from merbench.device.kernels import fusing
from merbench.options import build
from merbench.rng import Stream
from merbench.types import Batch, Pool, Sample, Utterance

if TYPE_CHECKING:
    from collections.abc import Callable

    from merbench.corruption import Corruption

NAMES = (
    "audio/environment",
    "audio/white",
    "audio/pink",
    "audio/gain",
    "audio/clipping",
    "audio/time_mask",
    "audio/packet_loss",
    "audio/band_limit",
    "audio/reverb",
    "modality/desync",
    "vision/occlusion_mask",
    "vision/face_region",
    "vision/object_insertion",
    "vision/gaussian_noise",
    "vision/shot_noise",
    "vision/low_light",
    "vision/overexposure",
    "vision/fog",
    "vision/frame_drop",
    "vision/motion_blur",
    "vision/defocus",
)
SEVERITY = 3
RATE = 16_000
POOL = Pool((), lambda utterance: Sample(utterance=utterance))


def main() -> None:
    """Print a line per twin."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--fuse", action="store_true")
    parser.add_argument("names", nargs="*", default=NAMES)
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    what = (
        torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    )
    print(f"{device} ({what}), batches of {arguments.batch}, fused: {arguments.fuse}\n")
    print(f"{'':<24}{'copy GB/s':>12}{'apply GB/s':>12}{'share':>8}{'kernels GB/s':>14}{'share':>8}")
    samples = [sample(i) for i in range(arguments.batch)]
    for name in arguments.names:
        corruption = build(corruptions[name], name, {})
        if arguments.fuse:
            with fusing():
                line = measured(corruption, samples, device, arguments.rounds)
        else:
            line = measured(corruption, samples, device, arguments.rounds)
        print(f"{name:<24}{line}", flush=True)


def sample(i: int) -> Sample:
    """Return a sample of 3 s of noise and 16 noisy frames of 224 px."""
    rng = Stream.of("benchmark", str(i))
    audio = rng.words(3 * RATE // 4).view(np.int16) // 4
    frames = rng.words(16 * 224 * 224 * 3 // 8).view(np.uint8).reshape(16, 224, 224, 3)
    return Sample(
        utterance=Utterance(id=f"u{i}", label="happy", split="test", speaker=f"s{i}"),
        audio=audio,
        sample_rate=RATE,
        frames=frames,
        timestamps=np.arange(16) / 5,
        text="",
    )


def measured(corruption: Corruption, samples: list[Sample], device: torch.device, rounds: int) -> str:
    """Return a corruption's line."""
    params = corruption.draw_all(samples, POOL, "benchmark")
    strength = corruption.strength(SEVERITY)
    clean = Batch.of(samples)
    there = DeviceBatch.upload(clean, device)
    media = there.audio if "audio" in corruption.changes else there.frames
    source = torch.as_tensor(media.values)
    target = torch.empty_like(source)

    def apply() -> DeviceBatch:
        return corruption.apply_on_device(there, params, POOL, **strength)[0]

    expected, _ = corruption.apply(clean, params, POOL, **strength)
    found = apply().download()
    same = np.array_equal(found.audio.values, expected.audio.values)
    assert same and np.array_equal(found.frames.values, expected.frames.values), corruption.name

    seconds = {"copy": float("inf"), "apply": float("inf")}
    for _ in range(rounds):
        seconds["copy"] = min(seconds["copy"], timed(lambda: target.copy_(source), device))
        seconds["apply"] = min(seconds["apply"], timed(apply, device))
    moved = 2 * source.numel() * source.element_size() / 1e9
    copy, applied = moved / seconds["copy"], moved / seconds["apply"]
    line = f"{copy:>12.3g}{applied:>12.3g}{applied / copy:>8.0%}"
    if device.type != "cuda":
        return line + f"{'-':>14}{'-':>8}"
    kernels = moved / busy(apply)
    return line + f"{kernels:>14.3g}{kernels / copy:>8.0%}"


def timed(run: Callable[[], object], device: torch.device) -> float:
    """Return how many seconds a call takes until the device has done it."""
    if device.type != "cuda":
        started = time.perf_counter()
        run()
        return time.perf_counter() - started
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    torch.cuda.synchronize(device)
    begin.record()
    run()
    end.record()
    torch.cuda.synchronize(device)
    return begin.elapsed_time(end) / 1e3


def busy(run: Callable[[], object], calls: int = 5) -> float:
    """Return for how many seconds a call keeps the device busy."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        for _ in range(calls):
            run()
        torch.cuda.synchronize()
    return sum(event.self_device_time_total for event in profile.key_averages()) / 1e6 / calls


if __name__ == "__main__":
    main()
