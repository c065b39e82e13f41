"""``merbench ablate``: which hardening helps against which noise, over training seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from merbench.cli._arguments import AsJson, NoiseRoot, Root, Workers


def ablate(
    study: Annotated[str, typer.Argument(help="A study ('merbench list studies') or a TOML file.")],
    out: Annotated[Path, typer.Option(help="The folder to write; what is there already is not done again.")],
    seeds: Annotated[
        str | None, typer.Option(help="Only these of the study's training seeds, e.g. 0,1 or 0-2.")
    ] = None,
    clean: Annotated[
        str | None,
        typer.Option(
            help="Clean models trained before, e.g. 'runs/clean-{seed}', with folds 'runs/{seed}/fold{fold}'."
        ),
    ] = None,
    root: Root = None,
    noise_root: NoiseRoot = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    workers: Workers = 2,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Only tell what is left to do and about how long it takes.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Train every recipe of a study for every seed, test them all, and tell gain and cost with intervals.

    An interrupted study goes on where it was. Several processes may share one: give each its own --seeds.
    """
    from merbench.ablation.findings import find, tables
    from merbench.ablation.run import Ablation
    from merbench.ablation.study import load_study, require_corruptions
    from merbench.ablation.write import write_findings
    from merbench.cli._console import emit, progress, say
    from merbench.cli._console import out as console
    from merbench.training.loop import duration

    asked = load_study(study)
    require_corruptions(asked)
    ablation = Ablation(asked, out, clean, root, noise_root, device, workers)
    chosen = asked.train.seeds if seeds is None else _seeds(seeds, asked.train.seeds)
    begun = ablation.claimed()
    ablation.require_ready(chosen)
    if estimate or (not begun and ablation.missing(chosen)):  # what is gone on with has been told before
        seconds = ablation.estimate(chosen, say)
        say(f"all in all about {duration(seconds)}")
        if estimate:
            return
    ablation.do(chosen, tell=say, progress=progress)
    left = {seed for _, _, seed in ablation.missing(asked.train.seeds)}
    if left:
        say(f"seeds {', '.join(map(str, sorted(left)))} are still to be done; then tables are made")
        return
    found = find(ablation, asked.train.seeds)
    written = write_findings(ablation, asked.train.seeds, found)
    if json:
        emit([one.to_json() for one in found])
    else:
        for one in found:
            for table in tables(one):
                console().print(table.rich())
    say(f"written: {', '.join(path.name for path in written)} in {out}")


def _seeds(text: str, known: tuple[int, ...]) -> tuple[int, ...]:
    from merbench.errors import MerbenchError
    from merbench.options import read_ranges

    found = read_ranges(text)
    if not found or not set(found) <= set(known):
        raise MerbenchError(
            f"--seeds cannot be '{text}'", fix=f"the study's seeds are {', '.join(map(str, known))}"
        )
    return found
