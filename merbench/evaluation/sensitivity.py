"""How much a score depends on how the model was asked: one run per prompt, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from merbench.evaluation.metrics import SUMMARY_METRICS
from merbench.tables import Row, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PARTS = ("clean", "noisy", "drop")


def compare_prompts(results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return every metric by prompt, and its range (greatest minus smallest) over the prompts.

    Args:
        results: the results of runs over the same cells, by prompt.

    Returns:
        ``prompts``: per prompt ``clean``, ``noisy`` and ``drop``, each by metric; ``range``: the same
        shape without the prompt. Undefined figures are null.
    """
    figures = {prompt: _overall(result) for prompt, result in results.items()}
    spread = {
        part: {name: _range([entry[part][name] for entry in figures.values()]) for name in SUMMARY_METRICS}
        for part in _PARTS
    }
    prompts = [{"prompt": prompt, **entry} for prompt, entry in figures.items()]
    return {"prompts": prompts, "range": spread}


def prompts_table(comparison: Mapping[str, Any], model: str, *, metric: str) -> Table:
    """Return the comparison as a table."""
    lines = [*comparison["prompts"], {"prompt": "range", **comparison["range"]}]
    rows = [
        Row(
            (line["prompt"], *(_number(line[part][metric]) for part in _PARTS)),
            starts_section=line is lines[-1],
        )
        for line in lines
    ]
    return Table(
        name="prompts",
        title=f"{model}: how much the prompt matters",
        columns=("prompt", f"{metric} clean", "noisy", "drop"),
        rows=tuple(rows),
        caption="noisy: mean over severities, corruptions, families; range: greatest minus smallest",
    )


def _overall(result: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    overall = result["metrics"]["overall"]
    return {part: {name: overall[name][part] for name in SUMMARY_METRICS} for part in _PARTS}


def _range(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return max(defined) - min(defined) if len(defined) == len(values) else None


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:z.3f}"
