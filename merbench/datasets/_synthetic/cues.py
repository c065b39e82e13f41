"""The generative model behind the synthetic set, as tables that can be enumerated.

Each modality shows one *cue*: a set of emotions that it cannot tell apart. Every modality confuses
other pairs, so that two modalities can settle what one leaves open. On top of that a modality
misleads at a known rate, more often when the emotion is weakly expressed, and half of the time by
falling back to what neutral looks like. Given label and intensity the modalities are independent.

The pairs follow what people mix up: loud high-arousal and quiet low-arousal voices (Banse & Scherer
1996; Juslin & Laukka 2003), raised brows in fear and surprise and lowered ones in anger and sadness
(Ekman & Friesen 1978), and wordings that name how good or bad something is, but not what came first.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from merbench.types import MODALITIES, Modality

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from merbench.rng import Stream

Intensity = Literal["low", "high"]
Cue = tuple[str, ...]

LABELS = ("neutral", "happy", "sad", "angry", "fear", "surprise")
INTENSITIES: tuple[Intensity, ...] = ("low", "high")

CUES: Mapping[Modality, tuple[Cue, ...]] = {
    "audio": (("neutral", "sad"), ("happy", "angry"), ("fear",), ("surprise",)),
    "vision": (("neutral",), ("happy",), ("sad", "angry"), ("fear", "surprise")),
    "text": (("neutral",), ("happy", "surprise"), ("sad", "fear"), ("angry",)),
}

MISLEADING: Mapping[Modality, Mapping[Intensity, Fraction]] = {
    "audio": {"low": Fraction(13, 100), "high": Fraction(4, 100)},
    "vision": {"low": Fraction(9, 100), "high": Fraction(2, 100)},
    "text": {"low": Fraction(11, 100), "high": Fraction(3, 100)},
}
"""How often a modality shows a cue that does not belong to the label."""

STRENGTH: Mapping[Intensity, tuple[int, int]] = {"low": (450, 650), "high": (850, 1000)}
"""How strongly a cue is expressed, in thousandths of its full extent, drawn evenly from [low, high)."""

_GRAIN = 6_000
"""A common denominator of every probability below, so that draws compare whole numbers."""


def cue_probabilities(modality: Modality, label: str, intensity: Intensity) -> dict[Cue, Fraction]:
    """Return P(cue | label, intensity) for one modality, exactly; the values sum to 1."""
    own = next(cue for cue in CUES[modality] if label in cue)
    others = [cue for cue in CUES[modality] if cue != own]
    rate = MISLEADING[modality][intensity]
    table = {own: 1 - rate}
    faded = [cue for cue in others if "neutral" in cue]
    for cue in others:
        share = Fraction(1, len(others)) if not faded else Fraction(1, 2 if cue in faded else 4)
        table[cue] = rate * share
    return table


def draw_cue(rng: Stream, modality: Modality, label: str, intensity: Intensity) -> Cue:
    """Draw what a modality shows."""
    pick = rng.one_integer(0, _GRAIN)
    for cue, probability in cue_probabilities(modality, label, intensity).items():
        pick -= int(probability * _GRAIN)
        if pick < 0:
            return cue
    raise AssertionError("the probabilities of a cue table sum to 1")


def bayes_ceiling(modalities: Iterable[Modality] = MODALITIES, intensity: Intensity | None = None) -> float:
    """Return the best accuracy that any classifier can reach from these modalities, by enumeration.

    The observer knows every table, reads every cue without error and also knows the intensity (the
    strength of a cue gives it away), so that nothing which sees the media alone can do better.

    Args:
        modalities: those it may see; none gives the accuracy of guessing.
        intensity: only for utterances of this intensity, ``None`` for both in equal parts.
    """
    chosen = tuple(modalities)
    levels = INTENSITIES if intensity is None else (intensity,)
    total = Fraction(0)
    for level in levels:
        tables = {m: {label: cue_probabilities(m, label, level) for label in LABELS} for m in chosen}
        for cues in itertools.product(*(CUES[m] for m in chosen)):
            total += max(_likelihood(tables, label, chosen, cues) for label in LABELS)
    return float(total / (len(LABELS) * len(levels)))


def _likelihood(
    tables: Mapping[Modality, Mapping[str, Mapping[Cue, Fraction]]],
    label: str,
    modalities: tuple[Modality, ...],
    cues: tuple[Cue, ...],
) -> Fraction:
    product = Fraction(1)
    for modality, cue in zip(modalities, cues, strict=True):
        product *= tables[modality][label][cue]
    return product
