"""Can an attack be believed? Checks that any attack on a model without masked gradients passes.

Adversarial cells are of the family ``adversarial``; their severity is the budget. An attack that fails
one of these is weak, not the model strong (Athalye, Carlini and Wagner, "Obfuscated gradients give a
false sense of security", ICML 2018, section 3.1; Carlini et al., "On evaluating adversarial
robustness", 2019).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from merbench.report._words import percent
from merbench.tables import Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from merbench.report._study import Model, Study, Variant

FAMILY = "adversarial"
_STEPS_OF = {f"{FAMILY}/pgd": f"{FAMILY}/fgsm"}  # an attack of many steps, and its single step


def attack_reliability(study: Study) -> Table | None:
    """Return one line per model and attack: its strength, and whether it behaves as an attack must.

    ``None`` where no cell is adversarial.
    """
    attacks = [variant for variant in study.variants if variant.family == FAMILY]
    if not attacks:
        return None
    return Table(
        name="attack-reliability",
        title="Attacks: accuracy in percent, and whether the attack can be believed",
        columns=("model", "attack", "verdict", "clean", "smallest budget", "largest budget"),
        rows=tuple(Row(_line(study, model, attack)) for model in study.models for attack in attacks),
        caption="Neither an attack nor a larger budget may help the model, and PGD must match FGSM. "
        "One that fails is weak (masked gradients, too few steps): its figures say nothing "
        "about the model.",
        left=3,
    )


def _line(study: Study, model: Model, attack: Variant) -> tuple[str, ...]:
    scores = _accuracy(study, model, attack)
    entry = study.entry(model, attack)["robustness"]["accuracy"]
    verdict = "; ".join(_defects(study, model, attack)) or "passes"
    first, last = (scores[severity] for severity in (min(scores), max(scores)))
    return model.name, attack.name, verdict, percent(entry["clean"]), percent(first), percent(last)


def _defects(study: Study, model: Model, attack: Variant) -> Iterator[str]:
    """Yield what an attack does that none may do."""
    scores = _accuracy(study, model, attack)
    clean = study.entry(model, attack)["robustness"]["accuracy"]["clean"]
    curve = [clean, *(scores[severity] for severity in sorted(scores))]
    if any(after > before for before, after in pairwise(curve)):
        yield "FAILS: a larger budget helps the model"
    for single in study.variants:
        if single.name.split()[0] == _STEPS_OF.get(attack.name.split()[0]):
            weaker = _accuracy(study, model, single)
            if any(scores[severity] > weaker[severity] for severity in scores.keys() & weaker.keys()):
                yield f"FAILS: weaker than {single.name}"


def _accuracy(study: Study, model: Model, attack: Variant) -> dict[int, float]:
    entry = study.entry(model, attack)
    return {s["severity"]: s["robustness"]["accuracy"]["noisy"] for s in entry["severities"]}
