"""A recovery model on disk: weights and record, beside the network that it was trained for."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from merbench.errors import MerbenchError
from merbench.files import atomic, write_json
from merbench.hashing import hash_file
from merbench.models._emotion_llama import checkpoint

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from merbench.models._emotion_llama.config import Config
    from merbench.models._emotion_llama.recovery import Recovery
    from merbench.types import Modality

WEIGHTS, RECORD = "recovery.safetensors", "recovery.json"
_NEEDED = ("base", "design", "trained_on")
_TRAIN = "merbench train --recipe emollama-recovery, with 'base' naming this folder"


def files(folder: Path) -> tuple[Path, Path]:
    """Return where weights and record lie."""
    return folder / WEIGHTS, folder / RECORD


def sizes(config: Config) -> dict[Modality, int]:
    """Return the length of each modality's tokens, laid end to end."""
    width = config.hidden_size
    return {"audio": width, "vision": config.vision_tokens * width, "text": width}


def save(folder: Path, recovery: Recovery, record: Mapping[str, Any]) -> None:
    """Write a recovery model into the checkpoint folder of the network that it was trained for."""
    from safetensors.torch import save as serialise

    weights, path = files(folder)
    with atomic(weights) as handle:
        handle.write(serialise({name: value.cpu() for name, value in recovery.state_dict().items()}))
    base = hash_file(checkpoint.files(folder)[0])
    write_json(path, {**record, "base": base, "design": dataclasses.asdict(recovery.design)})


def load_record(folder: Path) -> dict[str, Any]:
    """Return the record: ``base`` (the network's hash), ``design``, ``trained_on``, recipe and scores.

    Raises:
        MerbenchError: there is no recovery model, or it was trained for other weights than are here.
    """
    path, network = files(folder)[1], checkpoint.files(folder)[0]
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        missing = [key for key in _NEEDED if key not in record]
    except FileNotFoundError:
        raise MerbenchError(
            f"{folder} has no {RECORD}, which absent=mean, expected and recover need",
            fix=f"train one: {_TRAIN}",
        ) from None
    except (AttributeError, OSError, TypeError, ValueError) as error:
        raise MerbenchError(f"{path} is damaged ({error})", fix=f"train it again: {_TRAIN}") from error
    if missing:
        raise MerbenchError(f"{path} lacks {', '.join(missing)}", fix=f"train it again: {_TRAIN}")
    if record["base"] != hash_file(network):
        raise MerbenchError(
            f"{path} belongs to other weights than {network.name} beside it", fix=f"train it again: {_TRAIN}"
        )
    return record


def load(folder: Path, config: Config) -> Recovery:
    """Return the recovery model of a checkpoint folder.

    Raises:
        MerbenchError: there is none, it belongs to other weights, or its tensors are not as its record says.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from merbench.models._emotion_llama.recovery import Design, Recovery

    weights, path = files(folder)
    try:
        design = Design(**load_record(folder)["design"])
    except TypeError as error:
        raise MerbenchError(f"{path} describes no known design", fix=f"train it again: {_TRAIN}") from error
    try:
        tensors = load_file(weights)
    except (OSError, SafetensorError) as error:
        raise MerbenchError(
            f"{weights} cannot be read ({str(error).splitlines()[0]})", fix=f"train it again: {_TRAIN}"
        ) from error
    recovery = Recovery(sizes(config), design)
    checkpoint.check_tensors(tensors, recovery.state_dict(), str(weights))
    recovery.load_state_dict(tensors)
    return recovery
