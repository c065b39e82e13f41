"""Samples clean and at every severity: for the ears and eyes of people, before anything is built.

``merbench show corruption NAME --preview FILE`` and the pages below ``docs/`` are made of this.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from merbench.errors import MerbenchError
from merbench.files import atomic
from merbench.media.decode import read_media
from merbench.media.plain import encode_mp4, encode_wav
from merbench.suites.watch import apply, draw_all, require_repeatable
from merbench.types import SEVERITIES, Batch, MediaSpec, Pool, Sample, Utterance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from merbench.corruption import Corruption
    from merbench.types import Achieved, Modality


@dataclass(frozen=True, slots=True)
class Stage:
    """Samples at one severity, 0 being clean, and per sample what really happened (clean: nothing)."""

    severity: int
    batch: Batch
    achieved: tuple[Achieved, ...]


def stages(corruption: Corruption, samples: Sequence[Sample], pool: Pool, dataset: str) -> tuple[Stage, ...]:
    """Return the samples clean and at severities 1 to 5, as a suite with seed 0 has them.

    Args:
        corruption: what is done to them.
        samples: utterances of `dataset`.
        pool: the split that they are from.
        dataset: its name, which is part of the random key.
    """
    clean = Batch.of(samples)
    draw = partial(draw_all, corruption, samples, pool, dataset)
    require_repeatable(corruption, draw, clean, pool, SEVERITIES[-1])
    params = draw()
    spoilt = []
    for severity in SEVERITIES:
        batch, achieved = apply(corruption, clean, params, pool, severity)
        spoilt.append(Stage(severity, batch, tuple(achieved)))
    return (Stage(0, clean, ()), *spoilt)


def read_sample(path: Path) -> Sample:
    """Read a file as a sample: a text (``.txt``, UTF-8), or whatever sound and pictures it holds.

    Sound keeps its rate; pictures become canonical frames.

    Raises:
        MerbenchError: no such file, or it is damaged or no media file.
    """
    utterance = Utterance(id=path.stem, label="", split="")
    if path.suffix == ".txt":
        return Sample(utterance=utterance, text=_read_text(path))
    sound, pictures = read_media(path, MediaSpec(sample_rate=None))
    return Sample(
        utterance=utterance,
        audio=None if sound is None else sound.audio,
        sample_rate=None if sound is None else sound.sample_rate,
        frames=None if pictures is None else pictures.frames,
        timestamps=None if pictures is None else pictures.timestamps,
    )


def _read_text(path: Path) -> str:
    try:
        return unicodedata.normalize("NFC", path.read_text(encoding="utf-8-sig").strip())
    except OSError as error:
        raise MerbenchError(f"{path} cannot be read: {error.strerror}", fix="check the path") from error
    except UnicodeDecodeError as error:
        raise MerbenchError(f"{path} is not UTF-8 text", fix="save it as UTF-8") from error


def write_preview(corruption: Corruption, source: Path, folder: Path) -> list[Path]:
    """Write what a corruption makes of one file at its five severities, as files that any player opens.

    Args:
        corruption: what is done to it; one that takes its noise from the split has only this file.
        source: as in `read_sample`.
        folder: where ``SOURCE-CORRUPTION-SEVERITY`` go: .wav, .mp4 and .txt.

    Returns:
        The files, by severity.

    Raises:
        MerbenchError: the file holds nothing that the corruption changes, or it does not apply to it.
    """
    sample = read_sample(source)
    changed = [modality for modality in corruption.changes if sample.has(modality)]
    if not changed:
        raise MerbenchError(
            f"{source} holds no {' and no '.join(corruption.changes)}, which {corruption.name} changes",
            fix="--preview takes a sound, a picture, a video or a .txt file",
        )
    written = []
    for stage in stages(corruption, [sample], Pool((), lambda _: sample), "preview")[1:]:
        if not stage.achieved[0]["applied"]:
            raise MerbenchError(
                f"{corruption.name} does not apply to {source}: {stage.achieved[0].get('reason', '')}"
            )
        stem = f"{source.stem}-{corruption.name.replace('/', '-')}-{stage.severity}"
        for suffix, data in _plain(stage.batch, changed):
            path = folder / f"{stem}{suffix}"
            with atomic(path) as handle:
                handle.write(data)
            written.append(path)
    return written


def _plain(batch: Batch, wanted: Sequence[Modality]) -> Iterator[tuple[str, bytes]]:
    """Yield suffix and content of the wanted media of the only sample that are there."""
    audio, rate, frames, times = batch.audio[0], batch.sample_rates[0], batch.frames[0], batch.timestamps[0]
    text = batch.text[0]
    if "audio" in wanted and audio is not None and rate is not None:
        yield ".wav", encode_wav(audio, rate)
    if "vision" in wanted and frames is not None and times is not None:
        yield ".mp4", encode_mp4(frames, times)
    if "text" in wanted and text is not None:
        yield ".txt", f"{text}\n".encode()
