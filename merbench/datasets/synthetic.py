"""A small tri-modal emotional set made on the fly from a seed: nobody's recordings, honestly named.

Everything about utterance ``i`` follows from (generator version, seed, split, i) alone: it does not
change with the sizes of the splits, the order of loading or the machine. How it is made is in the
private package `merbench.datasets._synthetic`; `bayes_ceiling` says how well it can be recognised.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np

from merbench.datasets._base import Card, CheckReport, Dataset, Finding
from merbench.datasets._synthetic.cues import INTENSITIES, LABELS, STRENGTH, bayes_ceiling, draw_cue
from merbench.errors import MerbenchError
from merbench.hashing import hash_json
from merbench.media.resample import resample, to_pcm16
from merbench.options import option
from merbench.rng import Stream
from merbench.types import MODALITIES, Sample, Utterance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from merbench.datasets._synthetic.cues import Intensity
    from merbench.datasets._synthetic.face import Looks
    from merbench.datasets._synthetic.voice import Voice
    from merbench.types import Modality

__all__ = ["VERSION", "Synthetic", "bayes_ceiling"]

VERSION = 1
"""Of the generator; raised whenever any byte of any sample changes."""

SPEAKERS = {"train": 32, "validation": 8, "test": 16}
_CONDITIONS = [(label, intensity) for label in LABELS for intensity in INTENSITIES]
_DIALOGUE = 8  # utterances per dialogue, between two speakers of the split


@dataclass(frozen=True)
class Synthetic(Dataset):
    """Synthetic voices, faces and sentences in six emotions, with a known Bayes ceiling."""

    card: ClassVar[Card] = Card(
        title="merbench synthetic",
        labels=LABELS,
        modalities=MODALITIES,
        text_informative=True,
        licence="Apache-2.0",
        licence_url="https://www.apache.org/licenses/LICENSE-2.0",
        restricted=False,
        bibtex="",
        layout="nothing: it is made on the fly",
        expected={"utterances": 1680, "speakers": sum(SPEAKERS.values())},
        needs_root=False,
    )

    seed: int = option(0, "which world: other people, sentences and labels", changes_draw=True)
    train: int = option(1200, "utterances in the train split")
    validation: int = option(240, "utterances in the validation split")
    test: int = option(240, "utterances in the test split")

    def utterances(self) -> tuple[Utterance, ...]:
        """Return every utterance of every split, sorted by id.

        Raises:
            MerbenchError: a size is negative or all are 0.
        """
        sizes = {"train": self.train, "validation": self.validation, "test": self.test}
        if min(sizes.values()) < 0 or not any(sizes.values()):
            raise MerbenchError(
                f"dataset 'synthetic' cannot have {self.train} + {self.validation} + {self.test} utterances",
                fix="give train, validation and test 0 or more, and not all of them 0",
            )
        return _index(self.seed, **sizes)

    def shown(self, utterance: Utterance) -> dict[Modality, tuple[str, ...]]:
        """Return the emotions that each modality's cue leaves open; a misleading one lacks the label."""
        rng, intensity = self._stream(utterance), _intensity(utterance)
        return {m: draw_cue(rng.child("cue", m), m, utterance.label, intensity) for m in MODALITIES}

    def load(self, utterance: Utterance) -> Sample:
        """Make the utterance's voice, face and sentence."""
        from merbench.datasets._synthetic import face, language, voice

        rng, intensity, cues = self._stream(utterance), _intensity(utterance), self.shown(utterance)
        strength = {m: rng.child("strength", m).one_integer(*STRENGTH[intensity]) for m in MODALITIES}
        who, looks = _person(self.seed, str(utterance.speaker), str(utterance.extra["gender"]))

        speech = voice.plan(rng.child("speech"), who, cues["audio"], strength["audio"])
        audio, clipped = voice.render(rng.child("sound"), who, speech)
        rate = self.media.sample_rate or voice.RATE
        if rate != voice.RATE:
            audio, clipped = to_pcm16(resample(audio, voice.RATE, rate))
        shares = np.arange(self.media.frames) / self.media.frames
        timestamps = shares * (speech.duration / voice.RATE)
        frames = face.render(
            rng.child("face"),
            looks,
            cues["vision"],
            strength["vision"],
            times=shares,
            speech=speech.jaw[(timestamps * voice.FRAMES_PER_SECOND).astype(np.int64)] / 1000,
            side=self.media.frame_size or face.SIDE,
        )
        return Sample(
            utterance=utterance,
            audio=audio,
            sample_rate=rate,
            frames=frames,
            timestamps=timestamps,
            text=language.sentence(rng.child("text"), cues["text"], intensity, utterance.split),
            clipped=clipped,
        )

    def source_hash(self, utterances: Sequence[Utterance]) -> str:
        """Return a hash over generator version, seed and the ids with their labels.

        The recipe is the source: these decide every byte, and nothing needs to be made to know them.
        """
        return hash_json(["synthetic", VERSION, self.seed, [[u.id, u.label] for u in utterances]])

    def check(self) -> CheckReport:
        """Count, and look for ids that occur twice and for speakers of two splits."""
        everything = self.utterances()
        findings = [
            Finding("error", name, f"occurs {n} times")
            for name, n in Counter(u.id for u in everything).items()
            if n > 1
        ]
        homes: dict[str, set[str]] = {}
        for u in everything:
            homes.setdefault(str(u.speaker), set()).add(u.split)
        findings += [
            Finding("error", speaker, f"speaks in {' and '.join(sorted(splits))}")
            for speaker, splits in homes.items()
            if len(splits) > 1
        ]
        counts = {
            "label": Counter(u.label for u in everything),
            "split": Counter(u.split for u in everything),
            "speaker": Counter(str(u.speaker) for u in everything),
        }
        return CheckReport(tuple(findings), {name: dict(sorted(c.items())) for name, c in counts.items()})

    def _stream(self, utterance: Utterance) -> Stream:
        return _stream(self.seed, utterance.split, str(utterance.source))


def _stream(seed: int, *fields: str) -> Stream:
    """Return the random stream of one thing in one world."""
    return Stream.of("synthetic", str(VERSION), str(seed), *fields)


def _intensity(utterance: Utterance) -> Intensity:
    return cast("Intensity", utterance.extra["intensity"])


@lru_cache(maxsize=8)
def _index(seed: int, **sizes: int) -> tuple[Utterance, ...]:
    rows = [u for split, size in sizes.items() for u in _split(seed, split, size)]
    return tuple(sorted(rows, key=lambda u: u.id))


def _split(seed: int, split: str, size: int) -> Iterator[Utterance]:
    """Yield the index of one split.

    Labels and intensities come in blocks that hold every combination once, and dialogues in rounds in
    which everybody talks once, both in random order: any number of utterances is nearly balanced.
    """
    first = 100 * list(SPEAKERS).index(split)
    speakers, conditions = SPEAKERS[split], len(_CONDITIONS)
    round_length = speakers // 2 * _DIALOGUE
    for i in range(size):
        if i % conditions == 0:
            order = _stream(seed, split, "labels", str(i)).permutation(conditions)
        if i % round_length == 0:
            partners = _stream(seed, split, "partners", str(i)).permutation(speakers).reshape(-1, 2)
        label, intensity = _CONDITIONS[order[i % conditions]]
        number = int(partners[i % round_length // _DIALOGUE, i % 2])
        yield Utterance(
            id=f"{split}-{i:05d}",
            label=label,
            split=split,
            speaker=f"S{first + number:03d}",
            dialogue=f"{split}-d{i // _DIALOGUE:04d}",
            extra={"gender": ("female", "male")[number % 2], "intensity": intensity},
            source=i,
        )


@lru_cache(maxsize=128)
def _person(seed: int, speaker: str, gender: str) -> tuple[Voice, Looks]:
    """Return how a speaker sounds and looks."""
    from merbench.datasets._synthetic.face import Looks
    from merbench.datasets._synthetic.voice import Voice

    rng = _stream(seed, "speaker", speaker)
    return Voice.of(rng.child("voice"), gender), Looks.of(rng.child("looks"), gender)
