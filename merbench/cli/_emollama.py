"""``merbench model check``, ``estimate``, ``published``: files, cost and figures of Emotion-LLaMA."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from merbench.cli._arguments import AsJson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from merbench.models._emotion_llama.config import Layout
    from merbench.models._emotion_llama.estimate import Estimate, Work
    from merbench.models._emotion_llama.inspection import Inspection


def _part(help: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(help=help, rich_help_panel="Parts")
    return option


Name = Annotated[str, typer.Argument(help="The model: emollama.")]
Size = Annotated[str, typer.Option(help="tiny, small, 7b, or a configuration file.")]
Checkpoint = Annotated[Path | None, typer.Option(help="The file that the authors released.")]
Llama = Annotated[str | None, _part("LLaMA-2-7b-chat: a folder or a hub id.")]
Hubert = Annotated[str | None, _part("chinese-hubert-large: a folder or a hub id.")]
Eva = Annotated[str | None, _part("EVA-CLIP-g: eva_vit_g.pth.")]
FaceMae = Annotated[str | None, _part("FaceMAE: mae_checkpoint-340.pth.")]
VideoMae = Annotated[str | None, _part("VideoMAE: maeVideo_ckp199.pth.")]

SHOWN = 12  # findings of one file that are worth reading on a terminal


def check(
    name: Name,
    checkpoint: Checkpoint = None,
    size: Size = "7b",
    llama: Llama = None,
    hubert: Hubert = None,
    eva: Eva = None,
    facemae: FaceMae = None,
    videomae: VideoMae = None,
    json: AsJson = False,
) -> None:
    """Say what is there, missing, mis-shaped or not finite; exit 1 if anything is.

    Files are read as tensors and nothing of them is executed. Parts that are not given are not looked at.
    """
    from merbench.cli._console import emit, out
    from merbench.errors import MerbenchError
    from merbench.models._emotion_llama.config import load_config
    from merbench.models._emotion_llama.inspection import inspect

    require_emollama(name)
    sources = {
        "llama_model": llama,
        "audio_encoder": hubert,
        "visual_encoder": eva,
        "face_encoder": facemae,
        "video_encoder": videomae,
    }
    if checkpoint is None and not any(sources.values()):
        raise MerbenchError("there is nothing to check", fix="give --checkpoint FILE, or a part")
    found = list(inspect(load_config(size), checkpoint, sources))
    ok = all(one.ok for one in found)
    if json:
        emit({"size": size, "ok": ok, "files": [one.to_json() for one in found]})
    else:
        for one in found:
            out().print(describe(one), markup=False, soft_wrap=True)
    if not ok:
        raise typer.Exit(1)


def estimate(
    name: Name,
    size: Size = "small",
    dataset: Annotated[str | None, typer.Option(help="iemocap: leave one session out.")] = None,
    utterances: Annotated[int | None, typer.Option(help="How many there are to test.", min=1)] = None,
    train: Annotated[bool, typer.Option("--train", help="Train as well: LoRA and projections.")] = False,
    train_utterances: Annotated[
        int | None, typer.Option(help="How many there are to train on; default: as many.", min=1)
    ] = None,
    epochs: Annotated[int, typer.Option(help="Passes over those to train on.", min=1)] = 10,
    rows: Annotated[int, typer.Option(help="Utterances in one forward pass.", min=1)] = 4,
    seconds: Annotated[float, typer.Option(help="Mean length of an utterance.", min=0.1)] = 4.5,
    precision: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "bfloat16",
    tflops: Annotated[
        float, typer.Option(help="10^12 operations per second that the device sustains.", min=1e-3)
    ] = 25.0,
    memory: Annotated[float | None, typer.Option(help="GB of the device; exit 1 if it is too small.")] = None,
    json: AsJson = False,
) -> None:
    """Say how much memory and time a size takes, from its configuration alone; nothing is downloaded."""
    from merbench.cli._console import emit, out
    from merbench.errors import MerbenchError
    from merbench.models._device import check_precision
    from merbench.models._emotion_llama import estimate as estimates
    from merbench.models._emotion_llama.config import load_config

    require_emollama(name)
    check_precision(precision)
    if (dataset is None) == (utterances is None):
        raise MerbenchError("how much is there to do?", fix="give either --dataset iemocap or --utterances N")
    if dataset not in (None, "iemocap"):
        raise MerbenchError(f"the sizes of '{dataset}' are not known here", fix="give --utterances N")
    work = estimates.Work(test=utterances or 0, epochs=epochs, rows=rows, seconds=seconds)
    if utterances is None:
        folds = estimates.leave_one_out(estimates.IEMOCAP, work, train=train)
    else:
        folds = [dataclasses.replace(work, train=(train_utterances or utterances) * train)]
    found = estimates.estimate(load_config(size), folds[0], precision=precision)
    fits = None if memory is None else found.bytes <= memory * 1e9
    hours = [found.hours(tflops * 1e12, fold) for fold in folds]
    if json:
        emit(
            {
                **found.to_json(),
                "operations_per_second": tflops * 1e12,
                "hours": hours,
                "memory_of_device": None if memory is None else memory * 1e9,
                "fits": fits,
            }
        )
    else:
        out().print(
            describe_estimate(found, folds, hours, tflops, memory), markup=False, soft_wrap=True, end=""
        )
    if fits is False:
        raise typer.Exit(1)


def describe_estimate(
    found: Estimate, folds: list[Work], hours: list[dict[str, float]], tflops: float, memory: float | None
) -> str:
    """Return an estimate for people."""
    parts = ", ".join(f"{part} {count / 1e6:.0f} M" for part, count in found.parameters.items())
    learn = f", of which {found.trained / 1e6:.1f} M learn" if found.work.train else ""
    lines = [
        f"{found.size}: {sum(found.parameters.values()) / 1e9:.2f} billion parameters{learn}",
        f"  {parts}",
        f"memory in {found.precision}, {found.work.rows} rows of {found.tokens} tokens in one pass",
        *(f"  {what:<34}{amount / 1e9:>8.2f} GB" for what, amount in found.memory.items()),
        f"  {'together':<34}{found.bytes / 1e9:>8.2f} GB{_verdict(found.bytes, memory)}",
        f"time at {tflops:g} TFLOP/s sustained",
    ]
    for step in hours[0]:
        each = found.operations[step] / 1e9
        spent = _range([fold[step] for fold in hours])
        lines.append(f"  {step:<8}{each:>10.0f} GFLOP per utterance{spent:>20}")
    totals = [sum(fold.values()) for fold in hours]
    lines.append(f"  {'together':<38}{_range(totals):>20}")
    if len(folds) > 1:
        sizes = _range([fold.test for fold in folds], unit="utterances", digits=0)
        lines.append(f"{len(folds)} folds, one session of {sizes} tested in each: {sum(totals):.1f} h in all")
    return "\n".join(lines) + "\n"


def _verdict(needed: float, memory: float | None) -> str:
    if memory is None:
        return ""
    return f": {'fits' if needed <= memory * 1e9 else 'DOES NOT FIT'} into {memory:g} GB"


def _range(values: Sequence[float], *, unit: str = "h", digits: int = 2) -> str:
    low, high = (f"{value:.{digits}f}" for value in (min(values), max(values)))
    return f"{low} {unit}" if low == high else f"{low}-{high} {unit}"


def published(
    name: Name,
    checkpoint: Annotated[Path, typer.Option(help="The file that the authors released.")],
    features: Annotated[Path, typer.Option(help="The folder of mae_340_UTT, maeV_399_UTT and HL-UTT.")],
    annotation: Annotated[Path, typer.Option(help="Lines: name emotion, or name frames emotion valence.")],
    transcripts: Annotated[Path, typer.Option(help="A table: name, and sentence_en or sentence.")],
    videos: Annotated[Path, typer.Option(help="The folder of name.mp4 or name.avi.")],
    size: Size = "7b",
    llama: Llama = None,
    eva: Eva = None,
    layout: Annotated[
        str, typer.Option(help="joined, as they evaluate, or split, as they train.")
    ] = "joined",
    rows: Annotated[int, typer.Option(help="Clips in one forward pass.", min=1)] = 4,
    limit: Annotated[int | None, typer.Option(help="Only the first so many clips.", min=1)] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    precision: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float16",
    out: Annotated[Path | None, typer.Option(help="The JSON file to write, with every answer.")] = None,
    json: AsJson = False,
) -> None:
    """Score the authors' stored features, to see whether the published figures come out.

    These are vectors of clean media, so that nothing can be corrupted: for robustness use 'merbench eval'.
    """
    import torch

    from merbench.cli._console import emit, progress, say
    from merbench.cli._console import out as console
    from merbench.errors import MerbenchError
    from merbench.evaluation import published as evaluation
    from merbench.files import write_json
    from merbench.models._device import check_precision, find_device
    from merbench.models._emotion_llama.assemble import assemble
    from merbench.models._emotion_llama.config import load_config, with_sources
    from merbench.models._emotion_llama.prompt import load_prompt
    from merbench.models._emotion_llama.stored import Features

    require_emollama(name)
    if layout not in ("joined", "split"):
        raise MerbenchError(f"there is no layout '{layout}'", fix="write joined or split")
    config = with_sources(load_config(size), {"llama_model": llama, "visual_encoder": eva})
    clips = evaluation.read_clips(annotation, transcripts, videos)[:limit]
    stored = Features.find(features, config)
    network = assemble(
        config,
        checkpoint,
        encoders=("visual_encoder",),
        dtype=getattr(torch, check_precision(precision)),
        device=find_device(device),
    )
    prompt = load_prompt(config.prompt)
    tokens = cast("Layout", layout)
    with progress("answering", len(clips)) as advance:
        answers = list(
            evaluation.answer(network, stored, clips, prompt, layout=tokens, rows=rows, progress=advance)
        )
    found = {**evaluation.score(answers, prompt), "published": evaluation.MER2023_SEMI}
    if out is not None:
        said = [
            {"name": one.clip.name, "label": one.clip.label, "text": one.text, "stated": one.stated}
            for one in answers
        ]
        write_json(out, {**found, "answers": said})
        say(f"answers: {out}")
    if json:
        emit(found)
    else:
        console().print(describe_published(found), markup=False, soft_wrap=True, end="")


def describe_published(found: dict[str, Any]) -> str:
    """Return figures beside the published ones, for people."""
    paper = found["published"]
    heading = f"paper, {paper['n']} clips of MER2023-SEMI"
    lines = [
        f"{found['n']} clips; {found['media']}",
        f"{found['out_of_set']} answers are other emotions, {found['unparsed']} name none",
        f"{'':<14}{'strict':>8}{'else neutral':>14}{heading:>38}",
    ]
    for metric in ("accuracy", "weighted_f1", "uar", "macro_f1"):
        cells = [found["figures"][reading][metric] for reading in ("strict", "as_published")]
        ours, theirs = ("-" if cell is None else f"{cell:.4f}" for cell in cells)
        known = f"{paper[metric]:.4f}" if metric in paper else ""
        lines.append(f"{metric:<14}{ours:>8}{theirs:>14}{known:>38}".rstrip())
    return "\n".join(lines) + "\n"


def require_emollama(name: str) -> None:
    """Refuse any other model.

    Raises:
        MerbenchError: it is another.
    """
    from merbench.errors import MerbenchError

    if name != "emollama":
        raise MerbenchError(
            f"'{name}' has no parts to look at", fix="only emollama has: merbench model check emollama"
        )


def describe(one: Inspection) -> str:
    """Return what was found in one file, for people."""
    count = len(one.findings)
    state = "as it ought to be" if one.ok else f"{count} finding{'s' if count > 1 else ''}"
    lines = [f"{one.part}  {one.source}", f"  {one.found} of {one.expected} tensors, {state}"]
    lines += [f"  {finding.kind:<10}  {finding}" for finding in one.findings[:SHOWN]]
    if len(one.findings) > SHOWN:
        lines.append(f"  and {len(one.findings) - SHOWN} more: --json lists them all")
    if one.ignored:
        lines.append(
            f"  left aside, as nothing uses it: {', '.join(one.ignored[:3])}" + more(len(one.ignored) - 3)
        )
    return "\n".join(lines)


def more(count: int) -> str:
    """Return how many are not named."""
    return f" and {count} more" if count > 0 else ""
