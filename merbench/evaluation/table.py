"""A summary as a table.

One row per corruption and severity, then the means; the clean score stands beside every drop, because
a model that is always wrong drops by nothing. What a reader must know before believing a row
(contaminated, out of domain) is in the title, not in a footnote that gets lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from merbench.errors import MerbenchError
from merbench.evaluation.metrics import SUMMARY_METRICS
from merbench.evaluation.summary import NOT_APPLICABLE, Robustness
from merbench.tables import Row, Table
from merbench.types import MODALITIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Summary = Mapping[str, Any]

_NAMES = {"uar": "UAR", "accuracy": "acc", "macro_f1": "F1", "weighted_f1": "wF1"}
_NOTE = "drop = clean - noisy; kept = noisy / clean"
_MEANS = "means over severities, then corruptions, then families"
_UNDEFINED = "-"


def run_table(result: Mapping[str, Any], *, metric: str = SUMMARY_METRICS[0]) -> Table:
    """Return a run's scores as a table.

    Args:
        result: a run's ``result.json``.
        metric: the metric with clean, noisy, drop and retention, one of `SUMMARY_METRICS`.

    Raises:
        MerbenchError: there is no such metric.
    """
    return Table(
        name=f"{result['model']['name']}-{metric}",
        title=_title(result),
        columns=_header(metric),
        rows=tuple(_rows(result["metrics"], metric)),
        caption=_caption(result),
    )


def _title(result: Mapping[str, Any]) -> str:
    data, n = result["data"], result["metrics"]["n"]
    split = f" ({data['split']})" if data["split"] else ""
    marks = "".join(f"; {mark['kind'].upper()}: {mark['why']}" for mark in result["marks"])
    return f"{model_title(result['model'])} on {data['dataset']}{split}, {n} samples{marks}"


def model_title(model: Mapping[str, Any]) -> str:
    """Return a model's name with the options that were chosen for it."""
    options = ",".join(f"{key}={_plain(value)}" for key, value in model.get("options", {}).items())
    return f"{model['name']}:{options}" if options else str(model["name"])


def _caption(result: Mapping[str, Any]) -> str:
    summary = result["metrics"]
    parts = [_NOTE, _MEANS]
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
    draws = {len(s["cells"]) for corruption in summary["corruptions"] for s in corruption["severities"]}
    if draws and draws != {1}:
        parts.append(f"up to {max(draws)} draws averaged")
    return "; ".join(parts)


def _clean(summary: Summary) -> Mapping[str, Any]:
    """Return the metrics of the clean cell."""
    metrics: Mapping[str, Any] = next(c for c in summary["cells"] if c["corruption"] == "clean")["metrics"]
    return metrics


def _others(metric: str) -> list[str]:
    return [name for name in ("uar", "accuracy", "macro_f1") if name != metric]


def require_metric(metric: str) -> None:
    """Check that a table can show this metric; a long run asks before it starts.

    Raises:
        MerbenchError: there is no such metric.
    """
    if metric not in SUMMARY_METRICS:
        raise MerbenchError(
            f"there is no metric '{metric}'", fix=f"choose one of {', '.join(SUMMARY_METRICS)}"
        )


def _header(metric: str) -> tuple[str, ...]:
    require_metric(metric)
    name = _NAMES[metric]
    return (
        "corruption",
        "sev",
        "n",
        f"{name} clean",
        "noisy",
        "drop",
        "kept",
        *(_NAMES[m] for m in _others(metric)),
    )


def _rows(summary: Summary, metric: str) -> Iterator[Row]:
    n = str(summary["n"])
    clean = _clean(summary)
    figures = [clean[name] for name in (metric, *_others(metric))]
    yield Row(("clean", "0", n, _number(figures[0]), "", "", "", *map(_number, figures[1:])))
    for entry, name in zip(summary["corruptions"], variant_names(summary["corruptions"]), strict=True):
        for i, severity in enumerate(entry["severities"]):
            cells = _figures(severity["robustness"], metric)
            yield Row((name if i == 0 else "", str(severity["severity"]), n, *cells), starts_section=i == 0)
        if len(entry["severities"]) > 1:
            yield Row(("", "mean", n, *_figures(entry["robustness"], metric)))
    for name, severities, why in _left_out(summary):
        blank = [""] * (len(_header(metric)) - 2)
        yield Row((f"{name}: {NOT_APPLICABLE}, {why}", severities, *blank), starts_section=True)
    for i, family in enumerate(summary["families"]):
        cells = _figures(family["robustness"], metric)
        yield Row((f"all of {family['family']}", "", n, *cells), starts_section=i == 0)
    if summary["families"]:
        yield Row(("overall", "", n, *_figures(summary["overall"], metric)))


def _left_out(summary: Summary) -> Iterator[tuple[str, str, str]]:
    """Yield corruption, severities and reason of the cells that are not applicable."""
    found: dict[tuple[str, str], list[str]] = {}
    for cell in summary["cells"]:
        if cell["status"] == NOT_APPLICABLE:
            found.setdefault((cell["corruption"], cell["why"]), []).append(str(cell["severity"]))
    for (name, why), severities in found.items():
        yield name, ",".join(dict.fromkeys(severities)), why


def _figures(robustness: Robustness, metric: str) -> tuple[str, ...]:
    score = robustness[metric]
    kept = score["retention"]
    return (
        *(_number(score[part]) for part in ("clean", "noisy", "drop")),
        _UNDEFINED if kept is None else f"{100 * kept:.0f}%",
        *(_number(robustness[name]["noisy"]) for name in _others(metric)),
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
