"""``merbench eval``: score a model on a suite, streamed or built."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from merbench.cli._arguments import AsJson, MakePlan, Out, Workers, given, takes_plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from merbench.suites.source import Source
    from merbench.types import JSON


@takes_plan
def evaluate(
    make_plan: MakePlan,
    model: Annotated[
        str,
        typer.Option(
            help="A registered model, file.py:Class, model.onnx (or .toml), a checkpoint folder, owner/model "
            "of the hub, or several: 'mean(A; B)', 'router(A; B)' ... (docs/models.md)."
        ),
    ],
    suite: Annotated[
        Path | None,
        typer.Option(help="A suite written by 'merbench corrupt'; without it, cells are streamed."),
    ] = None,
    out: Out = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option(help="A prompt of the model, by name or file; several are compared, one run each."),
    ] = None,
    labels: Annotated[
        str, typer.Option(help="strict, subset (score shared classes) or closed (missing ones: recall 0).")
    ] = "strict",
    labels_overlay: Annotated[
        Path | None,
        typer.Option(help="A table of labels that people gave to the corrupted clips (docs/faces.md)."),
    ] = None,
    attack: Annotated[
        list[str] | None,
        typer.Option(
            help="name or name:key=value,... (may be repeated): attack the model as well, at the same "
            "severities; 'merbench list attacks', docs/attacks.md."
        ),
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="The metric the table shows. Default: the protocol's or the task's.")
    ] = None,
    batch_size: Annotated[str, typer.Option(help="Rows per call, or 'auto'.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    precision: Annotated[
        str, typer.Option(help="What torch models compute in: float32, bfloat16 or float16.")
    ] = "float32",
    reference: Annotated[
        Path | None, typer.Option(help="Another run's folder: corruption errors are given relative to it.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Also hash what was streamed (content_root).")
    ] = False,
    allow_contaminated: Annotated[
        bool,
        typer.Option(
            "--allow-contaminated", help="Score a model on data that it was trained on; it is marked."
        ),
    ] = False,
    workers: Workers = 2,
    json: AsJson = False,
) -> None:
    """Score a model on clean and corrupted data; keep every answer.

    Writes predictions.parquet and result.json; an interrupted run goes on where it stopped.
    """
    from merbench.cli._console import emit, progress, say
    from merbench.cli._console import out as console
    from merbench.errors import MerbenchError
    from merbench.evaluation.result import read_result
    from merbench.evaluation.run import evaluate as run_and_score
    from merbench.evaluation.run import folder_name
    from merbench.evaluation.sensitivity import compare_prompts, prompts_table
    from merbench.evaluation.table import further_tables, label_metric, require_metric, run_table
    from merbench.models._load import with_option
    from merbench.protocols import primary_metric
    from merbench.suites.overlay import read_overlay

    _return_memory()
    source: Source
    if suite is not None:
        from merbench.suites.store import Suite

        # Attacks are not of the suite, and have severities and random starts of their own.
        if ignored := [o for o in given(make_plan) if not (attack and o in ("--severity", "--seed"))]:
            raise MerbenchError(
                f"a suite is evaluated as it was built, and {', '.join(ignored)} would change it",
                fix="leave that out, or leave --suite out to stream the cells",
            )
        source = Suite.open(suite)
    else:
        source = make_plan()
    if source.facts.protocol is not None:
        metric = metric or primary_metric(source.facts.to_json())
    if metric is not None:
        require_metric(metric, source.facts.task)
    measured = None if reference is None else read_result(reference)
    _require_reference(measured, source.facts.protocol)
    if batch_size != "auto" and not (batch_size.isdecimal() and int(batch_size) > 0):
        raise MerbenchError(
            f"--batch-size cannot be '{batch_size}'", fix="write 'auto' or a positive whole number"
        )
    size = None if batch_size == "auto" else int(batch_size)
    settings: dict[str, Any] = {
        "label_mode": labels,
        "batch_size": size,
        "reference": measured,
        "verify": verify,
        "allow_contaminated": allow_contaminated,
        "overlay": None
        if labels_overlay is None
        else read_overlay(labels_overlay, source.cells, [u.id for u in source.index()], source.facts.labels),
        **(_attacks(attack, make_plan) if attack else {}),
        "device": device,
        "precision": precision,
        "workers": workers,
    }
    specs = {name: with_option(model, "prompt", name) for name in prompt or ()} or {"": model}
    results: dict[str, dict[str, Any]] = {}
    for name, spec in specs.items():
        target = out / folder_name(name) if out is not None and len(specs) > 1 else out
        with progress(f"evaluating {name}".rstrip(), source.size) as advance:
            folder, result = run_and_score(source, spec, target, progress=advance, **settings)
        results[name] = result
        if not json:
            console().print(run_table(result, metric=metric).rich())
            for table in further_tables(result, metric):
                console().print(table.rich())
        say(_passes(result["cost"]))
        say(f"predictions: {folder / 'predictions.parquet'}\nresult:      {folder / 'result.json'}")
    if len(specs) == 1:
        if json:
            emit(result)
        return
    comparison = compare_prompts(results)
    if json:
        emit(comparison)
    else:
        console().print(prompts_table(comparison, model, metric=label_metric(metric)).rich())


def _attacks(specs: list[str], make_plan: MakePlan) -> dict[str, Any]:
    """Return the arguments of `evaluate` that say how to attack: severities and seed as of the noise."""
    from merbench.attacks import parse_attack
    from merbench.suites.plan import parse_severities

    chosen = cast("functools.partial[Any]", make_plan).keywords
    return {
        "attacks": [parse_attack(spec) for spec in specs],
        "severities": parse_severities(chosen["severity"] or "1-5"),
        "seed": chosen["seed"],
    }


def _require_reference(result: dict[str, Any] | None, protocol: Mapping[str, JSON] | None) -> None:
    """Check that a run to which errors are relative is of the model that the protocol names, if it does."""
    from merbench.errors import MerbenchError

    wanted = (protocol or {}).get("reference")
    if result is not None and wanted is not None and result["model"]["name"] != wanted:
        raise MerbenchError(
            f"the protocol's errors are relative to {wanted}, and --reference is a run of "
            f"{result['model']['name']}",
            fix=f"evaluate {wanted} by the protocol and give its folder",
        )


def _return_memory() -> None:
    """Give freed arrays back to the system at once, so that a long run takes no more than a short one.

    Arrow's own pool keeps what it has freed, and glibc raises the size from which it maps arrays of
    their own (mallopt(3), M_MMAP_THRESHOLD) with every one freed, until its heap is full of holes.
    """
    import ctypes
    import sys

    import pyarrow

    pyarrow.set_memory_pool(pyarrow.system_memory_pool())
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        m_mmap_threshold, one_megabyte = -3, 1 << 20
        libc.mallopt(m_mmap_threshold, one_megabyte)


def _passes(cost: dict[str, Any]) -> str:
    """Say how much work was not done twice."""
    run = sum(counts["run"] for counts in cost["passes"].values())
    reused = sum(counts["reused"] for counts in cost["passes"].values())
    share = reused / (run + reused) if run + reused else 0.0
    return f"{cost['wall_s']:.1f} s; {run} encoder passes run, {reused} reused ({share:.0%} saved)"
