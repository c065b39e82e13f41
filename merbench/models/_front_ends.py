"""From one utterance's media to what a network takes in: ``front_end`` of an ONNX model's TOML.

A front-end returns an array [K, ...]: K inputs of the network, with its batch axis, whose answers are
averaged.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable  # noqa: TC003 - options are read from resolved annotations
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from merbench.errors import MerbenchError
from merbench.media.conform import resize_clip
from merbench.models._adapter import Wants
from merbench.models._python import import_file
from merbench.options import build, option
from merbench.types import Batch, Modality  # noqa: TC001 - see above

if TYPE_CHECKING:
    import numpy.typing as npt

_BT601 = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # luma weights of ITU-R BT.601
_FULL_SCALE = 32768.0  # PCM16


class FrontEnd(Protocol):
    """What the ONNX adapter needs to know of a front-end."""

    @property
    def modality(self) -> Modality:
        """The one modality it reads."""
        ...

    @property
    def wants(self) -> Wants:
        """The media it is to be given."""
        ...

    @property
    def source(self) -> Path | None:
        """The file that defines it, as far as that is not merbench's."""
        ...

    def __call__(self, batch: Batch, row: int) -> np.ndarray:
        """Return the network's inputs [K, ...] for one row that has the modality."""
        ...


@dataclass(frozen=True)
class Waveform:
    """The samples themselves, [1, T] in [-1, 1)."""

    sample_rate: int = option(16_000, "the rate of the waveform in Hz")

    modality: Literal["audio"] = field(default="audio", init=False)
    source: None = field(default=None, init=False)

    @property
    def wants(self) -> Wants:
        """Audio at `sample_rate`."""
        return Wants(sample_rate=self.sample_rate)

    def __call__(self, batch: Batch, row: int) -> npt.NDArray[np.float32]:
        """Return the waveform [1, T]."""
        return _waveform(batch, row)[None]


@dataclass(frozen=True)
class Image:
    """Frames as pictures: cropped, resized, scaled."""

    size: int = option(0, "the side of the network's square input in pixels")
    grayscale: bool = option(False, "luma (ITU-R BT.601) instead of RGB")
    scale: float = option(1.0, "pixel * scale + offset is fed in; pixels are 0..255")
    offset: float = option(0.0, "see scale")
    layout: Literal["NCHW", "NHWC"] = option("NCHW", "where the channels are")
    frames: Literal["middle", "mean"] = option("mean", "the middle frame, or the mean answer over all")
    crop: tuple[float, ...] = option((), "left, top and side of a square, as shares of the frame's side")

    modality: Literal["vision"] = field(default="vision", init=False)
    source: None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.size <= 0:
            raise MerbenchError("front_end 'image' needs a size", fix=f"give {_help(Image, 'size')}")
        if self.crop and not (
            len(self.crop) == 3 and min(self.crop) >= 0 and max(self.crop[:2]) + self.crop[2] <= 1
        ):
            raise MerbenchError(
                f"crop = {list(self.crop)} is no square inside the frame", fix=f"give {_help(Image, 'crop')}"
            )

    @property
    def wants(self) -> Wants:
        """Frames as the suite has them: they are cropped before they are resized."""
        return Wants()

    def __call__(self, batch: Batch, row: int) -> npt.NDArray[np.float32]:
        """Return pictures [K, C, S, S] or [K, S, S, C]."""
        clip = batch.frames[row]
        assert clip is not None
        if self.frames == "middle":
            clip = clip[len(clip) // 2][None]
        if self.crop:
            left, top, side = (round(share * clip.shape[1]) for share in self.crop)
            clip = clip[:, top : top + side, left : left + side]
        pictures = resize_clip(clip, self.size).astype(np.float32)
        if self.grayscale:
            pictures = (pictures @ _BT601)[..., None]
        pictures = pictures * np.float32(self.scale) + np.float32(self.offset)
        return pictures if self.layout == "NHWC" else np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))


@dataclass(frozen=True)
class Function:
    """A function in a Python file.

    It is called with the waveform float32 [T] in [-1, 1) and its rate in Hz, with the frames uint8
    [F, H, W, 3], or with the text, and returns the network's inputs [K, ...].
    """

    modality: Modality = option("", "what the function is given")
    sample_rate: int | None = option(None, "the rate of the waveform in Hz; the suite's own by default")

    source: Path = field(default=Path(), kw_only=True)
    call: Callable[..., Any] = field(default=np.asarray, kw_only=True)

    @property
    def wants(self) -> Wants:
        """Audio at `sample_rate`."""
        return Wants(sample_rate=self.sample_rate)

    def __call__(self, batch: Batch, row: int) -> np.ndarray:
        """Return what the function makes of one row."""
        try:
            if self.modality == "audio":
                return np.asarray(self.call(_waveform(batch, row), batch.sample_rates[row]))
            return np.asarray(self.call(batch.frames[row] if self.modality == "vision" else batch.text[row]))
        except Exception as error:
            raise MerbenchError(
                f"the front-end {self.source} failed: {type(error).__name__}: {error}",
                fix="mend its function",
            ) from error


def make_front_end(spec: str, values: dict[str, Any], where: str, folder: Path) -> FrontEnd:
    """Return the front-end that a TOML names.

    Args:
        spec: ``waveform``, ``image`` or ``file.py:function``.
        values: its own parameters.
        where: the section and file, for messages.
        folder: what a relative path starts from.

    Raises:
        MerbenchError: there is no such front-end, file or function, or a parameter is wrong.
    """
    if spec == "waveform":
        return build(Waveform, where, values)
    if spec == "image":
        return build(Image, where, values)
    file, colon, name = spec.rpartition(":")
    if not colon:
        raise MerbenchError(
            f"front_end of {where} cannot be '{spec}'", fix="write waveform, image, or file.py:function"
        )
    front_end = build(Function, where, values)
    if not front_end.modality:
        raise MerbenchError(
            f"{where} names a function but no modality", fix="add modality: audio, vision or text"
        )
    path = folder / file
    function = getattr(import_file(path), name, None)
    if not callable(function):
        raise MerbenchError(f"{path} has no function '{name}'", fix=f"name one that it has in {where}")
    return dataclasses.replace(front_end, source=path, call=function)


def _waveform(batch: Batch, row: int) -> npt.NDArray[np.float32]:
    audio = batch.audio[row]
    assert audio is not None
    return (audio / _FULL_SCALE).astype(np.float32)


def _help(cls: type, name: str) -> str:
    return next(str(f.metadata["help"]) for f in dataclasses.fields(cls) if f.name == name)
