"""Can an attack be believed? Checks that any attack passes on a model without masked gradients.

An attack that fails one of these is weak, and not the model strong (Athalye, Carlini and Wagner, "Obfuscated
gradients give a false sense of security", ICML 2018, section 3.1; Carlini et al., "On evaluating adversarial
robustness", 2019). Some follow from the scores of a run alone; others ask the model again, about a few rows
that it gets right.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from merbench.attacks import FAMILY, Budget, Victims, attacks, parse_attack
from merbench.attacks._attack import EVERYTHING, NOTHING, ROWS
from merbench.attacks._canvas import conformed, tensors
from merbench.attacks._queries import Queries
from merbench.attacks._scores import Judge
from merbench.errors import MerbenchError
from merbench.evaluation.attack_curves import MUST_MATCH, SAME_THREAT, SLACK, curve_defects
from merbench.hashing import hash_json
from merbench.models import Answered, Differentiable
from merbench.options import has_option
from merbench.rng import Stream
from merbench.types import MODALITIES, Batch, Packed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from merbench.attacks import Attack
    from merbench.evaluation.attacked import Attacked
    from merbench.models._validate import Answers
    from merbench.types import Modality

PROBE = 16
"""Rows that the model is asked about again."""

AGREEMENT = 0.99
"""Share of rows in which a model's differentiable path must give the label of its `predict`."""

_CLOSE_CALL = 0.01  # nats between the two best labels: rows that rounding may decide either way
_MASKED = 0.1  # share of rows without any gradient that an attack may have met
_LEFT = 0.05  # accuracy that may be left when every medium may be anything
_QUERIES = 40  # of the black-box attack that a strong one is held against


class Check(NamedTuple):
    """One check: what must hold, whether it does, and what was seen."""

    check: str
    holds: bool
    said: str


def require_agreement(attacked: Attacked) -> None:
    """Check that a model answers through its differentiable path as it does through `predict`.

    Raises:
        MerbenchError: it does not; an attack would then be on another model.
    """
    adapter = attacked.target.adapter
    if not isinstance(adapter, Differentiable) or all(a.knows != "gradients" for a in attacked.attacks):
        return
    import torch

    clean = next(attacked.natural.chunks(0)).clean.only(*adapter.uses)
    queries = Queries(adapter, clean, MODALITIES)
    answers, again = queries.answers(clean), queries.answers(clean)
    expected = _names(answers, attacked)
    steady = sum(a == b for a, b in zip(expected, _names(again, attacked), strict=True)) / len(expected)
    agree: list[bool] = []
    for start in range(0, len(clean), ROWS):
        rows = clean.take(range(start, min(start + ROWS, len(clean))))
        media = conformed(tensors(rows, "audio"), tensors(rows, "vision"), rows, adapter.wants)
        with torch.no_grad():
            logits = adapter.differentiable(media).double().cpu()
        best = logits.log_softmax(dim=1).topk(2, dim=1).values if logits.shape[1] > 1 else None
        close = best is not None and (best[:, 0] - best[:, 1] < _CLOSE_CALL)
        found = _names(logits.numpy(), attacked)
        same = [a == b for a, b in zip(found, expected[start:], strict=False)]
        agree += [bool(one) for one in np.array(same) | np.asarray(close)]
    share = sum(agree) / len(agree)
    # Who answers at random agrees with nobody more than with themselves.
    at_random = not isinstance(answers, list) and not np.allclose(_logits(answers), _logits(again))
    if share < (steady - len(agree) ** -0.5 if at_random else AGREEMENT):
        raise MerbenchError(
            f"the differentiable path of {adapter.name} gives the label of its predict() in {share:.0%} of "
            f"{len(agree)} rows only, so that an attack on it would be on another model",
            fix=f"mend its differentiable() until they agree in {AGREEMENT:.0%}, or use an attack that needs "
            "only answers: --attack square",
        )


def _names(answers: Answers, attacked: Attacked) -> list[str | None]:
    """Return the class, or the model's own label, that each answer names."""
    target = attacked.target
    if isinstance(answers, list):
        parsed = [target.adapter.parse(answer) for answer in answers]
        return [None if label is None else target.labels.read_answer(label) for label in parsed]
    return list(target.labels.read_logits(_logits(answers))[0])


def _logits(answers: Answers) -> npt.NDArray[np.floating]:
    return np.asarray(answers.logits if isinstance(answers, Answered) else answers)


def probe(attacked: Attacked) -> list[dict[str, Any]]:
    """Return, for every attack, the checks that ask the model again, and about how many rows they did.

    Where it could alter none of the rows, nobody is asked: every check would hold.
    """
    right = [victims for _, victims in islice(_right(attacked), -(-PROBE // ROWS))]
    severity = sorted(attacked.severities)[len(attacked.severities) // 2]
    weaker: dict[str, float] = {}
    found = []
    for attack in attacked.attacks:
        groups = right if any(map(any, _reached(attack, right, attack.budget(severity)))) else []
        found.append(
            {
                "rows": sum(map(len, groups)),
                "checks": [check._asdict() for check in _checks(attack, groups, severity, weaker)]
                if groups
                else [],
                "word_error_rate": _word_error_rate(attack, groups, attack.budget(severity)),
            }
        )
    return found


def _reached(attack: Attack, groups: Sequence[Victims], budget: Budget) -> list[list[bool]]:
    """Tell which rows of each group can be altered within `budget`."""
    return [[why is None for why in attack.why_not(v.clean, v.target.adapter.uses, budget)] for v in groups]


def _word_error_rate(attack: Attack, groups: Sequence[Victims], budget: Budget) -> float | None:
    """Return how many words of what a recogniser hears in the clean rows it hears wrongly in attacked ones.

    ``None`` without a recogniser, or where it hears no words.
    """
    recogniser = getattr(attack, "recogniser", None)
    if recogniser is None:
        return None
    from corruptions.compound._errors import word_error_rate

    rates = []
    for victims in groups:
        altered = attack.perturb(victims, budget).batch
        for before, after, rate in zip(victims.clean.audio, altered.audio, altered.sample_rates, strict=True):
            if before is not None and after is not None:
                rates.append(
                    word_error_rate(recogniser.transcribe(before, rate), recogniser.transcribe(after, rate))
                )
    known = [rate for rate in rates if rate is not None]
    return sum(known) / len(known) if known else None


def probe_of(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what `probe` found when a run was made."""
    return [
        {"rows": e["rows"], "checks": e["checks"][1:], "word_error_rate": e["word_error_rate"]}
        for e in result["attack_reliability"]
    ]


def _right(attacked: Attacked) -> Iterator[tuple[list[int], Victims]]:
    for shard in range(attacked.shards):
        for chunk in attacked.natural.chunks(shard):
            yield from attacked.victims(chunk)


def _checks(
    attack: Attack, groups: Sequence[Victims], severity: int, weaker: dict[str, float]
) -> Iterator[Check]:
    """Yield the checks of one attack; `weaker` keeps what the attacks it is held against leave right."""
    adapter = groups[0].target.adapter
    budget = attack.budget(severity)
    rows = sum(map(len, groups))
    one_row = max(SLACK, 1 / rows)
    again = _right_share([victims.clean for victims in groups], groups)  # below 1 if it answers at random
    nothing, _ = _accuracy(attack, groups, NOTHING)
    lost = nothing < (1 if again == 1 else again - rows**-0.5)
    yield Check("nothing done, nothing lost", not lost, f"{nothing:.3f} right with a budget of 0")
    usual, masked = _accuracy(attack, groups, budget)
    if attack.knows == "gradients":
        yield Check(
            "there are gradients",
            masked <= _MASKED,
            f"masked: {masked:.0%} of the rows never had a gradient" if masked else "in every row",
        )
    doubled = attack.doubled()
    if doubled is not None:
        more, _ = _accuracy(doubled, groups, budget)
        yield Check(
            "twice the effort does not help the model",
            more <= usual + one_row,
            f"{usual:.3f} right at severity {severity}, {more:.3f} with twice the effort",
        )
    if attack.name not in MUST_MATCH:
        return
    altered = attack.alters(adapter.uses)
    for spec in ("fgsm", f"square:queries={_QUERIES}"):
        one = _of_same_threat(spec, attack)
        if one is not None:
            what = hash_json([one.name, one.identity()])
            if what not in weaker:
                weaker[what], _ = _accuracy(one, groups, budget)
            yield Check(
                f"at least as strong as {one.name}",
                usual <= weaker[what] + one_row,
                f"{usual:.3f} right at severity {severity}, {weaker[what]:.3f} under {one.name}",
            )
    left, _ = _accuracy(attack, groups, EVERYTHING)
    if set(altered) == set(adapter.uses):
        yield Check(
            "nothing withstands everything",
            left <= max(_LEFT, 1 / rows if rows < 1 / _LEFT else 0),
            f"{left:.3f} right when every medium may be anything",
        )
    else:
        without = _right_share([_noise(victims, altered) for victims in groups], groups)
        yield Check(
            "what may be anything is worth no more than noise",
            left <= without + one_row,
            f"{left:.3f} right when {' and '.join(altered)} may be anything, {without:.3f} when it is noise",
        )


def _of_same_threat(spec: str, attack: Attack) -> Attack | None:
    """Return another attack that may alter the same media as far, ``None`` if it cannot."""
    cls = attacks[spec.partition(":")[0]]
    values = {k: getattr(attack, k, None) for k in SAME_THREAT if has_option(cls, k)}
    said = {
        k: "+".join(map(str, v)) if isinstance(v, tuple) else v for k, v in values.items() if v is not None
    }
    try:
        return parse_attack(
            spec
            + "".join(f"{',' if ':' in spec or i else ':'}{k}={v}" for i, (k, v) in enumerate(said.items()))
        )
    except MerbenchError:  # square knows only linf
        return None


def _accuracy(attack: Attack, groups: Sequence[Victims], budget: Budget) -> tuple[float, float]:
    """Return the share of rows that stay right, and of those that never showed a gradient."""
    outcomes = [attack.perturb(victims, budget) for victims in groups]
    masked = [
        bool(flat)
        for outcome, rows in zip(outcomes, _reached(attack, groups, budget), strict=True)
        for flat, reached in zip(outcome.masked, rows, strict=True)
        if reached
    ]
    return _right_share([o.batch for o in outcomes], groups), sum(masked) / len(masked) if masked else 0.0


def _right_share(batches: Sequence[Batch], groups: Sequence[Victims]) -> float:
    right: list[bool] = []
    for batch, victims in zip(batches, groups, strict=True):
        target = victims.target
        answers = Queries(target.adapter, victims.clean, MODALITIES).answers(batch)
        right += (Judge(target.adapter, target.labels).margins(answers, victims.truth) <= 0).tolist()
    return sum(right) / len(right)


def _noise(victims: Victims, modalities: Sequence[Modality]) -> Batch:
    """Return the rows with these media replaced by white noise over their whole range."""
    clean = victims.clean
    media: dict[str, Packed] = {}
    for modality in modalities:
        field, low, dtype = ("audio", -32768, np.int16) if modality == "audio" else ("frames", 0, np.uint8)
        rows: list[npt.NDArray[Any] | None] = []
        for name, row in zip(victims.ids, getattr(clean, field), strict=True):
            stream = Stream.of("noise instead", modality, name)
            high = low + (1 << 8 * np.dtype(dtype).itemsize)
            rows.append(None if row is None else stream.integers(row.size, low, high).reshape(row.shape))
        media[field] = Packed.of(rows, dtype)
    return clean.replace(**media)


def told(
    attacked: Attacked, probed: Sequence[Mapping[str, Any]], metrics: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return ``attack_reliability``: for every attack its checks, and whether it passes them all.

    Args:
        attacked: the suite with its attacks.
        probed: what `probe` found.
        metrics: the metrics part of the run's result.
    """
    cells = {cell["cell_id"]: cell for cell in metrics["cells"]}
    clean = next(c for c in metrics["cells"] if c["corruption"] == "clean")["metrics"]["accuracy"]
    entries = []
    for attack in attacked.attacks:
        own = [c for c in attacked.cells if c.corruption == f"{FAMILY}/{attack.name}"]
        own = [c for c in own if {**attack.identity(), "model": c.options["model"]} == dict(c.options)]
        scored = {c.severity: cells[c.cell_id]["metrics"] for c in own}
        entries.append(
            {
                "corruption": own[0].corruption,
                "options": dict(own[0].options),
                "cells": [c.cell_id for c in own],
                "scores": {s: m["accuracy"] for s, m in scored.items() if m is not None},
            }
        )
    found = []
    for entry, probed_rows in zip(entries, probed, strict=True):
        others = [other for other in entries if other is not entry]
        defects = list(curve_defects(entry, clean, others, n=metrics["n"]))
        curve = Check("scores fall as they must", not defects, "; ".join(defects) or "in every cell")
        checks = [curve._asdict(), *probed_rows["checks"]]
        found.append(
            {
                "attack": entry["corruption"],
                "attack_space": "input",
                "options": entry["options"],
                "cells": entry["cells"],
                "reliable": bool(probed_rows["checks"]) and all(check["holds"] for check in checks),
                "rows": probed_rows["rows"],
                "word_error_rate": probed_rows["word_error_rate"],
                "checks": checks,
            }
        )
    return found
