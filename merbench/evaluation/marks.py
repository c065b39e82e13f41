"""What a reader must know before comparing a score: was the model trained on this, or on nothing like it?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from merbench.corruption import corruptions
from merbench.hashing import hash_json
from merbench.models import UNRECORDED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from merbench.models import TrainingRecord
    from merbench.suites.source import Facts
    from merbench.types import Cell, Utterance

Kind = Literal["contaminated", "out of domain", "shared speakers", "unknown training data"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A warning that stays with a result: its kind, and why, in one sentence."""

    kind: Kind
    why: str

    def to_json(self) -> dict[str, str]:
        """Return the mark as it enters a result."""
        return asdict(self)


def marks_of(
    trained_on: Sequence[TrainingRecord] | None,
    facts: Facts,
    utterances: Sequence[Utterance],
    cells: Sequence[Cell],
) -> list[Mark]:
    """Hold what a model was trained on, recordings and noise, against what it is evaluated on.

    A model trained on nothing (an empty record) carries no mark.
    """
    if trained_on is None:
        return [Mark("unknown training data", "nobody recorded what this model was trained on")]
    known = [record for record in trained_on if record != UNRECORDED]
    marks = [*_of_recordings(known, facts, utterances), *_of_noise(known, cells)]
    if len(known) < len(trained_on):
        marks.append(Mark("unknown training data", "nobody recorded what a part of it was trained on"))
    return marks


def _of_noise(trained_on: Sequence[TrainingRecord], cells: Sequence[Cell]) -> list[Mark]:
    learned = frozenset[str]().union(*(record.noise for record in trained_on))
    if not learned:
        return []
    kinds = {(cell.corruption, hash_json(dict(cell.options))): cell for cell in cells if not cell.is_clean}
    heard = {
        name
        for cell in kinds.values()
        for name in corruptions[cell.corruption].material(cell.options)
        if name in learned
    }
    return [Mark("contaminated", f"hardened with the noise of {name}") for name in sorted(heard)]


def _of_recordings(
    trained_on: Sequence[TrainingRecord], facts: Facts, utterances: Sequence[Utterance]
) -> list[Mark]:
    same = [record for record in trained_on if record.dataset == facts.dataset]
    if trained_on and not same:
        trained = ", ".join(sorted({record.dataset for record in trained_on}))
        return [Mark("out of domain", f"trained on {trained}, evaluated on {facts.dataset}")]
    marks: list[Mark] = []
    for record in same:
        if any(facts.options.get(key) != value for key, value in record.options.items()):
            continue  # the same generator with another seed is other data
        if record.samples is None:
            marks.append(Mark("contaminated", f"trained on {facts.dataset}, which samples is not recorded"))
            continue
        seen = sum(u.id in record.samples for u in utterances)
        heard = {u.speaker for u in utterances if u.speaker is not None} & (record.speakers or frozenset())
        if seen:
            marks.append(Mark("contaminated", f"trained on {seen} of the {len(utterances)} samples"))
        elif heard and facts.shares_speakers:
            marks.append(
                Mark("shared speakers", f"trained on {len(heard)} of them, as the split's authors meant")
            )
        elif heard:
            marks.append(Mark("contaminated", f"trained on {len(heard)} of the speakers"))
    return marks
