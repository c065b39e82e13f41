"""What a comparison found, in sentences a reader can quote."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from merbench.evaluation.metrics import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from merbench.statistics.compare import Comparison, Contrast
    from merbench.statistics.intervals import Interval


def findings(comparison: Comparison) -> Iterator[str]:
    """Yield one sentence per finding, the widest first; what was not shown is said too."""
    metric = NAMES[comparison.metric]
    for contrast in comparison.contrasts:
        basis = _basis(contrast.clean)
        yield _without_noise(contrast.clean, metric, basis)
        for scope in contrast.scopes("overall"):
            yield _under_noise(contrast, scope, metric, basis)
        yield from _by_corruption(contrast, metric, basis)
        for family, why in contrast.not_compared.items():
            yield f"{contrast.model} and {contrast.against} cannot be compared on {family}: {why}."


def points(interval: Interval, *, sign: int = 1) -> str:
    """Return ``+6.1 points of macro-F1``-style figures without the words: ``+6.1 [2.3, 9.8]``."""
    if interval.estimate is None:
        return "undefined"
    estimate = 100 * sign * interval.estimate
    if interval.low is None or interval.high is None:
        return f"{estimate:+z.1f} [no interval]"
    low, high = sorted((100 * sign * interval.low, 100 * sign * interval.high))
    return f"{estimate:+z.1f} [{low:z.1f}, {high:z.1f}]"


def counted(n: int, what: str) -> str:
    """Return ``1 speaker`` or ``24 speakers``."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _basis(line: Interval) -> str:
    seeds = [n for n in line.seeds if n > 1]
    parts = [counted(line.n_units, line.unit)]
    if seeds:
        parts.append(" and ".join(map(str, dict.fromkeys(seeds))) + " seeds")
    return ", ".join(parts)


def _direction(line: Interval) -> int:
    """Return +1 or -1 for a difference that is shown, 0 for one that is not."""
    if not line.shown or not line.estimate:
        return 0
    return 1 if line.estimate > 0 else -1


def _without_noise(clean: Interval, metric: str, basis: str) -> str:
    sign = _direction(clean)
    if not sign:
        return (
            f"Without noise no difference is shown between {clean.model} and {clean.against}: "
            f"{points(clean)} points of {metric}, {basis}."
        )
    better, worse = (clean.model, clean.against) if sign > 0 else (clean.against, clean.model)
    figures = points(clean, sign=sign)
    return f"Without noise {better} is better than {worse}: {figures} points of {metric}, {basis}."


def _under_noise(contrast: Contrast, scope: str, metric: str, basis: str) -> str:
    where = "over all noise" if scope == "overall" else f"over {scope} noise"
    noisy, drop = contrast.pair(scope)
    told = _verdict(contrast, noisy, drop)
    if told is None:
        return (
            f"{where.capitalize()} nothing is shown between {contrast.model} and {contrast.against}: "
            f"{points(noisy)} points of {metric} under noise, {points(drop)} in what noise costs, {basis}."
        )
    claim, sign = told
    return (
        f"{where.capitalize()} {claim}: {points(noisy, sign=sign)} points of {metric} under noise, "
        f"{points(drop, sign=sign)} in what noise costs, {basis}."
    )


def _verdict(contrast: Contrast, noisy: Interval, drop: Interval) -> tuple[str, int] | None:
    """Return the claim and which way round it is (+1: about the model, -1: about the reference).

    A model that is always wrong loses nothing, so a smaller loss alone never makes a model the better.
    """
    level, loses = _direction(noisy), _direction(drop)
    sign = level or -loses
    if not sign:
        return None
    better, worse = (contrast.model, contrast.against)[::sign]
    if contrast.floor is not None:
        if not level:
            return None
        nothing = ", which reads nothing" if worse == contrast.floor else ", though it reads nothing"
        return f"{better} scores higher than {worse}{nothing}", sign
    loses *= sign
    if not level:
        return f"{better} loses less than {worse}, though it is not shown to score higher", sign
    if loses < 0:
        return f"{better} is more robust than {worse}", sign
    if loses > 0:
        return f"{better} scores higher than {worse}, though it loses more", sign
    return f"{better} scores higher than {worse}, though it is not shown to lose less", sign


def _by_corruption(contrast: Contrast, metric: str, basis: str) -> Iterator[str]:
    told = []
    for scope in contrast.scopes("corruption"):
        noisy, drop = contrast.pair(scope)
        claim = _verdict(contrast, noisy, drop)
        told.append((claim[0] if claim else "", scope, noisy, claim[1] if claim else 1))
    silent = [scope for claim, scope, _, _ in told if not claim]
    for claim, entries in groupby(sorted((t for t in told if t[0]), key=lambda t: t[0]), lambda t: t[0]):
        figures = [f"{scope} {points(noisy, sign=sign)}" for _, scope, noisy, sign in entries]
        yield f"By corruption, {claim}: {_listed(figures)} points of {metric} under it, {basis}."
    if silent:
        yield f"Nothing is shown between {contrast.model} and {contrast.against} for {_listed(silent)}."


def _listed(names: Sequence[str]) -> str:
    return "; ".join(names) if any("," in name for name in names) else ", ".join(names)
