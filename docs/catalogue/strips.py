"""Strips: the clean sample and its five severities in one file, side by side or one after the other."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from merbench.types import MODALITIES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from merbench.corruption import Corruption
    from merbench.suites.preview import Stage
    from merbench.types import Batch, Modality

    PCM16 = npt.NDArray[np.int16]
    Frames = npt.NDArray[np.uint8]

# Lengths are pixels.
TILE = 160
GAP = 8
_LABEL = 30
_WAVE, _SPECTRUM = 44, 120
_DOTS = 16
_ROW, _MARGIN = 24, 16
_FINER = 4  # curves are drawn so much larger and then reduced

# The dark theme of merbench's pages, for both themes: a film is dark.
_PAPER, _INK, _MUTED, _LINE, _BLUE, _ORANGE = "#12171d", "#e8edf2", "#a3afbc", "#3a4654", "#7db8f2", "#dd7434"
# Dark to light through violet and orange, in equal steps.
_HEAT = ("#0d1016", "#2d1e5e", "#7a2278", "#ce425e", "#fa924a", "#fcecb4")
_WEBP_QUALITY = 80

_LARGE = 10  # this frame: every emotion of the synthetic set is at its apex by then
_SMALL = (0, 5, 10, 15)

_RANGE_DB = 60
_HEADROOM_DB = -8  # of the brightest colour below the loudest place of the clean clip
_WINDOW_S = 0.025
_FFT = 512

PAUSE_S = 0.25
"""Silence after each clip of a strip of sounds."""

_PEAK = 0.9  # of full scale
_VP9 = {"crf": "50", "b": "0", "deadline": "good", "cpu-used": "2"}  # noise stays noise, and small
_TICKS = 1000  # per second: WebM's clock
_MP3_QUALITY = 0.55  # of libsndfile's 0 (large) to 1 (small): about 40 kbit/s here


def pictures(
    corruption: Corruption, stages: Sequence[Stage], drawn: Sequence[Modality], *, dots: bool
) -> bytes:
    """Return the sound and the frames of the first sample, or what is `drawn` of them, side by side, as WebP.

    The sound is a waveform over a spectrogram, 0 to 8 kHz; of the frames one is shown large and four small,
    the first and the last among them, and `dots` if wanted: a hollow one is a frame that repeats the one
    before.
    """
    parts: list[Callable[[Batch], Image.Image]] = []
    if "audio" in drawn:
        clips = [_clip(stage.batch) for stage in stages]
        loudest = max(np.abs(clip.astype(np.int32)).max() for clip in clips)
        reference = _power(clips[0], _rate(stages[0].batch)).max()
        parts += [lambda batch: _wave(_clip(batch), loudest), lambda batch: _spectrum(batch, reference)]
    if "vision" in drawn:
        parts.append(_frames)
    if dots:
        parts.append(_dots)
    return _strip(corruption, [_stacked([part(stage.batch) for part in parts]) for stage in stages])


def presence(corruption: Corruption, stages: Sequence[Stage]) -> bytes:
    """Return which modalities of the samples are there, somebody else's or missing, side by side, as WebP.

    A column is a sample. Rows are audio, vision, text. Blue is the sample's own, orange another one's, and
    hollow is missing.
    """
    clean = stages[0].batch
    return _strip(corruption, [_presence(clean, stage.batch) for stage in stages])


def films(stages: Sequence[Stage], seconds: float) -> bytes:
    """Return all frames of the first sample, large, side by side as in `pictures`, as WebM of `seconds`."""
    import av

    clips = [_film(stage.batch) for stage in stages]
    rate = Fraction(len(clips[0]) * _TICKS, round(seconds * _TICKS))
    out = BytesIO()
    with av.open(out, "w", format="webm", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libvpx-vp9", rate=rate, options=_VP9)
        stream.width, stream.height, stream.pix_fmt = GAP + len(clips) * (TILE + GAP), TILE, "yuv420p"
        for frames in zip(*clips, strict=True):
            picture = Image.new("RGB", (stream.width, TILE), _PAPER)
            for i, frame in enumerate(frames):
                picture.paste(_resized(frame, TILE), (GAP + i * (TILE + GAP), 0))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(picture))))
        container.mux(stream.encode(None))
    return out.getvalue()


def sounds(stages: Sequence[Stage]) -> bytes:
    """Return the first sample's sounds one after the other, a pause after each, as MP3.

    The gain is one for all of them, so that what is quieter stays quieter.
    """
    import soundfile

    rate = _rate(stages[0].batch)
    pause = np.zeros(round(PAUSE_S * rate), np.int16)
    whole = np.concatenate([part for stage in stages for part in (_clip(stage.batch), pause)]).astype(
        np.float64
    )
    out = BytesIO()
    soundfile.write(
        out,
        whole * _PEAK / np.abs(whole).max(),
        rate,
        format="MP3",
        subtype="MPEG_LAYER_III",
        compression_level=_MP3_QUALITY,
    )
    return out.getvalue()


def _strip(corruption: Corruption, tiles: Sequence[Image.Image]) -> bytes:
    width = GAP + len(tiles) * (TILE + GAP)
    sheet = Image.new("RGB", (width, _LABEL + tiles[0].height + GAP), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for severity, tile in enumerate(tiles):
        left = GAP + severity * (TILE + GAP)
        sheet.paste(tile, (left, _LABEL))
        pen.text((left, _LABEL / 2), str(severity or "clean"), _INK, _font(15), "lm")
        if severity:
            pen.text((left + TILE, _LABEL / 2), _strength(corruption, severity), _MUTED, _font(13), "rm")
    out = BytesIO()
    sheet.save(out, "WEBP", quality=_WEBP_QUALITY, method=6)
    return out.getvalue()


def _strength(corruption: Corruption, severity: int) -> str:
    strengths = corruption.strength(severity)
    return "  ".join(f"{name} {value:g}" for name, value in strengths.items() if name != "level")


@cache
def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def _stacked(parts: Sequence[Image.Image]) -> Image.Image:
    tile = Image.new("RGB", (TILE, sum(part.height for part in parts) + GAP * (len(parts) - 1)), _PAPER)
    top = 0
    for part in parts:
        tile.paste(part, (0, top))
        top += part.height + GAP
    return tile


def _clip(batch: Batch) -> PCM16:
    clip = batch.audio[0]
    assert clip is not None
    return clip


def _rate(batch: Batch) -> int:
    rate = batch.sample_rates[0]
    assert rate is not None
    return rate


def _film(batch: Batch) -> Frames:
    frames = batch.frames[0]
    assert frames is not None
    return frames


def _wave(clip: PCM16, loudest: int) -> Image.Image:
    """Draw each column from the lowest to the highest sample of its time."""
    tile = Image.new("RGB", (TILE, _WAVE), _PAPER)
    pen = ImageDraw.Draw(tile)
    for x, part in enumerate(np.array_split(clip / loudest, TILE)):
        top, bottom = (round((1 - y) / 2 * (_WAVE - 1)) for y in (part.max(), part.min()))
        pen.line([(x, top), (x, bottom)], _BLUE)
    return tile


def _power(clip: PCM16, rate: int) -> npt.NDArray[np.float64]:
    """Return power spectra around TILE evenly spaced places, [_FFT / 2, TILE]."""
    window = np.hanning(round(_WINDOW_S * rate))
    padded = np.pad(clip.astype(np.float64), len(window) // 2)
    starts = np.linspace(0, len(clip) - 1, TILE).astype(int)
    spectra = np.fft.rfft(padded[starts[:, None] + np.arange(len(window))] * window, _FFT)
    return np.asarray(np.square(np.abs(spectra)).T[:-1])


def _spectrum(batch: Batch, reference: float) -> Image.Image:
    decibels = 10 * np.log10(np.maximum(_power(_clip(batch), _rate(batch)) / reference, 1e-12))
    place = np.clip((decibels - _HEADROOM_DB) / _RANGE_DB + 1, 0, 1) * (len(_HEAT) - 1)
    heat = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in _HEAT], dtype=np.float64)
    rgb = np.stack([np.interp(place, np.arange(len(_HEAT)), channel) for channel in heat.T], axis=-1)
    tile = Image.fromarray(np.flipud(rgb).round().astype(np.uint8))
    return tile.resize((TILE, _SPECTRUM), Image.Resampling.BOX)


def _frames(batch: Batch) -> Image.Image:
    film, gap = _film(batch), GAP // 4
    small = (TILE - gap * (len(_SMALL) - 1)) // len(_SMALL)
    tile = Image.new("RGB", (TILE, TILE + gap + small), _PAPER)
    tile.paste(_resized(film[_LARGE], TILE), (0, 0))
    for i, frame in enumerate(_SMALL):
        tile.paste(_resized(film[frame], small), (i * (TILE - small) // (len(_SMALL) - 1), TILE + gap))
    return tile


def _resized(frame: Frames, side: int) -> Image.Image:
    return Image.fromarray(frame).resize((side, side), Image.Resampling.LANCZOS)


def _dots(batch: Batch) -> Image.Image:
    repeats = [False, *(np.array_equal(one, other) for one, other in pairwise(_film(batch)))]
    tile = Image.new("RGB", (TILE * _FINER, _DOTS * _FINER), _PAPER)
    pen = ImageDraw.Draw(tile)
    for i, repeat in enumerate(repeats):
        centre = ((i + 0.5) * TILE * _FINER / len(repeats), _DOTS * _FINER / 2)
        pen.circle(centre, 3 * _FINER, None if repeat else _INK, _MUTED if repeat else _INK, _FINER)
    return tile.resize((TILE, _DOTS), Image.Resampling.LANCZOS)


def _presence(clean: Batch, batch: Batch) -> Image.Image:
    tile = Image.new("RGB", (TILE, len(MODALITIES) * _ROW), _PAPER)
    pen = ImageDraw.Draw(tile)
    step = (TILE - _MARGIN) / len(batch)
    for y, modality in enumerate(MODALITIES):
        pen.text((0, (y + 0.5) * _ROW), modality[0], _MUTED, _font(13), "lm")
        for x, there in enumerate(batch.present(modality)):
            left, top = _MARGIN + x * step, y * _ROW + 2
            fill = (_BLUE if _own(clean, batch, modality, x) else _ORANGE) if there else None
            pen.rectangle((left, top, left + step - 2, top + _ROW - 4), fill, fill or _LINE)
    return tile


def _own(clean: Batch, batch: Batch, modality: Modality, row: int) -> bool:
    if modality == "text":
        return clean.text[row] == batch.text[row]
    packed = "audio" if modality == "audio" else "frames"
    one, other = getattr(clean, packed)[row], getattr(batch, packed)[row]
    return np.array_equal(one, other)
