"""Between canonical media and the points of an attack, both ways."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from merbench.attacks._ball import Ball
from merbench.media.encode import decode_flac, decode_png, encode_flac, encode_png
from merbench.media.tensors import resample, resize_clip
from merbench.models import TensorMedia
from merbench.types import Packed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt
    from torch import Tensor

    from merbench.attacks._attack import Budget
    from merbench.attacks._ball import Norm
    from merbench.attacks._loop import Point, Space
    from merbench.models import Wants
    from merbench.types import Achieved, Batch, Modality

_RANGE: dict[Modality, tuple[float, float]] = {"audio": (-32768.0, 32767.0), "vision": (0.0, 255.0)}


@dataclass(frozen=True, eq=False)
class Canvas:
    """Clean rows, and the balls in which some of their media may be altered.

    `shapes` are those of the rows of each attacked modality, ``None`` where absent; a row of a `space` is
    such an array laid flat, padded to the longest.
    """

    clean: Batch
    shapes: dict[str, tuple[tuple[int, ...] | None, ...]]
    space: Space

    @classmethod
    def of(
        cls, clean: Batch, modalities: Sequence[Modality], budget: Budget, norm: Norm, device: str = "cpu"
    ) -> Canvas:
        """Return the canvas of `clean` rows on which these modalities may be altered within `budget`."""
        shapes: dict[str, tuple[tuple[int, ...] | None, ...]] = {}
        space: Space = {}
        for modality in modalities:
            packed = _packed(clean, modality)
            if not packed.present.any():
                continue
            radius = [0.0 if row is None else budget.radius(modality, row, norm) for row in packed]
            sizes = torch.tensor([0 if row is None else row.size for row in packed])
            flat = torch.zeros(len(packed), int(sizes.max()))
            for i, row in enumerate(packed):
                if row is not None:
                    flat[i, : row.size] = torch.from_numpy(row.reshape(-1).astype(np.float32))
            real = torch.arange(flat.shape[1])[None, :] < sizes[:, None]
            shapes[modality] = packed.shapes
            space[modality] = Ball(
                flat.to(device),
                torch.tensor(radius, dtype=torch.float32, device=device)[:, None],
                norm,
                *_RANGE[modality],
                real=None if bool(real.all()) else real.to(device),
            )
        return cls(clean, shapes, space)

    def media(self, point: Point, wants: Wants) -> TensorMedia:
        """Return the rows as an adapter `wants` them, of whole levels, with a gradient to `point`.

        Rounding has no gradient and is passed straight through: what is judged is what will be written.
        """
        found = {
            m: [
                None if shape is None else row.narrow(0, 0, math.prod(shape)).reshape(shape)
                for row, shape in zip(_straight(self.space[m].whole, point[m]), self.shapes[m], strict=True)
            ]
            for m in self.space
        }
        return conformed(
            found.get("audio") or self._sounds,
            found.get("vision") or self._clips,
            self.clean,
            wants,
        )

    @cached_property
    def _sounds(self) -> list[Tensor | None]:
        return tensors(self.clean, "audio")

    @cached_property
    def _clips(self) -> list[Tensor | None]:
        return tensors(self.clean, "vision")

    def batch(self, point: Point) -> Batch:
        """Return the rows of a point as canonical media; the modalities that are not attacked are shared."""
        media: dict[str, Packed] = {}
        for modality, ball in self.space.items():
            rows = ball.whole(point[modality]).cpu().numpy()
            packed = _packed(self.clean, modality)
            media["audio" if modality == "audio" else "frames"] = Packed.of(
                [
                    None if shape is None else row[: math.prod(shape)].reshape(shape)
                    for row, shape in zip(rows, packed.shapes, strict=True)
                ],
                packed.values.dtype,
            )
        return self.clean.replace(**media)

    def written(self, point: Point) -> Batch:
        """Return `batch`, with every altered row written as a suite writes it, and read back."""
        batch = self.batch(point)
        media: dict[str, Packed] = {}
        if "audio" in self.space:
            media["audio"] = Packed.of(
                [_through_flac(*pair) for pair in zip(batch.audio, batch.sample_rates, strict=True)], np.int16
            )
        if "vision" in self.space:
            media["frames"] = Packed.of([_through_png(clip) for clip in batch.frames], np.uint8)
        return batch.replace(**media)

    def achieved(self, altered: Batch) -> list[Achieved]:
        """Return what was really done to each row: SNR in dB, root mean square in levels, largest change."""
        return [self._achieved(altered, i) for i in range(len(altered))]

    def _achieved(self, altered: Batch, i: int) -> Achieved:
        found: Achieved = {}
        for modality in self.shapes:
            before, after = _packed(self.clean, modality)[i], _packed(altered, modality)[i]
            if before is None or after is None:
                continue
            change = after.astype(np.float64) - before
            if modality == "audio":
                found["snr_db"] = _snr(before, change)
            else:
                found["levels"] = float(np.sqrt(np.mean(change**2)))
            found[f"{modality}_peak"] = float(np.abs(change).max(initial=0))
        return found


class _Straight(torch.autograd.Function):
    """A function that has no gradient, with that of the identity instead."""

    @staticmethod
    def forward(_: Any, call: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
        return call(rows)

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> tuple[None, Tensor]:
        return None, gradient


def _straight(call: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
    result: Tensor = _Straight.apply(call, rows)  # type: ignore[no-untyped-call]
    return result


def conformed(
    audio: Sequence[Tensor | None], frames: Sequence[Tensor | None], clean: Batch, wants: Wants
) -> TensorMedia:
    """Return sounds and clips as an adapter wants them, with the rest of `clean`."""
    rates = clean.sample_rates
    if wants.sample_rate is not None:
        audio = [
            None if wave is None or rate is None else resample(wave, rate, wants.sample_rate)
            for wave, rate in zip(audio, rates, strict=True)
        ]
        rates = tuple(None if rate is None else wants.sample_rate for rate in rates)
    if wants.frame_size is not None:
        frames = [None if clip is None else resize_clip(clip, wants.frame_size) for clip in frames]
    return TensorMedia(
        audio=tuple(audio),
        sample_rates=rates,
        frames=tuple(frames),
        timestamps=clean.timestamps,
        text=clean.text,
    )


def tensors(batch: Batch, modality: Modality) -> list[Tensor | None]:
    """Return one modality's rows as float32 tensors."""
    return [
        None if row is None else torch.from_numpy(row.astype(np.float32)) for row in _packed(batch, modality)
    ]


def _packed(batch: Batch, modality: str) -> Packed:
    return batch.audio if modality == "audio" else batch.frames


def _through_flac(audio: npt.NDArray[np.int16] | None, rate: int | None) -> npt.NDArray[np.int16] | None:
    if audio is None or rate is None or not len(audio):
        return audio
    return decode_flac(encode_flac(audio, rate))[0]


def _through_png(clip: npt.NDArray[np.uint8] | None) -> npt.NDArray[np.uint8] | None:
    return None if clip is None else np.stack([decode_png(encode_png(frame)) for frame in clip])


def _snr(clean: npt.NDArray[Any], change: npt.NDArray[np.float64]) -> float | None:
    """Return the whole-clip SNR in dB, ``None`` where nothing changed."""
    noise = float(np.mean(change**2))
    signal = float(np.mean(clean.astype(np.float64) ** 2))
    return 10 * math.log10(signal / noise) if noise and signal else None
