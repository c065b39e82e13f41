"""Sound and pictures out of compressed containers (MP4, FLV, AVI, MPEG, Matroska, MP3, ...) through PyAV.

Two things make the same file the same samples on every processor. Sound is decoded by FFmpeg's
fixed-point decoders where it has them: the usual floating-point ones for MP3 and AAC round
differently with and without SIMD. Pictures are turned into RGB by swscale's exact path, since its
fast paths differ from its C code. The stand-alone resampler of FFmpeg is not used at all.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from merbench.media._integrity import BrokenMediaError
from merbench.media._pcm import mono

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    Picture = npt.NDArray[np.uint8]

_FIXED_POINT = {"mp3float": "mp3", "aac": "aac_fixed"}
_TEXT_ART = ("tty", "bin", "xbin", "adf", "idf")  # FFmpeg plays any .txt or .bin file as ANSI art
_XING_MARKS = (b"Xing", b"Info")
_XING_WITHIN = 1 << 16


@dataclass(frozen=True, slots=True)
class Track:
    """Decoded sound: mono, in units of a PCM16 step, on a grid of at most 24 bits; first sample at 0 s."""

    signal: npt.NDArray[np.floating] | npt.NDArray[np.int16]
    rate: int
    channels: int


@dataclass(frozen=True, slots=True)
class Reel:
    """The chosen pictures [F] with their times in seconds."""

    pictures: list[Picture]
    seconds: list[float]
    distinct: int


def read_container(
    handle: BinaryIO, *, sound: bool, frames: int | None, finish: Callable[[Picture], Picture]
) -> tuple[Track | None, Reel | None]:
    """Read the first sound stream and `frames` pictures of the first video stream, in one pass.

    Sound is decoded on the way; the pictures' packets wait, compressed, until their times are known.

    Args:
        handle: the file.
        sound: whether sound is wanted.
        frames: how many pictures are wanted; ``None`` for none.
        finish: what turns an RGB picture uint8 [H, W, 3] into one of the wanted size.

    Returns:
        What was wanted and is there; times count from the earlier of the two streams' starts.

    Raises:
        BrokenMediaError: not a media file, or it ends or breaks before its time.
    """
    import av

    try:
        with av.open(handle, metadata_errors="ignore") as container:
            return _read(container, handle, sound, frames, finish)
    except av.error.FFmpegError as error:
        raise BrokenMediaError(f"cannot be decoded ({error.strerror})") from error


def read_excerpt(
    handle: BinaryIO, start: float, end: float, *, frames: int, finish: Callable[[Picture], Picture]
) -> Reel:
    """Read `frames` pictures between two times of the first video stream, decoding from the key frame before.

    Args:
        handle: the file.
        start: where the excerpt begins, in seconds from the start of the file.
        end: where it ends.
        frames: how many pictures are wanted; number i is the one shown at start + i * (end - start) / frames.
        finish: what turns an RGB picture uint8 [H, W, 3] into one of the wanted size.

    Returns:
        The pictures, with times in seconds from `start`; one that was on before then is at 0 s.

    Raises:
        BrokenMediaError: not a video file, it breaks on the way, or it ends before the excerpt begins.
    """
    import av

    try:
        with av.open(handle, metadata_errors="ignore") as container:
            return _read_excerpt(container, _written(start), _written(end), frames, finish)
    except av.error.FFmpegError as error:
        raise BrokenMediaError(f"cannot be decoded ({error.strerror})") from error


def _written(seconds: float) -> Fraction:
    """Return a time as it was written down: the float nearest to 0.6 is a little less than 0.6."""
    return Fraction(seconds).limit_denominator(1_000_000)


def _read_excerpt(
    container: Any, start: Fraction, end: Fraction, count: int, finish: Callable[[Picture], Picture]
) -> Reel:
    audio, video = _streams(container)
    if video is None:
        raise BrokenMediaError("has no video stream")
    second = 1 / video.time_base
    first = (_start([stream for stream in (audio, video) if stream is not None]) + start) * second
    wanted = deque(floor(first + i * (end - start) * second / count) for i in range(count))
    picker = _Picker(wanted, lambda frame: finish(_rgb(frame)))
    for frame in _decoded_from(container, video, wanted[0]):
        if frame.is_corrupt or frame.pts is None:
            raise BrokenMediaError("has damaged pictures")
        picker.show(frame, frame.pts)
        if not wanted:
            break
    if picker.shown is None or (not picker.pictures and picker.shown_at + _step(video) <= first):
        raise BrokenMediaError(f"ends before the excerpt that begins at {float(start):.2f} s")
    picker.finish()
    seconds = [max(0.0, float((at - first) * video.time_base)) for at in picker.ticks]
    return Reel(picker.pictures, seconds, picker.distinct)


def _decoded_from(container: Any, stream: Any, tick: int) -> Iterator[Any]:
    """Yield pictures from the last key frame at or before `tick` on, or all of them where seeking fails.

    An index may be missing or wrong, and then a seek lands too late.
    """
    stream.codec_context.thread_count = 1  # clips are decoded side by side instead
    container.seek(tick, stream=stream)
    frames = container.decode(stream)
    head = next(frames, None)
    if head is None or head.pts is None or head.pts > tick:
        container.seek(0, stream=stream)
        yield from container.decode(stream)
    else:
        yield head
        yield from frames


def _streams(container: Any) -> tuple[Any, Any]:
    """Return the first sound stream and the first with pictures that are no album cover, or ``None``s."""
    from av.stream import Disposition

    audio = next(iter(container.streams.audio), None)
    video = next((s for s in container.streams.video if not s.disposition & Disposition.attached_pic), None)
    return audio, video


def _start(streams: Sequence[Any]) -> Fraction:
    """Return when the earliest of the streams begins, in seconds."""
    starts = [stream.start_time * stream.time_base for stream in streams if stream.start_time is not None]
    return min(starts, default=Fraction(0))


def _step(stream: Any) -> Fraction:
    """Return the ticks per picture that the header tells; 0 if it does not."""
    rate = stream.average_rate or stream.guessed_rate
    return 1 / (rate * stream.time_base) if rate else Fraction(0)


def _read(
    container: Any, handle: BinaryIO, sound: bool, frames: int | None, finish: Callable[[Picture], Picture]
) -> tuple[Track | None, Reel | None]:
    if container.format.name in _TEXT_ART:
        raise BrokenMediaError("is not a media file")
    audio, video = _streams(container)
    streams = [stream for stream in (audio, video) if stream is not None]
    if not streams:
        raise BrokenMediaError("holds neither sound nor pictures")
    start = _start(streams)

    track = _SoundDecoder(audio, start) if sound and audio is not None else None
    packets: list[Any] = []
    end = start
    for packet in container.demux(streams):
        if packet.size == 0:  # PyAV's mark for the end of a stream
            continue
        if packet.is_corrupt:
            raise BrokenMediaError("is truncated or damaged: a packet is incomplete")
        if packet.pts is not None:
            end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
        if packet.stream is video and frames is not None:
            packets.append(packet)
        elif packet.stream is audio and track is not None:
            track.push(packet)
    _require_whole(container, handle, end - start)
    reel = _pick(video, packets, frames, start, finish) if packets and frames is not None else None
    return None if track is None else track.finish(), reel


def _require_whole(container: Any, handle: BinaryIO, seconds: Fraction) -> None:
    """Refuse a stream that is clearly shorter than its header says.

    Only where the header does say it: for other formats FFmpeg guesses a duration from the bit rate.
    """
    if container.duration is None:
        return
    dated = container.format.name == "flv"
    if container.format.name == "mp3":
        handle.seek(0)
        head = handle.read(_XING_WITHIN)
        dated = any(mark in head for mark in _XING_MARKS)
    declared = Fraction(container.duration, 1_000_000)
    if dated and seconds < declared * Fraction(19, 20) - Fraction(1, 10):
        raise BrokenMediaError(
            f"is truncated: its header says {float(declared):.2f} s and it holds {float(seconds):.2f} s"
        )


class _SoundDecoder:
    """Collects one sound stream as mono blocks."""

    def __init__(self, stream: Any, start: Fraction) -> None:
        import av

        usual = stream.codec_context
        self.codec = usual
        if usual.name in _FIXED_POINT:
            self.codec = av.CodecContext.create(_FIXED_POINT[usual.name], "r")
            self.codec.extradata = usual.extradata
        begin = start if stream.start_time is None else stream.start_time * stream.time_base
        self.delay = begin - start
        self.blocks: list[np.ndarray] = []
        self.formats: set[tuple[int, int]] = set()

    def push(self, packet: Any) -> None:
        for frame in self.codec.decode(packet):
            if frame.is_corrupt:
                raise BrokenMediaError("has damaged sound")
            channels = frame.layout.nb_channels
            block = frame.to_ndarray()
            self.blocks.append(mono(block if frame.format.is_planar else block.reshape(-1, channels).T))
            self.formats.add((frame.sample_rate, channels))

    def finish(self) -> Track | None:
        """Return the track; sound that begins later than the pictures is preceded by silence."""
        self.push(None)
        if not self.blocks:
            return None
        rates = {rate for rate, _ in self.formats}
        if len(rates) > 1:
            raise BrokenMediaError(f"changes its sample rate midway ({sorted(rates)} Hz)")
        rate = rates.pop()
        lead = np.zeros(round(self.delay * rate), dtype=self.blocks[0].dtype)
        signal = np.concatenate([lead, *self.blocks])
        return Track(signal, rate, max(channels for _, channels in self.formats))


@dataclass
class _Picker:
    """Keeps, of the pictures that go by, the last one shown at or before each wanted time.

    Times are ticks of the stream. Only what is kept is converted, and only two decoded pictures are
    ever held, however long the clip is.
    """

    wanted: deque[int]
    convert: Callable[[Any], Picture]
    shown: Any = None
    shown_at: int = 0
    pictures: list[Picture] = field(default_factory=list)
    ticks: list[int] = field(default_factory=list)
    distinct: int = 0

    def show(self, frame: Any, tick: int) -> None:
        if self.shown is not None:
            self._keep(before=tick)
        self.shown, self.shown_at = frame, tick

    def finish(self) -> None:
        self._keep(before=None)

    def _keep(self, before: int | None) -> None:
        picture = None
        while self.wanted and (before is None or self.wanted[0] < before):
            self.wanted.popleft()
            if picture is None:
                picture = self.convert(self.shown)
                self.distinct += 1
            self.pictures.append(picture)
            self.ticks.append(self.shown_at)


def _pick(
    stream: Any, packets: Sequence[Any], count: int, start: Fraction, finish: Callable[[Picture], Picture]
) -> Reel:
    first, step, shown = _timing(stream, packets)
    wanted = deque(int(first + i * step * shown // count) for i in range(count))
    picker = _Picker(wanted, lambda frame: finish(_rgb(frame)))
    codec = stream.codec_context
    codec.thread_count = 1  # clips are decoded side by side instead
    tick = first - step
    for packet in (*packets, None):
        for frame in codec.decode(packet):
            if frame.is_corrupt:
                raise BrokenMediaError("has damaged pictures")
            tick = Fraction(frame.pts) if frame.pts is not None else tick + step
            picker.show(frame, round(tick))
    if picker.shown is None:
        raise BrokenMediaError("holds no decodable picture")
    picker.finish()
    seconds = [float(at * stream.time_base - start) for at in picker.ticks]
    return Reel(picker.pictures, seconds, picker.distinct)


def _timing(stream: Any, packets: Sequence[Any]) -> tuple[Fraction, Fraction, int]:
    """Return the first tick, the mean ticks per picture and how many pictures there are.

    All from the packets, since headers are often wrong or silent.
    """
    shown = [packet for packet in packets if not packet.is_discard]
    times = [packet.pts for packet in shown if packet.pts is not None]
    first = Fraction(min(times, default=0))
    if len(times) == len(shown) > 1:
        return first, Fraction(max(times) - min(times), len(shown) - 1), len(shown)
    return first, _step(stream), len(shown)


def _rgb(frame: Any) -> Picture:
    """Return RGB uint8 [H, W, 3], upright."""
    from av.video.reformatter import Interpolation

    exact = (
        Interpolation.BILINEAR
        | Interpolation.FULL_CHR_H_INT
        | Interpolation.ACCURATE_RND
        | Interpolation.BITEXACT
    )
    picture = frame.reformat(format="rgb24", interpolation=exact, threads=1).to_ndarray()
    return np.asarray(np.rot90(picture, round(frame.rotation / 90)), dtype=np.uint8)
