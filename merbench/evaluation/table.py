"""A summary as a table.

One row per corruption and severity, then the means; the clean score stands beside every drop, because
a model that is always wrong drops by nothing. What a reader must know before believing a row
(contaminated, out of domain) is in the title, not in a footnote that gets lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from merbench.errors import MerbenchError
from merbench.evaluation.attack_curves import UNRELIABLE, is_unreliable, reliability_table
from merbench.evaluation.metrics import SUMMARY_METRICS
from merbench.evaluation.relabelled import relabelled_table
from merbench.evaluation.result import task_of
from merbench.evaluation.summary import NOT_APPLICABLE, Robustness, is_error, summary_metrics
from merbench.evaluation.target_metrics import METRICS, metrics_of
from merbench.protocols import primary_metric, tell_protocol
from merbench.suites.faces import lost_faces, tell_faces
from merbench.tables import Row, Table
from merbench.types import MODALITIES, Cell

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from merbench.targets import Task

    Summary = Mapping[str, Any]

_NAMES = {"uar": "UAR", "accuracy": "acc", "macro_f1": "F1", "weighted_f1": "wF1"} | {
    name: metric.title for name, metric in METRICS.items()
}
_NOTE = "drop = clean - noisy; kept = noisy / clean"
_NOTE_ON_ERRORS = "less is better: drop = noisy - clean; kept = clean / noisy"
_NONZERO = "* without the samples whose truth is 0"
_OTHERS = 4  # further metrics of a task that fit into a line
_MEANS = "means over severities, then corruptions, then families"
_UNDEFINED = "-"


def run_table(result: Mapping[str, Any], *, metric: str | None = None) -> Table:
    """Return a run's scores as a table.

    Args:
        result: a run's ``result.json``.
        metric: the metric with clean, noisy, drop and retention, one of `summary_metrics`; by default
            `default_metric`.

    Raises:
        MerbenchError: there is no such metric.
    """
    metric, task = metric or default_metric(result), task_of(result)
    require_metric(metric, task)
    others = _others(metric, task)
    return Table(
        name=f"{result['model']['name']}-{metric}",
        title=_title(result),
        columns=_header(metric, others),
        rows=(*_rows(result, metric, others), *_people(result, metric, others)),
        caption=_caption(result, (metric, *others)),
    )


def further_tables(result: Mapping[str, Any], metric: str | None = None) -> Iterator[Table]:
    """Yield what only some runs have: scores against other labels, checks of attacks, lost faces."""
    if "relabelled" in result:
        yield relabelled_table(result, label_metric(metric))
    if "attack_reliability" in result:
        yield reliability_table(result)
    if "faces" in result:
        lost = lost_faces(result["faces"], [Cell.from_json(cell) for cell in result["cells"]])
        if lost is not None:
            yield lost


def default_metric(result: Mapping[str, Any]) -> str:
    """Return the metric of the protocol, or of the task, or of the labels if the model answers only those."""
    if result["data"].get("protocol"):
        return primary_metric(result["data"])
    primary = metrics_of(task_of(result))[:1]
    answered = [name for name in primary if _clean(result["metrics"])[name] is not None]
    return (*answered, SUMMARY_METRICS[0])[0]


def label_metric(metric: str | None) -> str:
    """Return the metric if it is one of the labels, and their primary one for any other."""
    return metric if metric in SUMMARY_METRICS else SUMMARY_METRICS[0]


def _title(result: Mapping[str, Any]) -> str:
    data, n = result["data"], result["metrics"]["n"]
    split = f" ({data['split']})" if data["split"] else ""
    protocol = f" by protocol {data['protocol']['name']}" if "protocol" in data else ""
    marks = "".join(f"; {mark['kind'].upper()}: {mark['why']}" for mark in result["marks"])
    return f"{model_title(result['model'])} on {data['dataset']}{split}{protocol}, {n} samples{marks}"


def model_title(model: Mapping[str, Any]) -> str:
    """Return a model's name with the options that were chosen for it."""
    options = ",".join(f"{key}={_plain(value)}" for key, value in model.get("options", {}).items())
    return f"{model['name']}:{options}" if options else str(model["name"])


def _caption(result: Mapping[str, Any], shown: Sequence[str]) -> str:
    summary = result["metrics"]
    parts = [_NOTE_ON_ERRORS if is_error(shown[0]) else _NOTE, _MEANS, *tell_protocol(result)]
    if any(_NAMES[name].endswith("*") for name in shown):
        parts.append(_NONZERO)
    task = task_of(result)
    if task is not None and all(_clean(summary)[name] is None for name in metrics_of(task)):
        parts.append(f"this model gives no values of {', '.join(task.targets)}")
    unread = [modality for modality in MODALITIES if modality not in result["model"]["uses"]]
    if unread:
        parts.append(
            f"this model does not read {' or '.join(unread)}: there it cannot fall, and 'overall' compares "
            "only with models that read the same"
        )
    agreement = _clean(summary)["agreement"]
    if agreement is not None:
        parts.append(f"the text answers name the scored class in {agreement:.0%} of the clean samples")
    if summary["unscored"]:
        parts.append(f"{summary['unscored']} samples have a label outside {', '.join(summary['classes'])}")
    if "faces" in result:
        parts.append(tell_faces(result["faces"], [Cell.from_json(cell) for cell in result["cells"]]))
    draws = {len(s["cells"]) for corruption in summary["corruptions"] for s in corruption["severities"]}
    if draws and draws != {1}:
        parts.append(f"up to {max(draws)} draws averaged")
    return "; ".join(parts)


def _clean(summary: Summary) -> Mapping[str, Any]:
    """Return the metrics of the clean cell."""
    metrics: Mapping[str, Any] = next(c for c in summary["cells"] if c["corruption"] == "clean")["metrics"]
    return metrics


def _others(metric: str, task: Task | None) -> list[str]:
    """Return what stands beside a metric: others of the labels, or others of the task."""
    if metric in SUMMARY_METRICS:
        return [name for name in ("uar", "accuracy", "macro_f1") if name != metric]
    return [name for name in metrics_of(task) if name != metric][:_OTHERS]


def require_metric(metric: str, task: Task | None = None) -> None:
    """Check that a table can show this metric; a long run asks before it starts.

    Raises:
        MerbenchError: there is no such metric, or not of what the data ask.
    """
    known = summary_metrics(task)
    if metric not in known:
        what = f"there is no metric '{metric}'"
        if metric in METRICS:
            asked = "the labels" if task is None else "what these data ask"
            what = f"'{metric}' is no metric of {asked}"
        raise MerbenchError(what, fix=f"choose one of {', '.join(known)}")


def _header(metric: str, others: Sequence[str]) -> tuple[str, ...]:
    name = _NAMES[metric]
    return (
        "corruption",
        "sev",
        "n",
        f"{name} clean",
        "noisy",
        "drop",
        "kept",
        *(_NAMES[m] for m in others),
    )


def _rows(result: Mapping[str, Any], metric: str, others: Sequence[str]) -> Iterator[Row]:
    summary = result["metrics"]
    n = str(summary["n"])
    clean = _clean(summary)
    figures = [clean[name] for name in (metric, *others)]
    yield Row(("clean", "0", n, _number(figures[0]), "", "", "", *map(_number, figures[1:])))
    for entry, name in zip(summary["corruptions"], variant_names(summary["corruptions"]), strict=True):
        if is_unreliable(result, entry):
            name = f"{name} {UNRELIABLE}"
        for i, severity in enumerate(entry["severities"]):
            cells = _figures(severity["robustness"], metric, others)
            yield Row((name if i == 0 else "", str(severity["severity"]), n, *cells), starts_section=i == 0)
        if len(entry["severities"]) > 1:
            yield Row(("", "mean", n, *_figures(entry["robustness"], metric, others)))
    for name, severities, why in _left_out(summary):
        blank = [""] * (len(_header(metric, others)) - 2)
        yield Row((f"{name}: {NOT_APPLICABLE}, {why}", severities, *blank), starts_section=True)
    for i, family in enumerate(summary["families"]):
        cells = _figures(family["robustness"], metric, others)
        yield Row((f"all of {family['family']}", "", n, *cells), starts_section=i == 0)
    if summary["families"]:
        yield Row(("overall", "", n, *_figures(summary["overall"], metric, others)))


def _people(result: Mapping[str, Any], metric: str, others: Sequence[str]) -> Iterator[Row]:
    """Yield what people reach on the same clips, by the modalities that they were given."""
    for i, entry in enumerate(result.get("people", ())):
        for name in ("majority", "one_rater"):
            scores = entry[name]
            cells = ("", _number(scores.get(metric)), "", "", *(_number(scores.get(m)) for m in others))
            told = f"people, {{{entry['pattern']}}}: {name.replace('_', ' ')}"
            yield Row((told, "", str(entry["n"]), *cells), starts_section=i == 0 and name == "majority")


def _left_out(summary: Summary) -> Iterator[tuple[str, str, str]]:
    """Yield corruption, severities and reason of the cells that are not applicable."""
    found: dict[tuple[str, str], list[str]] = {}
    for cell in summary["cells"]:
        if cell["status"] == NOT_APPLICABLE:
            found.setdefault((cell["corruption"], cell["why"]), []).append(str(cell["severity"]))
    for (name, why), severities in found.items():
        yield name, ",".join(dict.fromkeys(severities)), why


def _figures(robustness: Robustness, metric: str, others: Sequence[str]) -> tuple[str, ...]:
    score = robustness[metric]
    kept = score["retention"]
    return (
        *(_number(score[part]) for part in ("clean", "noisy", "drop")),
        _UNDEFINED if kept is None else f"{100 * kept:.0f}%",
        *(_number(robustness[name]["noisy"]) for name in others),
    )


def _number(value: float | None) -> str:
    return _UNDEFINED if value is None else f"{value:z.3f}"


def variant_names(corruptions: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return each corruption's name, with the options in which it differs from its namesakes."""
    names = []
    for entry in corruptions:
        namesakes = [other["options"] for other in corruptions if other["corruption"] == entry["corruption"]]
        told = [
            f"{key}={_plain(value)}"
            for key, value in entry["options"].items()
            if any(options.get(key) != value for options in namesakes)
        ]
        names.append(f"{entry['corruption']} {','.join(told)}".rstrip())
    return names


def _plain(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)
