"""What is shown of a corruption: an utterance of the synthetic set, clean and at the five severities.

Nobody's recordings are shown. The sound and the frames are those of one utterance; what happens to whole
modalities shows over a crowd of them only; the text is the utterance's own, or one that the corruption
applies to.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from corruptions.compound._parts import Compound
from merbench.corruption import corruptions
from merbench.datasets import load_dataset
from merbench.datasets.synthetic import VERSION
from merbench.errors import MerbenchError
from merbench.hashing import hash_json
from merbench.suites.plan import Variant, parse_corruption
from merbench.suites.preview import stages
from merbench.types import SEVERITIES, Sample

if TYPE_CHECKING:
    from merbench.corruption import Corruption
    from merbench.suites.preview import Stage
    from merbench.types import Modality, Pool, Utterance

DOCS = Path(__file__).resolve().parents[1]

_DATASET = "synthetic"
_UTTERANCE = "test-00025"  # a smile, a clear voice, two seconds
_CROWD = 18

# For corruptions to which an English sentence of plain words gives little or nothing to do.
_SENTENCES = {
    "text/case_punctuation": (
        "Wait, you are leaving on Monday? No! Anna told me that it was Friday... "
        "Well, I am happy for you, Paul, I really am."
    ),
    "text/chinese": "我真不敢相信今天能在车站遇见你，我们已经好多年没有见面了，我心里特别高兴。",  # noqa: RUF001
    "text/emoji_strip": (
        "We won 🎉🎉 I still can't believe it 😂 you should have seen her face 😮 "
        "call me when you are home ❤️ :-)"
    ),
}


@dataclass(frozen=True)
class Exhibit:
    """One corruption as it is shown; `needs` says what it cannot run without and is not part of merbench."""

    corruption: Corruption
    needs: str | None

    @property
    def name(self) -> str:
        """The corruption's name."""
        return self.corruption.name

    @property
    def family(self) -> str:
        """The corruption's family."""
        return self.name.partition("/")[0]

    @property
    def slug(self) -> str:
        """The name as an address on a page."""
        return self.name.replace("/", "-")

    @property
    def of_crowd(self) -> bool:
        """Whether it concerns whole modalities of some utterances, so that one utterance shows nothing."""
        return self.family == "modality" and len(self.corruption.changes) > 1

    @property
    def drawn(self) -> tuple[Modality, ...]:
        """The modalities in its strip: those that change, and both where the point is how they agree."""
        wanted = ("audio", "vision") if self.family == "modality" else self.corruption.changes
        return tuple(modality for modality in wanted if modality != "text")

    @property
    def seen(self) -> bool:
        """Whether there is a strip of pictures."""
        return self.needs is None and bool(self.drawn)

    @property
    def heard(self) -> bool:
        """Whether there is a strip of sounds."""
        return self.seen and not self.of_crowd and "audio" in self.drawn

    @property
    def moves(self) -> bool:
        """Whether there is a strip of films."""
        return self.seen and not self.of_crowd and "vision" in self.drawn

    @property
    def read(self) -> bool:
        """Whether there are texts."""
        return self.needs is None and not self.of_crowd and "text" in self.corruption.changes

    @property
    def stalls(self) -> bool:
        """Whether frames are shown again in the place of others, which a still picture does not tell."""
        parts = self.corruption.parts.values() if isinstance(self.corruption, Compound) else [self.corruption]
        return any(part.name == "vision/frame_drop" for part in parts)

    @property
    def page(self) -> Path:
        """Its page."""
        return DOCS / "corruptions" / f"{self.name}.md"

    @property
    def strip(self) -> Path:
        """Its strip of pictures."""
        return self.page.with_suffix(".webp")

    @property
    def sound(self) -> Path:
        """Its strip of sounds."""
        return self.page.with_suffix(".mp3")

    @property
    def film(self) -> Path:
        """Its strip of films."""
        return self.page.with_suffix(".webm")

    @property
    def media(self) -> list[Path]:
        """The files that its page shows."""
        return [self.strip] * self.seen + [self.sound] * self.heard + [self.film] * self.moves

    @cached_property
    def made_from(self) -> str:
        """A hash of what its pictures and sounds follow from, but for the builds of libraries."""
        drawing = Path(__file__).with_name("strips.py").read_bytes()
        inputs = {
            "variant": Variant(self.corruption, SEVERITIES).to_json(),
            "severity": {key: list(values) for key, values in self.corruption.severity.items()},
            "dataset": [_DATASET, VERSION, _UTTERANCE, _CROWD],
            "drawing": sha256(drawing).hexdigest(),
        }
        return hash_json(inputs)[:16]

    def stages(self) -> tuple[Stage, ...]:
        """Return what the pictures and sounds are made of."""
        samples = _crowd() if self.of_crowd else (utterance(),)
        return stages(self.corruption, samples, _split()[1], _DATASET)

    def texts(self) -> tuple[str, ...]:
        """Return the text clean and at the five severities."""
        clean = _SENTENCES.get(self.name, utterance().text)
        sample = Sample(utterance=utterance().utterance, text=clean)
        shown = stages(self.corruption, [sample], _split()[1], _DATASET)
        if not all(stage.achieved[0]["applied"] for stage in shown[1:]):
            raise MerbenchError(f"{self.name} does not apply to: {clean}", fix="give it one of _SENTENCES")
        return tuple(stage.batch.text[0] or "" for stage in shown)


def exhibits() -> list[Exhibit]:
    """Return every built-in corruption."""
    names = [name for name in corruptions.names() if corruptions.entry(name).provider == "builtin"]
    return [_exhibit(parse_corruption(name, {})) for name in names]


def _exhibit(corruption: Corruption) -> Exhibit:
    try:
        corruption.content_hash()
    except MerbenchError as error:
        return Exhibit(corruption, str(error))
    return Exhibit(corruption, None)


@cache
def _split() -> tuple[dict[str, Utterance], Pool]:
    utterances, pool = load_dataset(_DATASET).select("test")
    return {u.id: u for u in utterances}, pool


@cache
def utterance() -> Sample:
    """Return the utterance of which most is shown."""
    utterances, pool = _split()
    return pool.load(utterances[_UTTERANCE])


def clip_seconds() -> float:
    """Return how long that utterance is."""
    sample = utterance()
    assert sample.audio is not None and sample.sample_rate is not None
    return len(sample.audio) / sample.sample_rate


@cache
def _crowd() -> tuple[Sample, ...]:
    utterances, pool = _split()
    return tuple(map(pool.load, list(utterances.values())[:_CROWD]))
