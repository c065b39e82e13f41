"""``merbench train``: follow a recipe and leave a checkpoint that ``merbench eval`` takes."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from merbench.cli._arguments import AsJson, NoiseRoot, ProtocolName, Root, Workers


def train(
    recipe: Annotated[str, typer.Option(help="A recipe ('merbench list recipes') or a TOML file.")],
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    dataset: Annotated[str | None, typer.Option(help="Instead of the recipe's own, as for 'eval'.")] = None,
    frame_size: Annotated[
        int | None, typer.Option(help="Side of the frames in pixels, instead of the recipe's own.", min=1)
    ] = None,
    protocol: ProtocolName = None,
    fold: Annotated[
        int | None, typer.Option(help="Of the protocol: the fold, from 1, that the model is not to see.")
    ] = None,
    root: Root = None,
    noise_root: NoiseRoot = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the recipe's own.", min=0)] = None,
    start: Annotated[
        str | None, typer.Option(help="The trained model to begin with, instead of the recipe's own.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    precision: Annotated[
        str | None, typer.Option(help="float32 or bfloat16, instead of the recipe's own.")
    ] = None,
    workers: Workers = 2,
    json: AsJson = False,
) -> None:
    """Train a model by a recipe; evaluate it as 'merbench eval --model OUT'.

    An interrupted run goes on where it was last saved, to the same weights. On several GPUs:
    torchrun --standalone --nproc-per-node N --no-python merbench train ...
    """
    from merbench.cli._console import emit, progress, say
    from merbench.errors import MerbenchError
    from merbench.protocols import load_protocol
    from merbench.training.distributed import is_main
    from merbench.training.recipe import load_recipe
    from merbench.training.run import plan_training
    from merbench.training.run import train as follow

    if protocol is None and fold is not None:
        raise MerbenchError("--fold is of a protocol, and none is given", fix="add --protocol NAME")
    if protocol is not None and dataset is not None:
        raise MerbenchError(f"protocol '{protocol}' fixes the dataset", fix="leave --dataset out")
    job = plan_training(
        load_recipe(recipe).with_(
            dataset=dataset, frame_size=frame_size, seed=seed, precision=precision, start=start
        ),
        root=root,
        noise_root=noise_root,
        protocol=None if protocol is None else load_protocol(protocol),
        fold=fold,
    )
    with progress("training", job.rows) if is_main() else nullcontext() as advance:
        result = follow(job, out, device=device, workers=workers, progress=advance, tell=say)
    if not is_main():
        return
    if json:
        emit(result)
        return
    for split, scores in result["scores"].items():
        say(f"{split}: " + ", ".join(f"{metric} {value:.4f}" for metric, value in scores.items()))
    say(f"checkpoint: {out}\nnext: {_next(out, protocol, fold, root)}")


def _next(out: Path, protocol: str | None, fold: int | None, root: Path | None) -> str:
    """Return the command that a user needs now: of a fold's model, when all folds are trained."""
    if protocol is None:
        return f"merbench eval --model {out}"
    data = "" if root is None else f" --root {root}"
    when = "" if fold is None else "once every fold of the protocol is trained: "
    folder = str(out)
    if fold is not None and str(fold) in out.name:
        folder = str(out.with_name("{fold}".join(out.name.rsplit(str(fold), 1))))
    return f"{when}merbench eval --protocol {protocol}{data} --model '{folder}'"
