"""Whole releases as far as an index can see them: every name, label and folder, and not one sound in a file.

The counts per session, class or split are the published ones, so that a protocol's arithmetic is held against
the reader that will count the real release.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

IEMOCAP_CLASSES = {
    "ang": 1103,
    "hap": 595,
    "exc": 1041,
    "neu": 1708,
    "sad": 1084,
    "fru": 1849,
    "sur": 107,
    "fea": 40,
    "dis": 2,
    "oth": 3,
    "xxx": 7,  # of 2507: nothing scores them
}
IEMOCAP_SESSIONS = (1085, 1023, 1151, 1031, 1241)

MELD_LABELS = {
    "train": (1109, 271, 268, 1743, 4710, 683, 1205),
    "dev": (153, 22, 40, 163, 470, 111, 150),
    "test": (345, 68, 50, 402, 1256, 208, 281),
}


@cache
def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def touch(path: Path) -> None:
    os.close(os.open(_folder(path.parent) / path.name, os.O_CREAT | os.O_WRONLY))


def ravdess(root: Path) -> Path:
    """Every file of speech by the seven-field rule: strong neutral is what does not exist."""
    for actor in range(1, 25):
        for emotion in range(1, 9):
            for intensity in (1, 2)[: 1 if emotion == 1 else 2]:
                for take in ("01-01", "01-02", "02-01", "02-02"):
                    name = f"03-01-{emotion:02d}-{intensity:02d}-{take}-{actor:02d}.wav"
                    touch(root / f"Actor_{actor:02d}" / name)
    return root


def _dealt(classes: Mapping[str, int], groups: tuple[int, ...], scored: int) -> Iterator[tuple[int, str]]:
    """Fill the groups one after the other with the first `scored` classes; the rest goes to the first."""
    codes = [code for code, n in list(classes.items())[:scored] for _ in range(n)]
    for group, size in enumerate(groups, 1):
        for code in codes[:size]:
            yield group, code
        del codes[:size]
    for code, n in list(classes.items())[scored:]:
        yield from ((1, code) for _ in range(n))


def iemocap(root: Path) -> Path:
    """Five sessions with as many annotations as were published, and their sounds."""
    lines: dict[int, list[str]] = {session: [] for session in range(1, 6)}
    for session, code in _dealt(IEMOCAP_CLASSES, IEMOCAP_SESSIONS, 5):
        dialogue, n = f"Ses0{session}F_impro01", len(lines[session])
        name = f"{dialogue}_{'FM'[n // 1000 % 2]}{n % 1000:03d}"
        name = name if n < 2000 else name.replace("impro01", f"impro{n // 2000 + 1:02d}")
        lines[session].append(f"[1.0000 - 2.0000]\t{name}\t{code}\t[2.5000, 2.5000, 2.5000]")
        touch(root / f"Session{session}" / "sentences" / "wav" / name.rpartition("_")[0] / f"{name}.wav")
    for session, own in lines.items():
        path = root / f"Session{session}" / "dialog" / "EmoEvaluation" / f"Ses0{session}F_impro01.txt"
        path.parent.mkdir(parents=True)
        path.write_text("\n".join(own) + "\n", encoding="utf-8")
    return root


def meld(root: Path) -> Path:
    """The three CSV files: without clips, all 13 708 lines can be used."""
    labels = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
    root.mkdir(parents=True, exist_ok=True)
    for split, counts in MELD_LABELS.items():
        rows = ["Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID"]
        emotions = [label for label, n in zip(labels, counts, strict=True) for _ in range(n)]
        for i, emotion in enumerate(emotions):
            rows.append(f"{i},Line {i}.,Joey,{emotion},neutral,{i // 10},{i % 10}")
        (root / f"{split}_sent_emo.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return root


def mer2023(root: Path) -> Path:
    """Four label files and their clips."""
    for split, n in {"train": 3373, "test1": 411, "test2": 412, "test3": 834}.items():
        names = [f"sample_{split}_{i:05d}" for i in range(n)]
        for name in names:
            touch(root / split / f"{name}.mp4")
        rows = ["name,discrete", *(f"{name},happy" for name in names)]
        (root / f"{split}-label.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return root
