"""The tables of a report; a page, a paper and other programs read the same ones."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from merbench.evaluation.metrics import ECE_BINS, NAMES, SUMMARY_METRICS
from merbench.evaluation.table import further_tables, run_table
from merbench.protocols import tell_merge
from merbench.report._attacks import attack_reliability
from merbench.report._reliability import reliability
from merbench.report._words import UNDEFINED, percent, with_interval
from merbench.statistics.intervals import paired_interval
from merbench.statistics.panel import OVERALL
from merbench.tables import Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from merbench.report._study import Model, Study
    from merbench.statistics.intervals import Interval
    from merbench.statistics.scores import Quantity


def all_tables(study: Study, metric: str) -> tuple[Table, ...]:
    """Return every table of a report, most important first."""
    groups = (recall_table(study, name) for name in ("class", *study.groups))
    attacks = attack_reliability(study)
    return (
        overview(study, metric),
        *scores(study, metric),
        *further(study, metric),
        *groups,
        calibration(study),
        *([attacks] if attacks else []),
        cost(study),
        provenance(study),
        intervals(study),
    )


def scores(study: Study, metric: str) -> list[Table]:
    """Return every model's table as `merbench show run` prints it."""
    return [
        replace(run_table(model.result, metric=metric), name=f"scores-{model.slot + 1}-{model.name}")
        for model in study.models
    ]


def further(study: Study, metric: str) -> Iterator[Table]:
    """Yield what only some runs have, as `merbench show run` prints it."""
    for model in study.models:
        for table in further_tables(model.result, metric):
            yield replace(table, name=f"{table.name}-{model.slot + 1}-{model.name}")


def overview(study: Study, metric: str) -> Table:
    """Return one line per model: clean, noisy and drop with intervals, and its marks."""
    several = len(study.models) > 1
    columns = ("model", "reads", "marks", "clean", "noisy", "drop", "kept", "weakest at")
    return Table(
        name="overview",
        title=f"{NAMES[metric]} in percent [95 % confidence interval] on {data_title(study)}",
        columns=(*columns, "drop against first") if several else columns,
        rows=tuple(Row(tuple(_overview(study, model, metric))) for model in study.models),
        caption=" ".join([MEANS, *(AGAINST if several else ()), *notes(study, metric)]),
        left=3,
    )


MEANS = (
    "Noisy: mean over severities, then corruptions, then families; drop = clean - noisy, in points; "
    "kept = noisy / clean."
)


AGAINST = (
    "Drop against first: the drop less that of the first model, paired by sample; below 0 is more robust; "
    "none where the two do not read the same.",
)


def _overview(study: Study, model: Model, metric: str) -> Iterator[str]:
    score = model.summary["overall"][metric]
    worst = model.summary["worst_corruption"][metric]
    yield model.name
    yield ", ".join(model.result["model"]["uses"]) or "nothing"
    yield "; ".join(mark["kind"] for mark in model.result["marks"]) or "none"
    for quantity in ("clean", "noisy", "drop"):
        yield with_interval(study.interval(model, metric, quantity))
    yield UNDEFINED if score["retention"] is None else f"{100 * score['retention']:.0f}"
    yield (
        UNDEFINED
        if worst is None or worst["drop"] <= 0
        else f"{worst['corruption']} ({100 * worst['drop']:z.1f})"
    )
    if len(study.models) > 1:
        yield _against_first(study, model, metric)


def _against_first(study: Study, model: Model, metric: str) -> str:
    """Return the drop of a model less the first one's, where both read the same."""
    if model.slot == 0:
        return UNDEFINED
    if study.unread.get(model.name) != study.unread.get(study.models[0].name):
        return "reads other"
    return with_interval(paired_interval(study.panel, model.slot, 0, metric=metric, quantity="drop"))


def notes(study: Study, metric: str) -> list[str]:
    """Return what limits the figures: unit, number, method, and what is not comparable."""
    one = study.interval(study.models[0], metric)
    found = [
        f"Intervals: {one.method} over {one.n_units} {one.unit}s, taken as independent; n = {one.n} samples. "
        "One run per model: figures are about these checkpoints, not about how they were trained."
    ]
    found += [f"{note[0].upper()}{note[1:]}." for note in one.notes]
    protocol = study.panel.data.get("protocol") or {}
    found += [f"{told[0].upper()}{told[1:]}." for told in tell_merge(protocol.get("labels"))]
    if study.unread:
        who = "; ".join(f"{name}: {', '.join(families)}" for name, families in study.unread.items())
        found.append(
            f"Not read ({who}): these families cannot reach the model; its drop there is 0 by construction."
        )
        if len(study.models) > 1:
            found.append("Overall figures of models that read different modalities are not comparable.")
    found += [f"Not applicable: {name}, {why}." for name, why in study.left_out.items()]
    return found


def data_title(study: Study) -> str:
    """Return what the runs are over."""
    data = study.panel.data
    split = f" ({data['split']})" if data["split"] else ""
    protocol = f" by protocol {data['protocol']['name']}" if data.get("protocol") else ""
    return f"{data['dataset']}{split}{protocol}, {len(study.panel.truth)} samples"


def recall_table(study: Study, group: str) -> Table:
    """Return clean and noisy recall by class or by a group of samples, two columns per model."""
    names, sizes, clean, noisy = study.group_scores(group)
    heads = [f"{model.name} {what}" for model in study.models for what in ("clean", "noisy")]
    pairs = np.stack([clean, noisy], axis=1).reshape(-1, len(names)).T
    what = "Recall" if group == "class" else "UAR"
    return Table(
        name=f"recall-by-{group}",
        title=f"{what} in percent by {group} on {data_title(study)}",
        columns=(group, "n", *heads),
        rows=tuple(
            Row((name, str(n), *map(percent, row))) for name, n, row in zip(names, sizes, pairs, strict=True)
        ),
        caption="noisy: mean over severities, then corruptions, then families.",
    )


def calibration(study: Study) -> Table:
    """Return the calibration error, clean and over all noisy answers, and how many answers were no class."""
    rows = []
    for model in study.models:
        pair = reliability(study.panel, model.slot)
        figures = [UNDEFINED] * 2 if pair is None else [percent(curve.ece) for curve in pair]
        noisy = [k for k in range(len(study.panel.cells)) if k != study.panel.clean]
        none = [
            float(np.mean(study.panel.answer[model.slot, cells] == len(study.classes)))
            for cells in ([study.panel.clean], noisy)
        ]
        rows.append(Row((model.name, *figures, *map(percent, none))))
    return Table(
        name="calibration",
        title=f"Expected calibration error and answers that are no class, percent, on {data_title(study)}",
        columns=("model", "ECE clean", "ECE noisy", "no class clean", "no class noisy"),
        rows=tuple(rows),
        caption=f"ECE over {ECE_BINS} equal bins; noisy: the answers of all corrupted cells pooled; without "
        "probabilities there is no ECE.",
    )


def cost(study: Study) -> Table:
    """Return what the runs cost."""
    return Table(
        name="cost",
        title=f"Cost of the runs on {data_title(study)}",
        columns=(
            "model",
            "device",
            "time s",
            "answers per s",
            "batch",
            "passes run",
            "passes reused",
        ),
        rows=tuple(Row(_cost(study, model)) for model in study.models),
        caption="time: wall clock of decoding, corrupting and answering; answers: samples x cells; a pass is "
        "one sample through one encoder or the whole model, reused where a cell did not change its input.",
        left=2,
    )


def _cost(study: Study, model: Model) -> tuple[str, ...]:
    cost, environment = model.result["cost"], model.result["environment"]
    run, reused = (sum(counts[k] for counts in cost["passes"].values()) for k in ("run", "reused"))
    answers = len(study.panel.truth) * len(model.result["cells"])
    rate = f"{answers / cost['wall_s']:.0f}" if cost["wall_s"] > 0 else UNDEFINED
    return (
        model.name,
        f"{environment['device']}, {environment['cores']} cores",
        f"{cost['wall_s']:.1f}",
        rate,
        str(cost["batch_size"]),
        str(run),
        str(reused),
    )


def provenance(study: Study) -> Table:
    """Return by which hashes everything here can be found and computed again."""
    return Table(
        name="provenance",
        title="What the figures were computed from",
        columns=("model", "fingerprint", "predictions sha256", "recipe", "content", "merbench"),
        rows=tuple(
            Row(
                (
                    model.name,
                    model.result["model"]["fingerprint"] or "none",
                    model.result["predictions"]["sha256"],
                    model.result["recipe_id"],
                    model.result["content_root"] or "not hashed",
                    model.result["environment"]["tools"].get("merbench") or "unknown",
                )
            )
            for model in study.models
        ),
        caption="'merbench show run RUN' computes every figure again from the predictions.",
        left=6,
    )


def intervals(study: Study) -> Table:
    """Return every estimate with its interval in long form, for other programs; shares, not percent."""
    scopes = [scope.name for scope in study.panel.of_kind("overall", "family", "corruption", "severity")]
    clean: tuple[Quantity, str] = ("clean", OVERALL)
    both: tuple[Quantity, ...] = ("noisy", "drop")
    rows = [
        Row((model.name, metric, quantity, scope, *_long(study.interval(model, metric, quantity, scope))))
        for model in study.models
        for metric in SUMMARY_METRICS
        for quantity, scope in [clean, *product(both, scopes)]
    ]
    return Table(
        name="intervals",
        title=f"Every score with its 95 % confidence interval on {data_title(study)}",
        columns=(
            "model",
            "metric",
            "quantity",
            "scope",
            "estimate",
            "low",
            "high",
            "unit",
            "units",
            "n",
            "method",
        ),
        rows=tuple(rows),
        left=4,
    )


def _long(one: Interval) -> Sequence[str]:
    figures: list[Any] = [one.estimate, one.low, one.high]
    shown = ["" if value is None else f"{value:.6f}" for value in figures]
    return (*shown, one.unit, str(one.n_units), str(one.n), one.method)
