"""Sentences from a small grammar: one wording of the speaker's own feeling, among things that mislead.

Every cue goes through the same sentence frames, so that nothing but the wording of the feeling carries
it. Many frames also name another feeling, denied or somebody else's. Frames are disjoint between
splits; feelings, topics and circumstances are not. Length in words and in characters is drawn first,
and circumstances are chosen to meet it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from merbench.datasets._synthetic.cues import CUES, INTENSITIES

if TYPE_CHECKING:
    import numpy.typing as npt

    from merbench.datasets._synthetic.cues import Cue, Intensity
    from merbench.rng import Stream

# fmt: off
FEELINGS: dict[Intensity, dict[Cue, tuple[str, ...]]] = {
    "high": {
        ("neutral",): (
            "calm", "indifferent", "composed", "unmoved", "level-headed", "detached", "unaffected",
            "matter-of-fact",
        ),
        ("happy", "surprise"): (
            "amazed", "thrilled", "astonished", "blown away", "dazzled", "speechless", "ecstatic",
            "overjoyed",
        ),
        ("sad", "fear"): (
            "desperate", "hopeless", "devastated", "helpless", "terrified", "heartbroken", "distraught",
            "miserable",
        ),
        ("angry",): (
            "furious", "outraged", "livid", "enraged", "infuriated", "fuming", "incensed", "seething",
        ),
    },
    "low": {
        ("neutral",): ("okay", "fine", "neutral", "settled", "unbothered", "even", "relaxed", "collected"),
        ("happy", "surprise"): (
            "pleased", "amused", "intrigued", "cheered", "tickled", "charmed", "curious", "impressed",
        ),
        ("sad", "fear"): ("uneasy", "low", "worried", "gloomy", "troubled", "tense", "downcast", "nervous"),
        ("angry",): (
            "annoyed", "irritated", "cross", "bothered", "displeased", "grumpy", "testy", "peeved",
        ),
    },
}
_DEGREES: dict[Intensity, tuple[str, ...]] = {
    "high": ("absolutely", "completely", "so very", "utterly", "truly"),
    "low": ("a bit", "slightly", "somewhat", "kind of", "more or less"),
}

# {own}: the speaker's feeling; {other}: a feeling of another cue; the rest is neutral.
PLAIN: dict[str, tuple[str, ...]] = {
    "train": (
        "I am {own} about {topic}",
        "{topic} makes me feel {own}",
        "honestly I feel {own} because of {topic}",
        "since {topic} came up I have been {own}",
        "you can tell that I am {own} about {topic}",
        "{name} asked about {topic} and I said that I am {own}",
        "when I think of {topic} I am {own}",
        "it is {topic} that leaves me {own}",
    ),
    "validation": (
        "to be frank {topic} has me {own}",
        "I must say that {topic} got me {own}",
        "these days I am {own} over {topic}",
        "thinking about {topic} I feel {own}",
    ),
    "test": (
        "I have to admit that I am {own} about {topic}",
        "everyone knows that {topic} makes me {own}",
        "as for {topic} I feel {own}",
        "ever since {topic} I am {own}",
        "I told {name} how {own} I am about {topic}",
    ),
}
CONTRAST: dict[str, tuple[str, ...]] = {
    "train": (
        "I am not {other} about {topic} but {own}",
        "{name} is {other} about {topic} but I am {own}",
        "I used to be {other} about {topic} and now I feel {own}",
        "{name} thinks that I am {other} and yet {topic} makes me {own}",
        "I am {own} about {topic} and not {other}",
        "I feel {own} about {topic} while {name} is {other}",
        "people expect me to be {other} but I am {own} about {topic}",
        "do not call me {other} because I am {own} about {topic}",
    ),
    "validation": (
        "{topic} makes {name} {other} but it makes me {own}",
        "I was never {other} about {topic} but I am {own}",
        "{topic} leaves me {own} and not {other}",
        "I am {own} about {topic} although {name} is {other}",
    ),
    "test": (
        "far from being {other} I am {own} about {topic}",
        "{name} was {other} about {topic} whereas I am {own}",
        "I feel {own} about {topic} and not {other} at all",
        "it would be wrong to call me {other} because {topic} makes me {own}",
        "{name} looks {other} but I am {own} about {topic}",
    ),
}
_NAMES = ("Anna", "Tom", "Maria", "Paul", "Lena", "Omar", "Sofia", "Jack", "Yuki", "David", "Nina", "Karl")
_TOPICS = (
    "the meeting", "the news", "this letter", "the new house", "the phone call", "the exam", "our trip",
    "the decision", "the report", "the move", "the result", "the plan", "what happened", "the visit",
    "the match", "the interview",
)
# Circumstances of each kind, of every length from nothing upwards: a sentence has one of each.
_CIRCUMSTANCES: tuple[tuple[str, ...], ...] = (
    ("", "", "again", "once more", "for the second time", "even now"),
    (
        "", "", "today", "tonight", "on Monday", "this morning", "after lunch", "at half past six",
        "in the middle of the week", "as the clock struck nine", "on the last day of the month",
    ),
    (
        "", "", "in town", "at the office", "in the kitchen", "on the way home", "near the old station",
        "in front of the door", "on the second floor of the library", "at the end of the long corridor",
    ),
    (
        "", "", "during the break", "over a cup of tea", "between two lectures", "while the radio was on",
        "before the train left", "while they were moving the tables", "before the others came back from work",
    ),
    ("", "", "with the others around", "in a small group", "next to my brother", "by myself"),
)
# fmt: on

_WORDS = (18, 29)
_CHARACTERS_PER_WORD = (51, 10)  # the average of the grammar, the space included
_CONTRAST_PERCENT: dict[Intensity, int] = {"low": 50, "high": 30}
_TRIES = 64


def sentence(rng: Stream, cue: Cue, intensity: Intensity, split: str) -> str:
    """Return one sentence that words this cue, with the frames of this split."""
    words = rng.one_integer(*_WORDS)
    numerator, denominator = _CHARACTERS_PER_WORD
    characters = words * numerator // denominator + rng.one_integer(-4, 5)
    frames = CONTRAST if rng.one_integer(0, 100) < _CONTRAST_PERCENT[intensity] else PLAIN
    other = rng.choice([c for c in CUES["text"] if c != cue])
    core = rng.choice(frames[split]).format(
        own=_feeling(rng, cue, intensity),
        other=_feeling(rng, other, rng.choice(INTENSITIES)),
        topic=rng.choice(_TOPICS),
        name=rng.choice(_NAMES),
    )
    text = " ".join([core, *_circumstances(rng, words - len(core.split()), characters - len(core))])
    return f"{text[0].upper()}{text[1:]}."


def _feeling(rng: Stream, cue: Cue, intensity: Intensity) -> str:
    """Draw a wording, with a degree in two of three cases."""
    feeling = rng.choice(FEELINGS[intensity][cue])
    return feeling if rng.one_integer(0, 3) == 0 else f"{rng.choice(_DEGREES[intensity])} {feeling}"


def _circumstances(rng: Stream, words: int, characters: int) -> list[str]:
    """Draw circumstances that add this many words, or nearly, and then nearly this many characters."""
    sizes = _sizes()
    picks = np.stack([rng.integers(_TRIES, 0, len(kind)) for kind in _CIRCUMSTANCES], axis=1)
    total = sum(sizes[k][picks[:, k]] for k in range(len(sizes)))
    misses = np.abs(np.asarray(total) - (words, characters)) @ np.array([100, 1])
    best = picks[int(np.argmin(misses))]
    return [kind[int(k)] for kind, k in zip(_CIRCUMSTANCES, best, strict=True) if kind[int(k)]]


@cache
def _sizes() -> list[npt.NDArray[np.int64]]:
    """Return words and characters (with the space before) of every circumstance, [K, 2] per kind."""
    return [
        np.array([(len(text.split()), len(text) + bool(text)) for text in kind]) for kind in _CIRCUMSTANCES
    ]
