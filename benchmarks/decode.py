"""How much canonical media cost over the bare decoder, and which lossless encoding is worth its bytes.

    python benchmarks/decode.py [--data DIR] [--repeat 5]

Figures are clips (or frames) per second of one thread, the best of `--repeat` interleaved rounds, so that
only their ratios travel between machines. DIR holds the real recordings (default: MERBENCH_TEST_DATA).
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np
import soundfile
from PIL import Image

from merbench.media.decode import read_audio, read_clip
from merbench.media.encode import decode_flac, decode_png, encode_flac, encode_png
from merbench.types import MediaSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SPEC = MediaSpec()


def bare_soundfile(path: Path) -> Any:
    """Read the samples and do nothing with them."""
    return soundfile.read(path, dtype="int16")


def bare_pyav(path: Path) -> None:
    """Decode every packet and look at nothing."""
    with av.open(str(path)) as container:
        streams = [s for s in container.streams if s.type in ("audio", "video")]
        for stream in container.streams.video:
            stream.thread_count = 1
        for packet in container.demux(streams):
            packet.decode()


def race(runners: dict[str, Callable[[Any], Any]], items: Sequence[Any], repeat: int) -> dict[str, float]:
    """Return items per second of each runner, best round; the runners take turns."""
    best = dict.fromkeys(runners, float("inf"))
    for _ in range(repeat):
        for name, run in runners.items():
            start = time.perf_counter()
            for item in items:
                run(item)
            best[name] = min(best[name], time.perf_counter() - start)
    return {name: len(items) / seconds for name, seconds in best.items()}


def two_threads(run: Callable[[Any], Any], items: Sequence[Any]) -> float:
    """Return how many times faster a pool of two is than one thread."""
    start = time.perf_counter()
    for item in items:
        run(item)
    alone = time.perf_counter() - start
    with ThreadPoolExecutor(2) as pool:
        start = time.perf_counter()
        list(pool.map(run, items))
        return alone / (time.perf_counter() - start)


def decoding(data: Path, repeat: int) -> None:
    """Canonical media against the decoder alone, on the same files in the same run."""
    sets = {
        "RAVDESS wav 48 kHz": ("audio/ravdess/*/*.wav", read_audio, bare_soundfile),
        "nEMO wav 24 kHz": ("audio/nemo/samples/*.wav", read_audio, bare_soundfile),
        "CREMA-D wav 16 kHz": ("av/cremad/wav16k/*.wav", read_audio, bare_soundfile),
        "CREMA-D mp3 44.1 kHz": ("audio/cremad/*.mp3", read_audio, bare_pyav),
        "CREMA-D flv 480x360": ("av/cremad/*.flv", read_clip, bare_pyav),
        "GRID mpg 360x288": ("av/grid/*.mpg", read_clip, bare_pyav),
        "AI faces mp4 480x480": ("video/ai_faces/*.mp4", read_clip, bare_pyav),
    }
    print(f"{'decode to canonical media':28}{'clips/s':>10}{'bare':>10}{'time ratio':>12}{'2 threads':>11}")
    for name, (pattern, read, bare) in sets.items():
        paths = sorted(data.glob(pattern))[:60]
        if not paths:
            print(f"{name:28}{'no files':>10}")
            continue
        speed = race({"ours": lambda p, read=read: read(p, SPEC), "bare": bare}, paths, repeat)
        gain = two_threads(lambda p, read=read: read(p, SPEC), paths * 3)
        ratio = speed["bare"] / speed["ours"]
        print(f"{name:28}{speed['ours']:10.1f}{speed['bare']:10.1f}{ratio:12.2f}{gain:10.2f}x")


def drawn_faces() -> np.ndarray:
    """Flat colours with anti-aliased edges and a little sensor noise, uint8 [16, 224, 224, 3]."""
    rng = np.random.default_rng(0)
    frames = []
    for i in range(16):
        frame = np.full((224, 224, 3), (190, 200, 210), np.uint8)
        cv2.ellipse(frame, (112, 112), (70, 90), 0, 0, 360, (220, 180, 150), -1, cv2.LINE_AA)
        for x in (85, 140):
            cv2.circle(frame, (x, 95 - i // 4), 10, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.ellipse(frame, (112, 150), (30, 5 + i), 0, 0, 180, (150, 40, 40), 3, cv2.LINE_AA)
        frames.append(np.clip(frame + rng.integers(-2, 3, frame.shape), 0, 255).astype(np.uint8))
    return np.stack(frames)


def cv2_default(frame: np.ndarray) -> bytes:
    """OpenCV's own choice of level, strategy and filter."""
    return bytes(cv2.imencode(".png", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))[1])


def pillow_fast(frame: np.ndarray) -> bytes:
    """Pillow at its lowest level that compresses."""
    buffer = BytesIO()
    Image.fromarray(frame).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def pillow_decode(data: bytes) -> np.ndarray:
    """The counterpart of `pillow_fast`."""
    return np.asarray(Image.open(BytesIO(data)))


def ffv1(clip: np.ndarray) -> bytes:
    """One lossless video stream per clip."""
    buffer = BytesIO()
    with av.open(buffer, "w", format="matroska", options={"fflags": "+bitexact"}) as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = *clip.shape[1:3], "bgr0"
        stream.thread_count = 1
        for i, frame in enumerate(clip):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts = i
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def ffv1_decode(data: bytes) -> np.ndarray:
    """The counterpart of `ffv1`."""
    with av.open(BytesIO(data)) as container:
        container.streams.video[0].thread_count = 1
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def per_frame(
    encode: Callable[[np.ndarray], bytes], decode: Callable[[bytes], np.ndarray]
) -> tuple[Callable[[np.ndarray], list[bytes]], Callable[[list[bytes]], np.ndarray]]:
    """Lift a frame's codec to clips."""
    return lambda clip: [encode(f) for f in clip], lambda data: np.stack([decode(d) for d in data])


def encoding(data: Path, repeat: int) -> None:
    """What is stored: speed both ways and share of the raw size; every codec is checked to be exact."""
    clips = {"drawn": drawn_faces()}
    for name, pattern in (("CREMA-D", "av/cremad/*ANG*.flv"), ("AI face", "video/ai_faces/angry.mp4")):
        for path in sorted(data.glob(pattern))[:1]:
            clips[name] = read_clip(path, SPEC)[1].frames
    codecs: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
        "PNG (encode_png)": per_frame(encode_png, decode_png),
        "PNG, OpenCV default": per_frame(cv2_default, decode_png),
        "PNG, Pillow level 1": per_frame(pillow_fast, pillow_decode),
        "FFV1 in Matroska": (lambda clip: [ffv1(clip)], lambda data: ffv1_decode(data[0])),
    }
    print(f"\n{'lossless frames, 224 px':28}{'clip':>10}{'enc/s':>10}{'dec/s':>10}{'size':>10}")
    for clip_name, clip in clips.items():
        encoded = {name: encode(clip) for name, (encode, _) in codecs.items()}
        for name, (_, decode) in codecs.items():
            assert np.array_equal(decode(encoded[name]), clip), name
        writing = race({name: codec[0] for name, codec in codecs.items()}, [clip], repeat)
        reading = {name: race({name: codecs[name][1]}, [encoded[name]], repeat)[name] for name in codecs}
        for name in codecs:
            size = sum(map(len, encoded[name])) / clip.nbytes
            speeds = f"{len(clip) * writing[name]:10.0f}{len(clip) * reading[name]:10.0f}"
            print(f"{name:28}{clip_name:>10}{speeds}{size:10.3f}")

    sounds = [read_audio(p, SPEC).audio for p in sorted(data.glob("audio/nemo/samples/*.wav"))[:40]]
    if sounds:
        stored = [encode_flac(sound, 16_000) for sound in sounds]
        size = sum(map(len, stored)) / sum(sound.nbytes for sound in sounds)
        write = race({"flac": lambda sound: encode_flac(sound, 16_000)}, sounds, repeat)["flac"]
        read = race({"flac": decode_flac}, stored, repeat)["flac"]
        print(f"{'FLAC (encode_flac), clips':28}{'nEMO':>10}{write:10.0f}{read:10.0f}{size:10.3f}")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("MERBENCH_TEST_DATA"))
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("say where the real recordings are: --data DIR, or MERBENCH_TEST_DATA")
    cv2.setNumThreads(1)
    decoding(Path(arguments.data), arguments.repeat)
    encoding(Path(arguments.data), arguments.repeat)


if __name__ == "__main__":
    main()
