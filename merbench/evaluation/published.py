"""Emotion-LLaMA on the feature files of its authors: whether their published figures come out.

Their evaluation reads stored vectors of clean sounds and faces, so that nothing can be corrupted and no
robustness follows from it. It is here to show that the network, its prompt and its scores are the
authors' own, for whoever has their files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from merbench.datasets._tabular import read_rows, read_utf8
from merbench.errors import MerbenchError
from merbench.evaluation import metrics
from merbench.media.decode import read_video
from merbench.models._emotion_llama.answers import FALLBACK, named_label
from merbench.types import MODALITIES, MediaSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from merbench.models._emotion_llama.config import Layout
    from merbench.models._emotion_llama.network import EmotionLlama
    from merbench.models._emotion_llama.prompt import Prompt
    from merbench.models._emotion_llama.stored import Features

MER2023_SEMI = {"n": 834, "accuracy": 0.9053, "weighted_f1": 0.9036}
"""What the paper reports (Cheng et al. 2024, on MER2023-SEMI)."""

_FIGURES = ("accuracy", "weighted_f1", "uar", "macro_f1")
_SENTENCES = ("sentence_en", "sentence")
_CLIPS = (".mp4", ".avi")
_FIRST_PICTURE = MediaSpec(frames=1, frame_size=None)


@dataclass(frozen=True, slots=True)
class Clip:
    """One annotated clip: its name, its emotion, what is said in it, and where it lies."""

    name: str
    label: str
    sentence: str
    video: Path


@dataclass(frozen=True, slots=True)
class Answer:
    """What the network said of a clip, and what that names (a class, another word, or nothing)."""

    clip: Clip
    text: str
    stated: str | None


def read_clips(annotation: Path, transcripts: Path, videos: Path) -> list[Clip]:
    """Return the annotated clips.

    Args:
        annotation: lines ``name emotion`` or ``name frames emotion [valence]``.
        transcripts: a table with ``name`` and ``sentence_en`` or ``sentence``.
        videos: the folder of ``name.mp4`` or ``name.avi``.

    Raises:
        MerbenchError: a file cannot be read, a line is no annotation, or a clip has no sentence or no video.
    """
    sentences = _read_sentences(transcripts)
    clips = []
    for number, line in enumerate(read_utf8(annotation).splitlines(), start=1):
        fields = line.split()
        if not fields:
            continue
        where = f"{annotation.name}:{number}"
        if len(fields) < 2:
            raise MerbenchError(
                f"{where} is not 'name emotion' or 'name frames emotion'", fix="mend the line"
            )
        name, label = fields[0], fields[1] if len(fields) == 2 else fields[2]
        if name not in sentences:
            raise MerbenchError(f"{where}: {transcripts} has no sentence of '{name}'", fix="add it")
        found = [path for suffix in _CLIPS if (path := videos / f"{name}{suffix}").is_file()]
        if not found:
            raise MerbenchError(f"{where}: {videos} has no {name}.mp4 or {name}.avi", fix="add it")
        clips.append(Clip(name, label, sentences[name], found[0]))
    if not clips:
        raise MerbenchError(f"{annotation} annotates nothing", fix="give a file with one clip per line")
    return clips


def answer(
    network: EmotionLlama,
    features: Features,
    clips: Sequence[Clip],
    prompt: Prompt,
    *,
    layout: Layout | None = None,
    rows: int = 4,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Answer]:
    """Yield what the network says of each clip, generated greedily as in the authors' evaluation.

    Raises:
        MerbenchError: a feature file or a video cannot be read.
    """
    import torch

    from merbench.models._emotion_llama.stored import encode

    for start in range(0, len(clips), rows):
        some = clips[start : start + rows]
        with torch.inference_mode():
            encodings = encode(
                network,
                [read_video(clip.video, _FIRST_PICTURE).frames[0] for clip in some],
                [features.read(clip.name) for clip in some],
                [clip.sentence for clip in some],
            )
            there = dict.fromkeys(MODALITIES, torch.ones(len(some), dtype=torch.bool))
            context = network.fuse(encodings, there, prompt, prompt.labels, layout=layout)
            texts = network.generate(context)
        for clip, text in zip(some, texts, strict=True):
            yield Answer(clip, text, named_label(text, prompt.labels))
        if progress is not None:
            progress(len(some))


def score(answers: Sequence[Answer], prompt: Prompt) -> dict[str, Any]:
    """Return figures over the annotated classes, in two readings of answers that name none of them.

    ``strict``: such an answer is wrong for its class and right for none. ``as_published``: it is read as
    neutral, as the authors' evaluation does, other emotions of the prompt included.
    """
    classes = sorted({answer.clip.label for answer in answers})
    truth = np.array([classes.index(answer.clip.label) for answer in answers])
    stated = [answer.stated for answer in answers]
    fallback = classes.index(FALLBACK) if FALLBACK in classes else len(classes)
    readings = {"strict": len(classes), "as_published": fallback}
    figures = {}
    for reading, other in readings.items():
        found = np.array([classes.index(word) if word in classes else other for word in stated])
        confusion = metrics.confusion_matrix(truth, found, len(classes))
        scalars = metrics.scalars(confusion)
        figures[reading] = {
            **{name: metrics.to_json(scalars[name].item()) for name in _FIGURES},
            "per_class": metrics.per_class(confusion, classes),
        }
    outside = [word for word in stated if word not in classes]
    known = set(prompt.labels)
    return {
        "n": len(answers),
        "classes": classes,
        "figures": figures,
        "out_of_set": sum(word in known for word in outside),
        "unparsed": sum(word not in known for word in outside),
        "media": "stored clean features, not corrupted media: no robustness follows from these figures",
    }


def _read_sentences(path: Path) -> dict[str, str]:
    table = read_rows(path)
    column = next((name for name in _SENTENCES if name in table.columns), None)
    if column is None or "name" not in table.columns:
        raise MerbenchError(
            f"{path} lacks the column name, or both of {' and '.join(_SENTENCES)}", fix="give another table"
        )
    return {str(row.cells["name"]): str(row.cells[column]) for row in table.rows}
