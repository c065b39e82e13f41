"""What the scores of attacks alone tell about them: no model is asked, and torch is not needed."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from merbench.attacks import FAMILY
from merbench.tables import Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SLACK = 0.01
"""Accuracy by which a random start alone may make an attack look weaker."""

MUST_MATCH = {"pgd": ("fgsm", "square", "transfer"), "apgd": ("fgsm", "square", "transfer")}
"""Attacks that go on until nothing is to be gained, and what may then do no more harm than they do.

A single step (``fgsm``) and one pattern for everybody (``universal``) owe nothing to others.
"""

SAME_THREAT = ("modalities", "norm", "snr", "levels")
"""Options that two attacks must share to be held against each other."""


_DIGITS = 1e-9

UNRELIABLE = "UNRELIABLE"
"""How tables mark an attack that fails a check."""


def is_unreliable(result: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Tell whether an entry of a result's corruptions is an attack that fails a check."""
    return any(
        not told["reliable"]
        for told in result.get("attack_reliability", ())
        if (told["attack"], told["options"]) == (entry["corruption"], entry["options"])
    )


def reliability_table(result: Mapping[str, Any]) -> Table:
    """Return ``attack_reliability`` as a table: one line per attack and check."""
    rows = []
    for told in result["attack_reliability"]:
        verdict = "reliable" if told["reliable"] else UNRELIABLE
        none = "the model gets no row right that could be altered"
        asked = f"{told['rows']} rows asked again" if told["rows"] else none
        rows.append(Row((told["attack"], "all", verdict, asked), starts_section=True))
        if told["word_error_rate"] is not None:
            rows.append(Row(("", "words lost by a recogniser", "", f"{told['word_error_rate']:.0%} of them")))
        for check in told["checks"]:
            rows.append(Row(("", check["check"], "yes" if check["holds"] else "NO", check["said"])))
    return Table(
        name=f"{result['model']['name']}-attack-reliability",
        title="Can the attacks be believed?",
        columns=("attack", "check", "holds", "seen"),
        rows=tuple(rows),
        caption="an attack that fails a check is weak, and its scores say nothing about the model",
        left=4,
    )


def curve_defects(
    attack: Mapping[str, Any], clean: float, others: Iterable[Mapping[str, Any]], *, n: int | None = None
) -> Iterator[str]:
    """Yield what an attack's accuracies do that none may do.

    Args:
        attack: ``corruption``, ``options`` and, as ``scores``, the accuracy at each severity.
        clean: the accuracy on clean data.
        others: the other attacks on the same model and samples, in the same form.
        n: how many samples were scored; one of them proves nothing.
    """
    scores, slack = attack["scores"], max(SLACK, 1 / n if n else 0.0) + _DIGITS
    for (low, before), (high, after) in pairwise([(0, clean), *sorted(scores.items())]):
        if after > before + slack:
            yield (
                f"a larger budget helps the model: accuracy rises from {before:.3f} to {after:.3f} between "
                f"severity {low} and {high}"
            )
    for other in others:
        if _must_match(attack, other):
            common = scores.keys() & other["scores"].keys()
            less = [str(s) for s in sorted(common) if scores[s] > other["scores"][s] + slack]
            if less:
                yield f"weaker than {other['corruption']} at severity {', '.join(less)}"


def _must_match(attack: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    name, weaker = (entry["corruption"].removeprefix(f"{FAMILY}/") for entry in (attack, other))
    same = all(attack["options"].get(key) == other["options"].get(key) for key in SAME_THREAT)
    return same and weaker in MUST_MATCH.get(name, ())
