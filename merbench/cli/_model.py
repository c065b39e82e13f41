"""``merbench model``: look at a model before it is evaluated, or weigh several against each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from merbench.cli import _emollama
from merbench.cli._arguments import AsJson, Frames, FrameSize, Root, SampleRate, Workers

if TYPE_CHECKING:
    from merbench.datasets import Dataset
    from merbench.evaluation.marks import Mark
    from merbench.models import Adapter, TrainingRecord

model = typer.Typer(no_args_is_help=True)
model.command("check")(_emollama.check)
model.command("estimate")(_emollama.estimate)
model.command("published")(_emollama.published)

_OF_THE_DATA = {"labels": "the data's own", "targets": "the data's own", "fingerprint": "depends on the data"}
"""What is said of a model that takes these from the data, when it is looked at without any."""

Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]


@model.command("show")
def show(
    spec: Annotated[str, typer.Argument(help="What 'merbench eval --model' takes.", metavar="MODEL")],
    dataset: Annotated[
        str | None, typer.Option(help="Also say what a result on this dataset would be marked with.")
    ] = None,
    root: Root = None,
    device: Device = "cpu",
    json: AsJson = False,
) -> None:
    """Show what a model answers, reads and was trained on, and its fingerprint."""
    from merbench.cli._arguments import open_dataset
    from merbench.cli._console import emit, out
    from merbench.models._load import load_model

    data = None if dataset is None else open_dataset(dataset, root)
    counts = None if data is None else data.label_counts()
    adapter = load_model(spec, label_counts=counts, target_means=_means(data), device=device, blank=True)
    facts = _facts(adapter)
    if data is not None:
        facts["marks"] = [f"{mark.kind}: {mark.why}" for mark in _marks(adapter, data)]
    if json:
        emit(facts)
        return
    from rich.table import Table

    table = Table(box=None, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in facts.items():
        own = value is None and key in _OF_THE_DATA
        table.add_row(key.replace("_", " "), _OF_THE_DATA[key] if own else _cell(value))
    out().print(table, markup=False)


@model.command("fit")
def fit(
    spec: Annotated[
        str, typer.Argument(help='"weighted(A; B; ...)" or "router(A; B; ...)".', metavar="MODEL")
    ],
    out: Annotated[Path, typer.Option(help="The JSON file to write.")],
    dataset: Annotated[str, typer.Option(help="As for 'merbench eval'.")] = "synthetic",
    root: Root = None,
    split: Annotated[str, typer.Option(help="What is fitted on; it counts as training data.")] = "validation",
    sample_rate: SampleRate = "16000",
    frames: Frames = 16,
    frame_size: FrameSize = "224",
    device: Device = "auto",
    workers: Workers = 2,
    json: AsJson = False,
) -> None:
    """Fit the weights of several models on clean validation data; write what 'fit=FILE' takes."""
    from merbench.cli._arguments import open_dataset
    from merbench.cli._console import emit, progress, say
    from merbench.training.ensemble import fit_weights

    data = open_dataset(dataset, root, sample_rate, frames, frame_size)
    with progress("fitting", len(data.select(split)[0])) as advance:
        fitted = fit_weights(spec, data, split, device=device, workers=workers, progress=advance)
    fitted.write(out)
    if json:
        emit(fitted.to_json())
        return
    for (name, _), weight in zip(fitted.members, fitted.weights, strict=True):
        say(f"{weight:.3f}  weight of {name}")
    for modality, level in fitted.quality.items():
        say(f"{level:.3f}  quality of clean {modality}")
    say(f"wrote {out}; next: merbench eval --model '{spec.strip().removesuffix(')')}; fit={out})'")


def _means(data: Dataset | None) -> dict[str, dict[str, float]] | None:
    """Return the mean of every target in each split, where the data ask for any."""
    if data is None or data.task is None:
        return None
    names = data.task.targets
    return {split: dict(zip(names, means, strict=True)) for split, means in data.target_means().items()}


def _facts(adapter: Adapter) -> dict[str, Any]:
    """Return what a model says of itself; ``None`` for what it takes from data that are not given."""
    from merbench.models import Adapter as Plain
    from merbench.models._load import takes_labels

    records, blank = adapter.trained_on, takes_labels(adapter)
    takes_targets = type(adapter).learn_means is not Plain.learn_means
    targets = None if blank and takes_targets else list(adapter.targets)
    return {
        "name": adapter.name,
        "labels": None if blank else list(adapter.labels),
        **({} if targets == [] else {"targets": targets}),
        "uses": list(adapter.uses),
        "wants": {"sample_rate": adapter.wants.sample_rate, "frame_size": adapter.wants.frame_size},
        "parameters": adapter.parameters(),
        "rows_per_call": adapter.batch_size,
        "trained_on": None if records is None else [_record(record) for record in records],
        "fingerprint": None if blank else adapter.fingerprint(),
    }


def _marks(adapter: Adapter, data: Dataset) -> list[Mark]:
    """Return what a result on the dataset's default split would be marked with, noise apart."""
    from merbench.evaluation.marks import marks_of
    from merbench.suites.plan import make_plan

    plan = make_plan(data, [], ())
    return marks_of(adapter.trained_on, plan.facts, plan.index(), plan.cells)


def _record(record: TrainingRecord) -> dict[str, Any]:
    return {
        "dataset": record.dataset,
        "options": dict(record.options),
        "samples": None if record.samples is None else len(record.samples),
        "speakers": None if record.speakers is None else len(record.speakers),
        "noise": sorted(record.noise),
    }


def _cell(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, dict) and "dataset" in value:
        return _sentence(value)
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {v or 'any'}" for key, v in value.items())
    if isinstance(value, list):
        return ("\n" if value and isinstance(value[0], dict) else ", ").join(map(_cell, value)) or "nothing"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _sentence(record: dict[str, Any]) -> str:
    """Say a training record in words."""
    options = ", ".join(f"{key}={value}" for key, value in record["options"].items())
    sizes = [f"{record[what]} {what}" for what in ("samples", "speakers") if record[what] is not None]
    noise = [f"noise: {', '.join(record['noise'])}"] if record["noise"] else []
    name = f"{record['dataset']} ({options})" if options else str(record["dataset"])
    return f"{name}: {', '.join([*sizes, *noise])}" if sizes or noise else name
