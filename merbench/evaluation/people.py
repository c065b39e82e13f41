"""How well people do on the same clips: the row beside a model's for missing modalities.

Where raters judged each clip by the voice alone, by the face alone and by both (CREMA-D), their answers
are scored as a model's are that is given the same: ``{a}``, ``{v}`` and ``{av}`` are the patterns of
``modality/dropout``. The *majority* of a clip's raters is the crowd's answer, and a tie is none; *one
rater* is what a single person reaches, the mean over all of them.

The votes are a fact of the dataset (``extra["votes"]``: counts by question, in the order of its labels).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from merbench.evaluation.metrics import SUMMARY_METRICS, scalars, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from merbench.suites.source import Facts
    from merbench.types import Utterance

PATTERNS = {"voice": "a", "face": "v", "multimodal": "av"}
"""Which modalities the raters had, by question."""


def score_people(
    utterances: Sequence[Utterance], facts: Facts, classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the scores of people by what they were given, nothing where nobody voted.

    Each entry has ``question``, ``pattern``, ``n`` clips, ``ratings``, and the summary metrics of the
    ``majority`` and of ``one_rater``. A question whose majority *is* the label, by the dataset's options, is
    left out: it would be right by definition. Answers that are none of the classes count as wrong.
    """
    options = facts.options
    defines = options.get("question") if options.get("label") == "perceived" else None
    scored = [u for u in utterances if u.label in classes]
    entries = []
    for question, pattern in PATTERNS.items():
        judged = [
            (classes.index(u.label), np.array(votes[question], dtype=np.int64))
            for u in scored
            if isinstance(votes := u.extra.get("votes"), dict) and question in votes
        ]
        if judged and question != defines:
            entries.append(
                {"question": question, "pattern": pattern, **_score(judged, facts.labels, classes)}
            )
    return entries


def _score(
    judged: Sequence[tuple[int, np.ndarray]], labels: Sequence[str], classes: Sequence[str]
) -> dict[str, Any]:
    column = np.array([classes.index(label) if label in classes else len(classes) for label in labels])
    majority = np.zeros((len(classes), len(classes) + 1), dtype=np.int64)
    raters = majority.copy()
    for truth, counts in judged:
        best = np.flatnonzero(counts == counts.max())
        majority[truth, column[best[0]] if len(best) == 1 else len(classes)] += 1
        np.add.at(raters[truth], column, counts)
    return {
        "n": len(judged),
        "ratings": int(raters.sum()),
        "majority": _metrics(majority),
        "one_rater": _metrics(raters),
    }


def _metrics(confusion: np.ndarray) -> Mapping[str, float | None]:
    values = scalars(confusion)
    return {name: to_json(float(values[name])) for name in SUMMARY_METRICS}
