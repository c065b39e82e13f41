"""``merbench demo``: the whole story on the synthetic set."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from merbench.cli._arguments import AsJson, Workers

_MODELS = ("majority", "late-fusion", "emollama-base", "emollama-pgd")
_REFERENCE = "emollama-base"
_ATTACKED = (_REFERENCE, "emollama-pgd")
_ATTACKED_SAMPLES = 32
_BUDGETS = (2, 4)


def demo(
    out: Annotated[Path, typer.Option(help="The folder to write.")] = Path("demo"),
    samples: Annotated[int, typer.Option(min=1, help="How many samples.")] = 60,
    workers: Workers = 2,
    json: AsJson = False,
) -> None:
    """Corrupt, verify, score four models, compare them, attack two; needs no data, no network."""
    from merbench.attacks import parse_attack
    from merbench.cli._arguments import open_dataset
    from merbench.cli._console import emit, progress, say
    from merbench.cli._console import out as console
    from merbench.evaluation.run import evaluate
    from merbench.evaluation.table import run_table
    from merbench.report import Media, write_report
    from merbench.statistics.compare import compare
    from merbench.suites.build import build_suite
    from merbench.suites.plan import make_plan, parse_corruption
    from merbench.suites.presets import PRESETS
    from merbench.suites.verify import verify_suite
    from merbench.types import SEVERITIES

    started = time.perf_counter()
    plan = make_plan(
        open_dataset("synthetic"),
        [parse_corruption(spec, {}) for spec in PRESETS["core"]],
        SEVERITIES,
        split="test",
        limit=samples,
    )
    say(f"1. corrupting {plan.size} synthetic samples: {len(plan.cells)} cells")
    with progress("corrupting", plan.size) as advance:
        suite = build_suite(plan, out / "suite", workers=workers, progress=advance)
    say(f"2. verifying: content_root {suite.content_root}")
    with progress("verifying", plan.size) as advance:
        verify_suite(suite, workers=workers, progress=advance)
    results = {}
    for step, model in enumerate(_MODELS, start=3):
        say(f"{step}. evaluating {model}")
        with progress(model, plan.size) as advance:
            _, results[model] = evaluate(
                suite, model, out / "runs" / model, workers=workers, progress=advance
            )
        if not json:
            console().print(run_table(results[model], metric="uar").rich())
    others = [model for model in _MODELS[1:] if model != _REFERENCE]  # the majority teaches nothing
    runs = [out / "runs" / model for model in (_REFERENCE, *others)]
    say(f"{len(_MODELS) + 3}. comparing {' and '.join(others)} with {_REFERENCE}")
    comparison = compare(runs)
    for sentence in comparison.findings:
        say(f"   {sentence}")
    few = make_plan(plan.dataset, [], (), split="test", limit=min(samples, _ATTACKED_SAMPLES))
    say(f"{len(_MODELS) + 4}. attacking {' and '.join(_ATTACKED)}: {few.size} samples")
    under_attack = {}
    for model in _ATTACKED:
        with progress(f"attacking {model}", few.size) as advance:
            _, under_attack[model] = evaluate(
                few,
                model,
                out / "attacked" / model,
                attacks=[parse_attack("fgsm")],
                severities=_BUDGETS,
                workers=workers,
                progress=advance,
            )
        if not json:
            console().print(run_table(under_attack[model], metric="uar").rich())
    attacked = compare([out / "attacked" / model for model in _ATTACKED])
    for sentence in attacked.findings:
        say(f"   {sentence}")
    report = out / "report.html"
    write_report(runs, report, media=Media(suite=out / "suite"))
    if json:
        emit(
            {
                "runs": results,
                "comparison": comparison.to_json(),
                "attacked": {"runs": under_attack, "comparison": attacked.to_json()},
            }
        )
    say(f"done in {time.perf_counter() - started:.0f} s; everything is in {out}:")
    say(f"  {out / 'suite'}   the suite: README.md, manifest.json, data/<cell>/*.parquet")
    say(f"  {out / 'runs'}    per model: predictions.parquet, result.json; {out / 'attacked'} the same")
    say(f"  {report}   curves, confusions and failures to look at: open it in a browser")
    say(f"next: merbench compare {' '.join(map(str, runs))}; merbench eval --help")
