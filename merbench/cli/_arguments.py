"""The arguments that several commands share, and how they become a plan."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

if TYPE_CHECKING:
    from merbench.datasets import Dataset
    from merbench.suites.plan import Plan
    from merbench.types import MediaSpec


def _data(help: str, **rest: Any) -> Any:
    return typer.Option(help=help, rich_help_panel="Data", **rest)


def _noise(help: str, **rest: Any) -> Any:
    return typer.Option(help=help, rich_help_panel="Corruption", **rest)


ProtocolName = Annotated[
    str | None,
    _data("A protocol ('merbench list protocols') or a TOML file; it fixes data and corruptions."),
]
Root = Annotated[Path | None, _data("Where the dataset lies; default: its folder in $MERBENCH_DATA.")]
SampleRate = Annotated[str, _data("Hz, or 'native'.")]
Frames = Annotated[int, _data("Frames per clip.", min=1)]
FrameSize = Annotated[str, _data("Pixels, or 'native'.")]
NoiseRoot = Annotated[Path | None, _noise("Where a noise bank lies (UrbanSound8K, ESC-50, MUSAN).")]
FaceDetectorFile = Annotated[
    Path | None,
    _data("An ONNX file that finds faces (docs/faces.md); else the dataset's boxes, or the middle."),
]
Workers = Annotated[int, typer.Option(min=1, help="Threads that decode and encode; no effect on bytes.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Out = Annotated[Path | None, typer.Option(help="The folder to write.")]
MakePlan = Callable[[], "Plan"]


def open_dataset(
    spec: str, root: Path | None = None, sample_rate: str = "16000", frames: int = 16, frame_size: str = "224"
) -> Dataset:
    """Make the reader that ``--dataset``, ``--root`` and the media options describe."""
    from merbench.datasets import load_dataset

    return load_dataset(spec, root, media_spec(sample_rate, frames, frame_size))


def media_spec(sample_rate: str, frames: int, frame_size: str) -> MediaSpec:
    """Make the canonical media that the media options describe."""
    from merbench.types import MediaSpec

    return MediaSpec(
        sample_rate=_number(sample_rate, "--sample-rate"),
        frames=frames,
        frame_size=_number(frame_size, "--frame-size"),
    )


def plan_from(
    dataset: Annotated[
        str, _data("synthetic, ravdess, table, table:text=Utterance,label=Emotion ...")
    ] = "synthetic",
    root: Root = None,
    split: Annotated[str | None, _data("Default: test if there is one, else everything.")] = None,
    limit: Annotated[int | None, _data("Only this many samples, chosen by a hash.", min=1)] = None,
    sample_rate: SampleRate = "16000",
    frames: Frames = 16,
    frame_size: FrameSize = "224",
    faces: Annotated[
        str | None,
        _data(
            "Crop frames to the face after corrupting them: fixed (the clean clip's box) or redetect (the "
            "box found in the corrupted clip)."
        ),
    ] = None,
    face_detector: FaceDetectorFile = None,
    corruption: Annotated[
        list[str] | None, _noise("name or name:key=value,... (may be repeated). Default: core.")
    ] = None,
    severity: Annotated[str | None, _noise("3, 1-5 or 1,3,5. Default: 1-5, or the preset's.")] = None,
    noise_root: NoiseRoot = None,
    noise_folds: Annotated[
        str | None, _noise("Noise folds, e.g. 1,3. Default: the bank's test fold (10; ESC-50: 5).")
    ] = None,
    snr_reference: Annotated[str | None, _noise("speech (active frames) or whole (whole clip).")] = None,
    seed: Annotated[int, _noise("Seed of every draw.", min=0, max=2**63 - 1)] = 0,
    replicates: Annotated[int, _noise("Independent draws per cell.", min=1)] = 1,
) -> Plan:
    """Make the plan that the data and corruption options describe."""
    from merbench.errors import MerbenchError
    from merbench.options import has_option
    from merbench.suites import plan
    from merbench.suites.faces import make_faces
    from merbench.suites.presets import expand, severities_of

    names = corruption or ["core"]
    asked = {
        "noise_root": noise_root,
        "noise_folds": None if noise_folds is None else noise_folds.replace(",", "+"),
        "snr_reference": snr_reference,
    }
    chosen = [plan.parse_corruption(spec, asked) for spec in expand(names)]
    for key, value in asked.items():
        if value is not None and not any(has_option(type(one), key) for one in chosen):
            raise MerbenchError(
                f"--{key.replace('_', '-')} means nothing to {', '.join(one.name for one in chosen)}",
                fix="leave it out, or add a corruption that has it: 'merbench show corruption NAME' tells",
            )
    data = open_dataset(dataset, root, sample_rate, frames, frame_size)
    return plan.make_plan(
        data,
        chosen,
        severities_of(names) if severity is None else plan.parse_severities(severity),
        split=split,
        limit=limit,
        seed=seed,
        replicates=replicates,
        faces=make_faces(faces, face_detector, data.media.frame_size),
    )


_LEFT_OPEN = ("root", "limit", "severity", "noise_root", "face_detector")
"""What may be said beside a protocol: where things are, and that only a part of it is wanted."""


def plan_from_protocol(name: str, chosen: Mapping[str, Any]) -> Plan:
    """Make the plan of a protocol; `chosen` are the values of `plan_from`'s options.

    Raises:
        MerbenchError: one of them is given that the protocol fixes.
    """
    from merbench.errors import MerbenchError
    from merbench.protocols import load_protocol
    from merbench.suites.plan import parse_severities
    from merbench.suites.protocol import plan_protocol

    protocol = load_protocol(name)
    fixed = [option for option in _changed(chosen) if option not in _LEFT_OPEN]
    if fixed:
        raise MerbenchError(
            f"protocol '{protocol.name}' fixes what {', '.join(map(_spelled, fixed))} would change",
            fix="leave that out, or write a protocol of your own (docs/protocols.md)",
        )
    severity = chosen["severity"]
    return plan_protocol(
        protocol,
        root=chosen["root"],
        noise_root=chosen["noise_root"],
        face_detector=chosen["face_detector"],
        severities=None if severity is None else parse_severities(severity),
        limit=chosen["limit"],
    )


def _plan(protocol: str | None, **chosen: Any) -> Plan:
    return plan_from(**chosen) if protocol is None else plan_from_protocol(protocol, chosen)


def given(make_plan: MakePlan) -> list[str]:
    """Return the data and corruption options that are not what they are by default."""
    return [_spelled(name) for name in _changed(cast("functools.partial[Plan]", make_plan).keywords)]


def _changed(chosen: Mapping[str, Any]) -> list[str]:
    defaults = {p.name: p.default for p in inspect.signature(plan_from).parameters.values()}
    return [name for name, value in chosen.items() if value not in (defaults.get(name), [])]


def _spelled(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def takes_plan(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command ``--protocol`` and the options of `plan_from`; its first argument makes the plan."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    shared = [
        inspect.Parameter("protocol", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=ProtocolName),
        *inspect.signature(plan_from, eval_str=True, locals={"Plan": object}).parameters.values(),
    ]

    @functools.wraps(command)
    def with_plan(**values: Any) -> None:
        chosen = {parameter.name: values.pop(parameter.name) for parameter in shared}
        command(functools.partial(_plan, **chosen), **values)

    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in [*own, *shared]]
    with_plan.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_plan.__annotations__ = {p.name: p.annotation for p in parameters}
    return with_plan


def _number(text: str, option: str) -> int | None:
    from merbench.errors import MerbenchError

    if text == "native":
        return None
    if not text.isdecimal() or int(text) == 0:
        raise MerbenchError(f"{option} cannot be '{text}'", fix="write a positive whole number or 'native'")
    return int(text)
