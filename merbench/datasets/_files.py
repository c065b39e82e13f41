"""What readers of files have in common: an index read once, media on demand, one integrity check."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from merbench.datasets._base import CheckReport, Dataset, Finding
from merbench.errors import MerbenchError
from merbench.hashing import hash_file, hash_json, merkle_root
from merbench.media.decode import (
    DecodedAudio,
    DecodedVideo,
    Embedded,
    Excerpt,
    MediaFile,
    read_audio,
    read_clip,
    read_video,
)
from merbench.types import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from merbench.types import JSON, MediaSpec, Utterance

_THREADS = 2  # decoders release the GIL; more would only hold more clips in memory
_SHORT_SECONDS = 0.25  # about one syllable: less than any emotion model was trained on
_SILENT_PEAK = 32  # PCM16 steps, -60 dBFS: below the noise floor of a quiet room's recording
_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Source:
    """The files and the transcript (NFC) behind one utterance.

    A file named as `audio` must have sound and one named as `video` (or a still image) pictures. The
    sound of a `video` file is used, if there is any, unless `audio` is given; that of an excerpt is not.
    """

    audio: MediaFile | Excerpt | None = None
    video: MediaFile | Excerpt | None = None
    text: str | None = None

    def decode(self, media: MediaSpec) -> tuple[DecodedAudio | None, DecodedVideo | None]:
        """Decode every file once."""
        if self.video is None:
            return None if self.audio is None else read_audio(self.audio, media), None
        if isinstance(self.video, Excerpt) or self.audio not in (None, self.video):
            sound = None if self.audio is None else read_audio(self.audio, media)
            return sound, read_video(self.video, media)
        sound, pictures = read_clip(self.video, media)
        if sound is None and self.audio is not None:
            raise MerbenchError(
                f"{self.video} has no audio stream", fix="get the file again, or leave it out"
            )
        return sound, pictures

    @property
    def files(self) -> tuple[MediaFile, ...]:
        """The files, each once."""
        parts = (self.audio, self.video)
        files = [part.path if isinstance(part, Excerpt) else part for part in parts]
        return tuple(dict.fromkeys(file for file in files if file is not None))

    @property
    def own_files(self) -> tuple[MediaFile, ...]:
        """The files that hold this utterance and no other."""
        shared = [part.path for part in (self.audio, self.video) if isinstance(part, Excerpt)]
        return tuple(file for file in self.files if file not in shared)


@dataclass(frozen=True, slots=True)
class Index:
    """Every utterance, sorted by id, and what was noticed while finding them."""

    utterances: tuple[Utterance, ...]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class FileDataset(Dataset):
    """A dataset whose utterances are files; a subclass says how they are found."""

    @abstractmethod
    def read_index(self) -> Index:
        """Return the index. A row that cannot be used is a finding of level ``error``.

        Raises:
            MerbenchError: the root is missing or does not have the expected layout.
        """

    @cached_property
    def index(self) -> Index:
        """The index, read once."""
        return self.read_index()

    def utterances(self) -> tuple[Utterance, ...]:
        """Return every utterance, sorted by id."""
        errors = [f for f in self.index.findings if f.level == "error"]
        if errors:
            others = f" ({len(errors) - 1} more errors: 'merbench dataset check' lists them)"
            raise MerbenchError(f"{errors[0].where}: {errors[0].what}" + (others if len(errors) > 1 else ""))
        if not self.index.utterances:
            raise MerbenchError(
                f"{self.root} holds no utterance that dataset '{self.name}' can use with these options",
                fix="'merbench dataset check' says what was left out",
            )
        return self.index.utterances

    def load(self, utterance: Utterance) -> Sample:
        """Return the utterance with its canonical media."""
        sound, pictures = utterance.source.decode(self.media)
        return Sample(
            utterance=utterance,
            audio=None if sound is None else sound.audio,
            sample_rate=None if sound is None else sound.sample_rate,
            frames=None if pictures is None else pictures.frames,
            timestamps=None if pictures is None else pictures.timestamps,
            text=utterance.source.text,
            clipped=0 if sound is None else sound.clipped,
        )

    def source_hash(self, utterances: Sequence[Utterance]) -> str:
        """Return a hash over the files' bytes, and over transcripts and every fact about the utterances."""
        files = list(dict.fromkeys(file for u in utterances for file in u.source.files))
        with ThreadPoolExecutor(_THREADS) as pool:
            digests = dict(zip(files, pool.map(_sha256, files), strict=True))

        def leaf(u: Utterance) -> str:
            media = [_content(file, digests) for file in (u.source.audio, u.source.video)]
            facts = [u.label, u.source.text, u.speaker, u.dialogue, u.split, dict(u.extra)]
            return hash_json([*media, *facts, *u.targets])

        return merkle_root({u.id: leaf(u) for u in utterances})

    @property
    def expected(self) -> Mapping[str, int]:
        """How many ``utterances``, ``speakers``, ``split NAME`` and ``label NAME`` were published.

        With these options; what nobody published is not there.
        """
        return self.card.expected

    def check(self) -> CheckReport:
        """Decode everything and report what is defective, doubled or missing; nothing stops at the first."""
        found = self.index.utterances
        with ThreadPoolExecutor(_THREADS) as pool:
            facts = list(pool.map(self._inspect, found))
        speakers = Counter(u.speaker for u in found if u.speaker is not None)
        splits, labels = Counter(u.split for u in found), Counter(u.label for u in found)
        counted = {
            "utterances": len(found),
            "speakers": len(speakers),
            **{f"split {split}": n for split, n in splits.items()},
            **{f"label {label}": n for label, n in labels.items()},
        }
        findings = [
            *self.index.findings,
            *(Finding("error", fact.id, fact.error) for fact in facts if fact.error is not None),
            *_duplicates(facts),
            *_sound_findings(facts),
            *_picture_findings(facts, self.media.frames),
            *note("info", "have an empty transcript", [u.id for u in found if u.source.text == ""]),
            *_against_published(self.expected, counted),
        ]
        counts = {
            "modality": {
                "audio": sum(fact.rate is not None for fact in facts),
                "vision": sum(fact.frames > 0 for fact in facts),
                "text": sum(u.source.text is not None for u in found),
            },
            "label": {label: labels[label] for label in self.labels},
            "split": dict(sorted(splits.items())),
            "speaker": dict(sorted(speakers.items())),
        }
        return CheckReport(tuple(findings), counts)

    def _inspect(self, utterance: Utterance) -> _Facts:
        try:
            digests = tuple(_sha256(file) for file in utterance.source.own_files)
            sound, pictures = utterance.source.decode(self.media)
        except MerbenchError as error:
            return _Facts(utterance.id, utterance.label, error=str(error))
        facts = _Facts(utterance.id, utterance.label, digests=digests)
        if sound is not None:
            facts.rate, facts.channels, facts.clipped = sound.source_rate, sound.channels, sound.clipped
            facts.seconds = len(sound.audio) / sound.sample_rate
            facts.peak = int(np.abs(sound.audio.astype(np.int32)).max())
        if pictures is not None:
            facts.frames, facts.distinct = len(pictures.frames), pictures.distinct
        return facts


@dataclass(slots=True)
class _Facts:
    """What the check keeps of one utterance: no media."""

    id: str
    label: str
    error: str | None = None
    digests: tuple[str, ...] = ()
    rate: int | None = None
    channels: int = 0
    clipped: int = 0
    seconds: float = 0.0
    peak: int = 0
    frames: int = 0
    distinct: int = 0


def note(level: str, what: str, where: Sequence[str]) -> Iterator[Finding]:
    """Yield one finding for all places where the same thing was noticed, or none."""
    if where:
        others = len(where) - _EXAMPLES
        places = ", ".join(where[:_EXAMPLES]) + (f" and {others} more" if others > 0 else "")
        yield Finding(level, places, what)


def _sha256(file: MediaFile) -> str:
    if isinstance(file, Embedded):
        return hashlib.sha256(file.read()).hexdigest()
    try:
        return hash_file(file)
    except OSError as error:
        raise MerbenchError(
            f"{file} cannot be read: {error.strerror}", fix="check the path and the permissions"
        ) from error


def _content(file: MediaFile | Excerpt | None, digests: Mapping[MediaFile, str]) -> JSON:
    """Return what identifies the content of a file or of a part of one."""
    if isinstance(file, Excerpt):
        return [digests[file.path], file.start, file.end, *file.box]
    return None if file is None else digests[file]


def _duplicates(facts: Iterable[_Facts]) -> Iterator[Finding]:
    same: dict[str, list[_Facts]] = defaultdict(list)
    for fact in facts:
        for digest in fact.digests:
            same[digest].append(fact)
    for group in same.values():
        if len(group) > 1:
            labels = {fact.label for fact in group}
            differ = f", with different labels ({', '.join(sorted(labels))})" if len(labels) > 1 else ""
            yield from note("warning", f"are byte-identical{differ}", [fact.id for fact in group])


def _sound_findings(facts: Iterable[_Facts]) -> Iterator[Finding]:
    heard = [fact for fact in facts if fact.rate is not None]
    if not heard:
        return
    rates = Counter(fact.rate for fact in heard)
    (usual, _), *_ = rates.most_common(1)
    counted = ", ".join(f"{rate} Hz ({n})" for rate, n in rates.most_common())
    yield Finding("info", "sample rates", counted)

    def where(condition: Iterable[bool]) -> list[str]:
        return [fact.id for fact, holds in zip(heard, condition, strict=True) if holds]

    yield from note("warning", f"are not at the usual {usual} Hz", where(f.rate != usual for f in heard))
    yield from note(
        "warning", "have several channels, which are averaged", where(f.channels > 1 for f in heard)
    )
    clipped = sum(fact.clipped for fact in heard)
    yield from note("warning", f"hold {clipped} clipped samples", where(f.clipped > 0 for f in heard))
    yield from note("warning", "are silent (below -60 dBFS)", where(f.peak <= _SILENT_PEAK for f in heard))
    yield from note(
        "warning", f"are shorter than {_SHORT_SECONDS} s", where(f.seconds < _SHORT_SECONDS for f in heard)
    )


def _picture_findings(facts: Iterable[_Facts], wanted: int) -> Iterator[Finding]:
    seen = [fact for fact in facts if fact.frames]
    yield from note(
        "info",
        f"have fewer than {wanted} pictures, so some frames repeat",
        [fact.id for fact in seen if fact.distinct < fact.frames],
    )
    yield from note("info", "have no sound", [fact.id for fact in seen if fact.rate is None])


def _against_published(published: Mapping[str, int], found: Mapping[str, int]) -> Iterator[Finding]:
    for name, count in published.items():
        here = found.get(name, 0)
        if here < count:
            yield Finding("info", name, f"{here} of the {count} published: a subset")
        elif here > count:
            yield Finding("warning", name, f"{here}, and only {count} were published")
