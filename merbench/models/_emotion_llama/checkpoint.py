"""Weights and record on disk: a folder with ``checkpoint.json`` and ``model.safetensors``.

Stored is what no pretrained part supplies: everything for a network made from nothing (`tiny`), and LoRA,
projections and absent embeddings for one whose parts come from elsewhere.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from merbench.errors import MerbenchError
from merbench.files import atomic, write_json
from merbench.models._adapter import TrainingRecord
from merbench.models._emotion_llama.config import config_from

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from merbench.models._emotion_llama.config import Config
    from merbench.models._emotion_llama.network import EmotionLlama

WEIGHTS, RECORD = "model.safetensors", "checkpoint.json"
MODEL = "emollama"
_NEEDED = ("config", "labels", "prompt", "trained_on")


def files(folder: Path) -> tuple[Path, Path]:
    """Return where weights and record lie."""
    return folder / WEIGHTS, folder / RECORD


def stored_names(network: EmotionLlama) -> list[str]:
    """Return the names of the tensors that a checkpoint of this network holds, sorted."""
    supplied = [name for name in _PRETRAINED if getattr(getattr(network.config, name), "source", None)]

    def own(name: str) -> bool:
        part = name.partition(".")[0]
        return part not in supplied or "lora_" in name

    return sorted(name for name in network.state_dict() if own(name))


_PRETRAINED = ("audio_encoder", "visual_encoder", "face_encoder", "video_encoder", "llama_model")


def save(folder: Path, network: EmotionLlama, record: Mapping[str, Any], *, half: bool = True) -> None:
    """Write a network and the record of how it came about into `folder`.

    Args:
        folder: made if it is not there.
        network: with its weights.
        record: ``labels``, ``prompt``, ``trained_on`` (a list of `TrainingRecord` fields as JSON) and
            whatever else is known: recipe, scores, seed.
        half: store floats in 16 bits, at half the size; they are computed with in full precision.
    """
    import torch
    from safetensors.torch import save as serialise

    kept = set(stored_names(network))
    tensors = {}
    for name, value in network.state_dict().items():
        if name in kept:
            narrow = half and value.dtype == torch.float32
            tensors[name] = (value.half() if narrow else value).detach().cpu().clone().contiguous()
    weights, path = files(folder)
    with atomic(weights) as handle:
        handle.write(serialise(tensors))
    write_json(path, {**record, "model": MODEL, "config": network.config.to_json()})


def load_record(folder: Path) -> dict[str, Any]:
    """Return the record, checked for what every reader needs.

    Raises:
        MerbenchError: it is not there or is no record.
    """
    path = folder / RECORD
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        missing = [key for key in _NEEDED if key not in record]
        if not missing:
            return record
        why = f"it lacks {', '.join(missing)}"
    except OSError as error:
        why = str(error.strerror)
    except (AttributeError, TypeError, ValueError) as error:
        why = str(error)
    raise MerbenchError(
        f"{path} is not the record of an Emotion-LLaMA ({why})",
        fix="train one: merbench train --recipe clean --out DIR",
    )


def load_config_of(folder: Path, record: Mapping[str, Any]) -> Config:
    """Return the configuration in a record."""
    return config_from(record["config"], where=str(folder / RECORD))


def trained_on(record: Mapping[str, Any]) -> tuple[TrainingRecord, ...]:
    """Return what a network has seen, from its record."""

    def names(value: list[str] | None) -> frozenset[str] | None:
        return None if value is None else frozenset(value)

    return tuple(
        TrainingRecord(
            dataset=seen["dataset"],
            options=seen.get("options", {}),
            samples=names(seen.get("samples")),
            speakers=names(seen.get("speakers")),
            noise=frozenset(seen.get("noise", ())),
        )
        for seen in record["trained_on"]
    )


def load_weights(network: EmotionLlama, folder: Path, *, assign: bool = False) -> None:
    """Fill a network from a checkpoint folder, strictly.

    With `assign` its parameters become the tensors that were read, so that it may be on ``meta``.

    Raises:
        MerbenchError: a tensor is missing, unknown, of another shape, or not finite; the file is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / WEIGHTS
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise MerbenchError(
            f"{path} cannot be read ({str(error).splitlines()[0]})", fix="copy or train the checkpoint again"
        ) from error
    check_tensors(tensors, {name: network.state_dict()[name] for name in stored_names(network)}, str(path))
    network.load_state_dict(tensors, strict=False, assign=assign)


def check_tensors(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], where: str) -> None:
    """Check that tensors are exactly those expected: names, shapes, and nothing that is not finite.

    Raises:
        MerbenchError: one line that names the first offender and counts the others of its kind.
    """
    shared = sorted(found.keys() & expected.keys())
    problems = {
        "lacks": sorted(expected.keys() - found.keys()),
        "has the unknown tensor": sorted(found.keys() - expected.keys()),
        "has another shape for": [name for name in shared if found[name].shape != expected[name].shape],
        "has NaN or infinity in": [
            n for n in shared if found[n].is_floating_point() and not bool(found[n].isfinite().all())
        ],
    }
    for what, names in problems.items():
        if names:
            first = names[0]
            shapes = (
                f": {list(found[first].shape)} instead of {list(expected[first].shape)}"
                if what == "has another shape for"
                else ""
            )
            more = f", and {len(names) - 1} more" if len(names) > 1 else ""
            raise MerbenchError(
                f"{where} {what} {first}{shapes}{more}",
                fix="give a checkpoint of this configuration, or the configuration of this checkpoint",
            )
