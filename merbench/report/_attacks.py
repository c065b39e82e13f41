"""The section on attacks: their scores, and whether they can be believed.

Adversarial cells are of the family ``adversarial``; their severity is the budget. What an attack must do is
decided in `merbench.evaluation`: `attack_curves` and `attack_reliability`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from merbench.attacks import FAMILY
from merbench.evaluation.attack_curves import curve_defects
from merbench.report._words import percent
from merbench.tables import Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from merbench.report._study import Model, Study, Variant


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
    """Yield what an attack does that none may do, in its curve and in the checks of its run."""
    entries = {v.key: _entry(study, model, v) for v in study.variants if v.family == FAMILY}
    own = entries.pop(attack.key)
    clean = study.entry(model, attack)["robustness"]["accuracy"]["clean"]
    yield from (
        f"FAILS: {defect}"
        for defect in curve_defects(own, clean, entries.values(), n=len(study.panel.sample_ids))
    )
    for told in model.result.get("attack_reliability", ()):
        if (told["attack"], told["options"]) == (own["corruption"], own["options"]):
            yield from (f"FAILS: {c['check']} ({c['said']})" for c in told["checks"][1:] if not c["holds"])


def _entry(study: Study, model: Model, attack: Variant) -> dict[str, Any]:
    """Return an attack as `curve_defects` wants it."""
    entry = study.entry(model, attack)
    return {
        "corruption": entry["corruption"],
        "options": entry["options"],
        "scores": _accuracy(study, model, attack),
    }


def _accuracy(study: Study, model: Model, attack: Variant) -> dict[int, float]:
    entry = study.entry(model, attack)
    return {s["severity"]: s["robustness"]["accuracy"]["noisy"] for s in entry["severities"]}
