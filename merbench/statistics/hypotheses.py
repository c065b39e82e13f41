"""Hypotheses that are stated before anybody looks: does hardening help, what does it cost, and where?

== ====================================================================================================
H1 robustness gain: the model drops by less than the reference, over everything both read, and does not
   score lower under noise (a model that is always wrong drops by nothing)
H2 non-inferiority: without noise it loses less than a margin to the reference
H3 the gain depends on the noise: model x corruption interaction
H4 the order of corruptions by harm, as ranks with simultaneous intervals (`merbench.statistics.ranking`)
== ====================================================================================================
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from merbench.evaluation.metrics import NAMES
from merbench.statistics.words import counted, points

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from merbench.statistics.anova import Anova
    from merbench.statistics.compare import Contrast
    from merbench.statistics.intervals import Interval

MARGIN = 0.02
"""Two points of the metric: what `merbench check` tolerates as well."""

Verdict = Literal["supported", "contradicted", "not shown"]


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One preset, its verdict and the figures behind it, in one sentence."""

    name: str
    claim: str
    verdict: Verdict
    evidence: str

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return asdict(self)


def judge_presets(
    contrasts: Sequence[Contrast], anova: Anova | None, margin: float = MARGIN
) -> Iterator[Hypothesis]:
    """Yield H1 and H2 for every contrast and H3 once; H4 is a ranking, not a verdict."""
    for contrast in contrasts:
        widest = contrast.scopes("overall") or contrast.scopes("family")
        if widest:
            yield robustness_gain(*contrast.pair(widest[0]))
        yield non_inferiority(contrast.clean, margin)
    if anova is not None and {"model", "corruption"} <= anova.factors.keys():
        yield interaction(anova, contrasts[0].clean.level)


def robustness_gain(noisy: Interval, drop: Interval) -> Hypothesis:
    """H1: the difference in drop is below 0, and that under noise is not."""
    lower = noisy.shown and (noisy.estimate or 0.0) < 0
    verdict: Verdict = "not shown"
    if drop.shown and drop.estimate is not None:
        verdict = "contradicted" if drop.estimate > 0 else "not shown" if lower else "supported"
    return Hypothesis(
        "H1",
        f"{drop.model} loses less to {drop.scope} noise than {drop.against}",
        verdict,
        f"{_told('difference in drop', drop)}; {_told('under noise', noisy)}; {drop.assumption}",
    )


def non_inferiority(clean: Interval, margin: float) -> Hypothesis:
    """H2: the difference without noise is above -margin, by its whole interval."""
    verdict: Verdict = "not shown"
    if clean.low is not None and clean.high is not None:
        verdict = "supported" if clean.low > -margin else "contradicted" if clean.high < -margin else verdict
    return Hypothesis(
        "H2",
        f"without noise {clean.model} loses less than {100 * margin:g} points to {clean.against}",
        verdict,
        f"{_told('difference', clean)}; {clean.assumption}",
    )


def interaction(anova: Anova, level: float) -> Hypothesis:
    """H3: supported when the corrected F test and the permutation agree."""
    effect = anova.effect("model", "corruption")
    found = max(effect.p_corrected, effect.p_permutation) <= 1 - level
    return Hypothesis(
        "H3",
        "how the models differ depends on the corruption",
        "supported" if found else "not shown",
        f"{anova.unit} means: F({effect.epsilon * effect.df1:.1f}, {effect.epsilon * effect.df2:.1f}) = "
        f"{effect.f:.2f}, Greenhouse-Geisser p {effect.p_corrected:.3g}, "
        f"sign-flip p {effect.p_permutation:.3g}, "
        f"partial eta squared {effect.partial_eta_squared:.2f}; {anova.n_units} {anova.unit}s, n {anova.n}; "
        f"{anova.assumption}",
    )


def _told(what: str, interval: Interval) -> str:
    if interval.estimate is None or interval.low is None or interval.high is None:
        return f"{what}: undefined"
    return (
        f"{interval.estimand} {what} {points(interval)} points of {NAMES[interval.metric]}, "
        f"{counted(interval.n_units, interval.unit)}, n {interval.n}"
    )
