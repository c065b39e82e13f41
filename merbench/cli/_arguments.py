"""The arguments that several commands share, and how they become a plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from merbench.datasets import Dataset
    from merbench.suites.plan import Plan

DATA = "Data"
NOISE = "Corruption"

DatasetName = Annotated[
    str,
    typer.Option(
        "--dataset",
        help="A dataset, e.g. synthetic, ravdess, table:text=Utterance,label=Emotion.",
        rich_help_panel=DATA,
    ),
]
Root = Annotated[
    Path | None,
    typer.Option(help="Where the dataset lies; default: its folder in $MERBENCH_DATA.", rich_help_panel=DATA),
]
Split = Annotated[
    str | None, typer.Option(help="Default: test if there is one, else everything.", rich_help_panel=DATA)
]
Limit = Annotated[
    int | None, typer.Option(min=1, help="Only this many samples, chosen by a hash.", rich_help_panel=DATA)
]
SampleRate = Annotated[str, typer.Option(help="Hz, or 'native'.", rich_help_panel=DATA)]
Frames = Annotated[int, typer.Option(min=1, help="Frames per clip.", rich_help_panel=DATA)]
FrameSize = Annotated[str, typer.Option(help="Pixels, or 'native'.", rich_help_panel=DATA)]
Corruptions = Annotated[
    list[str] | None,
    typer.Option(
        "--corruption",
        help="name or name:key=value,...; may be repeated. Default: core.",
        rich_help_panel=NOISE,
    ),
]
Severity = Annotated[str, typer.Option(help="3, 1-5 or 1,3,5.", rich_help_panel=NOISE)]
NoiseRoot = Annotated[Path | None, typer.Option(help="Where UrbanSound8K lies.", rich_help_panel=NOISE)]
NoiseFolds = Annotated[
    str | None, typer.Option(help="Noise folds, e.g. 1,3. Default 10, the test fold.", rich_help_panel=NOISE)
]
SnrReference = Annotated[
    str | None, typer.Option(help="speech (active frames) or whole (whole clip).", rich_help_panel=NOISE)
]
Seed = Annotated[int, typer.Option(help="Seed of every draw.", rich_help_panel=NOISE)]
Replicates = Annotated[int, typer.Option(min=1, help="Independent draws per cell.", rich_help_panel=NOISE)]
Workers = Annotated[int, typer.Option(min=1, help="Threads that decode and encode; no effect on bytes.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Out = Annotated[Path | None, typer.Option(help="The folder to write.")]


def open_dataset(
    spec: str, root: Path | None = None, sample_rate: str = "16000", frames: int = 16, frame_size: str = "224"
) -> Dataset:
    """Make the reader that ``--dataset``, ``--root`` and the media options describe."""
    from merbench.datasets import load_dataset
    from merbench.types import MediaSpec

    media = MediaSpec(
        sample_rate=_number(sample_rate, "--sample-rate"),
        frames=frames,
        frame_size=_number(frame_size, "--frame-size"),
    )
    return load_dataset(spec, root, media)


def make_plan(
    dataset: Dataset,
    *,
    corruption: list[str] | None,
    severity: str,
    split: str | None,
    limit: int | None,
    noise_root: Path | None,
    noise_folds: str | None,
    snr_reference: str | None,
    seed: int,
    replicates: int,
) -> Plan:
    """Make the plan that the corruption options describe."""
    from merbench.datasets import default_root
    from merbench.suites import plan
    from merbench.suites.presets import expand

    shared = {
        "noise_root": noise_root or default_root("urbansound8k"),
        "noise_folds": None if noise_folds is None else noise_folds.replace(",", "+"),
        "snr_reference": snr_reference,
    }
    return plan.make_plan(
        dataset,
        [plan.parse_corruption(spec, shared) for spec in expand(corruption or ["core"])],
        plan.parse_severities(severity),
        split=split,
        limit=limit,
        seed=seed,
        replicates=replicates,
    )


def _number(text: str, option: str) -> int | None:
    from merbench.errors import MerbenchError

    if text == "native":
        return None
    if not text.isdigit() or int(text) == 0:
        raise MerbenchError(f"{option} cannot be '{text}'", fix="write a positive whole number or 'native'")
    return int(text)
