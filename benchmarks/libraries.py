"""Corruptions against the libraries that people use for them, in one process and one thread.

    python benchmarks/libraries.py [--rounds 7]

Both sides get the same prepared input in memory and give the same type back: PCM16, uint8 frames, text.
What the libraries need prepared (float32 speech, lists of frames) is prepared outside the clock. Rounds
alternate between the two; the best round of each counts. "Cold" is the very first call of a process, with
whatever a kernel, a bank or a library sets up then.

- mixing: 3 s at 16 kHz over noise that is at 16 kHz already, against audiomentations' AddBackgroundNoise: as
  it is, which reads a part of a WAV file (out of the page cache) for every mix, and with its file reading
  replaced by a look-up in memory, which it does not offer;
- mixing from files: the noise lies in 44.1 kHz stereo WAV files; the library reads and resamples them as it
  does, ours come through the bank, which does so once;
- occlusion: 16 frames of 224 px, against albumentations' CoarseDropout, frame by frame with one seed (how
  most pipelines call it) and in one call for all frames;
- typo: 20 words at 10 % of the characters, against nlpaug's KeyboardAug.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", NO_ALBUMENTATIONS_UPDATE="1")

import argparse
import random
import tempfile
import time
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from merbench.corruption import corruptions
from merbench.options import build
from merbench.types import Batch, Pool, Sample, Utterance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RATE = 16_000
BATCH = 32
SEVERITY = 3
SENTENCE = (
    "I really did not think that anybody would ever come back to this quiet little house again after all "
    "these years"
)
POOL = Pool((), lambda utterance: Sample(utterance=utterance))


def main() -> None:
    """Print every comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    warnings.simplefilter("ignore")
    mixing(rounds)
    mixing_from_files(rounds)
    occlusion(rounds)
    typo(rounds)


def mixing(rounds: int) -> None:
    """Mix with noise that is at the target rate already."""
    with noise_files(RATE, channels=1) as root:
        samples = voices(BATCH)
        corruption = urban_noise(root)
        floats = [s.audio.astype(np.float32) / 32768 for s in samples]
        add = background_noise(root)
        memory = {
            c.id: corruption.bank.audio(c.id, RATE).astype(np.float32) / 32768 for c in corruption.clips
        }

        def from_memory() -> list[np.ndarray]:
            with library_reads_from(memory):
                return [pcm16(add(x, RATE)) for x in floats]

        compare(
            "mixing, noise at the target rate",
            5,
            BATCH,
            ours=lambda: spoil(corruption, samples),
            theirs={
                "AddBackgroundNoise": lambda: [pcm16(add(x, RATE)) for x in floats],
                "AddBackgroundNoise, no files": from_memory,
            },
            rounds=rounds,
        )
        draw_cost(corruption, samples)


def mixing_from_files(rounds: int) -> None:
    """Mix with noise from 44.1 kHz stereo files; the bank starts empty for the cold figure."""
    with noise_files(44_100, channels=2) as root:
        samples = voices(BATCH)
        corruption = urban_noise(root)
        floats = [s.audio.astype(np.float32) / 32768 for s in samples]
        add = background_noise(root)
        compare(
            "mixing, 44.1 kHz stereo files",
            50,
            BATCH,
            ours=lambda: spoil(corruption, samples),
            theirs={"AddBackgroundNoise": lambda: [pcm16(add(x, RATE)) for x in floats]},
            rounds=rounds,
        )


def occlusion(rounds: int) -> None:
    """Cover 30 % of 16 frames, clip by clip."""
    import albumentations
    import cv2

    cv2.setNumThreads(1)
    side = 0.3**0.5
    drop = albumentations.Compose(
        [
            albumentations.CoarseDropout(
                num_holes_range=(1, 1),
                hole_height_range=(side, side),
                hole_width_range=(side, side),
                fill=128,
                p=1.0,
            )
        ],
        seed=0,
    )
    frames = np.random.default_rng(0).integers(0, 256, (16, 224, 224, 3), dtype=np.uint8)
    clip = Sample(utterance=utterance(0), frames=frames, timestamps=np.arange(16) / 8)
    corruption = corruptions["vision/occlusion_mask"]()

    def frame_by_frame() -> list[np.ndarray]:
        out = []
        for frame in frames:
            drop.set_random_seed(7)  # else every frame would be hidden elsewhere
            out.append(drop(image=frame)["image"])
        return out

    compare(
        "occlusion, 16 frames",
        8,
        1,
        ours=lambda: spoil(corruption, [clip]),
        theirs={
            "CoarseDropout frame by frame": frame_by_frame,
            "CoarseDropout images=": lambda: drop(images=frames)["images"],
        },
        rounds=rounds,
        repeats=20,
    )
    draw_cost(corruption, [clip] * BATCH)


def typo(rounds: int) -> None:
    """Mistype batches of texts."""
    import nlpaug.augmenter.char as nac

    texts = [SENTENCE] * BATCH
    samples = [Sample(utterance=utterance(i), text=text) for i, text in enumerate(texts)]
    corruption = corruptions["text/typo"]()
    share = nac.KeyboardAug(aug_char_p=0.1, aug_char_max=None, aug_word_p=1.0, aug_word_max=None)
    default = nac.KeyboardAug()
    compare(
        "typo, 20 words",
        50,
        BATCH,
        ours=lambda: spoil(corruption, samples),
        theirs={
            "KeyboardAug at 10 %": lambda: [share.augment(text)[0] for text in texts],
            "KeyboardAug default": lambda: [default.augment(text)[0] for text in texts],
        },
        rounds=rounds,
        repeats=20,
    )
    draw_cost(corruption, samples)


_PREPARED: dict[int, tuple[Batch, list]] = {}


def spoil(corruption, samples: list[Sample]) -> Batch:
    """Apply to a batch that is packed and drawn already, as a suite does for five severities."""
    key = id(corruption)
    if key not in _PREPARED:
        _PREPARED[key] = Batch.of(samples), corruption.draw_all(samples, POOL, "benchmark")
    batch, params = _PREPARED[key]
    return corruption.apply(batch, params, POOL, **corruption.strength(SEVERITY))[0]


def draw_cost(corruption, samples: list[Sample]) -> None:
    """Print what a draw costs; it is made once for all severities."""
    best = min(clock(lambda: corruption.draw_all(samples, POOL, "benchmark")) for _ in range(7))
    print(f"    (a draw, once for five severities: {best / len(samples) * 1e6:.1f} us per sample)")


def compare(
    title: str,
    goal: float,
    count: int,
    ours: Callable[[], object],
    theirs: dict[str, Callable[[], object]],
    rounds: int,
    repeats: int = 3,
) -> None:
    """Print samples per second of both sides, cold and warm, and the ratios of the warm ones."""
    calls = {"merbench": ours, **theirs}
    cold = {name: clock(call) / count for name, call in calls.items()}
    warm = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            for _ in range(repeats):
                warm[name] = min(warm[name], clock(call) / count)
    print(f"{title} (goal {goal} times)")
    for name in calls:
        ratio = "" if name == "merbench" else f"   merbench / this: {warm[name] / warm['merbench']:.1f}"
        print(f"    {name:30} warm {1 / warm[name]:9.0f}/s   cold {1 / cold[name]:9.1f}/s{ratio}")


def clock(call: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def urban_noise(root: Path):
    """Return the corruption over the noise in `root`."""
    return build(corruptions["audio/urban_noise"], "audio/urban_noise", {"noise_root": root})


def background_noise(root: Path):
    """Return the library's transform over the same files, at the same ratio."""
    import audiomentations

    random.seed(0)
    return audiomentations.AddBackgroundNoise(root / "audio", min_snr_db=10.0, max_snr_db=10.0, p=1.0)


@contextmanager
def library_reads_from(memory: dict[str, np.ndarray]) -> Iterator[None]:
    """Give the library its noise from memory instead of from disk."""
    from audiomentations.augmentations import add_background_noise as module

    def look_up(path, sample_rate, mono=True, offset=0.0, duration=None):
        start = int(offset * sample_rate)
        return memory[Path(path).name][start : start + int(duration * sample_rate)], sample_rate

    kept, module.load_sound_file = module.load_sound_file, look_up
    try:
        yield
    finally:
        module.load_sound_file = kept


def pcm16(signal: np.ndarray) -> np.ndarray:
    """Return float samples as PCM16."""
    return np.clip(np.rint(signal * 32768), -32768, 32767).astype(np.int16)


def voices(count: int) -> list[Sample]:
    """Return recordings of 3 s with pauses."""
    rng = np.random.default_rng(1)
    loudness = np.repeat(rng.uniform(0, 3_000, (count, 30)), RATE // 10, axis=1)
    sounds = (rng.standard_normal((count, 3 * RATE)) * loudness).clip(-32768, 32767).astype(np.int16)
    return [Sample(utterance=utterance(i), audio=s, sample_rate=RATE) for i, s in enumerate(sounds)]


def utterance(i: int) -> Utterance:
    """Return the index row of sample `i`."""
    return Utterance(id=f"u{i}", label="?", split="test")


@contextmanager
def noise_files(rate: int, channels: int) -> Iterator[Path]:
    """Yield a folder with eight clips of 4 s in the layout of UrbanSound8K."""
    rng = np.random.default_rng(2)
    lines = ["slice_file_name,fsID,start,end,salience,fold,classID,class"]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "audio" / "fold10").mkdir(parents=True)
        (root / "metadata").mkdir()
        for i in range(8):
            name = f"{i}-5-0-0.wav"
            noise = (rng.standard_normal((4 * rate, channels)) * 3_000).clip(-32768, 32767).astype(np.int16)
            soundfile.write(root / "audio" / "fold10" / name, noise, rate, subtype="PCM_16")
            lines.append(f"{name},{i},0,4,1,10,5,engine_idling")
        (root / "metadata" / "UrbanSound8K.csv").write_text("\n".join(lines) + "\n")
        yield root


if __name__ == "__main__":
    main()
