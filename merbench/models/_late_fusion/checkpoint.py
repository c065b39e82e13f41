"""Weights and record on disk: what training writes and the adapter reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from merbench.errors import MerbenchError
from merbench.files import atomic

if TYPE_CHECKING:
    from pathlib import Path

    from merbench.models._late_fusion.network import LateFusionNetwork

WEIGHTS, RECORD = "weights.safetensors", "record.json"


def files(folder: Path) -> tuple[Path, Path]:
    """Return where weights and record lie."""
    return folder / WEIGHTS, folder / RECORD


def save(folder: Path, network: LateFusionNetwork, record: dict[str, Any]) -> None:
    """Write a trained network, and the record of how it came about, into `folder`."""
    from safetensors.torch import save as serialise

    folder.mkdir(parents=True, exist_ok=True)
    with atomic(folder / WEIGHTS) as handle:
        handle.write(serialise(network.state_dict()))
    with atomic(folder / RECORD) as handle:
        handle.write((json.dumps(record, indent=1) + "\n").encode())


def load_record(folder: Path) -> dict[str, Any]:
    """Return the record: ``labels``, ``trained_on``, ``recipe`` and scores.

    Raises:
        MerbenchError: it is not there or is no record.
    """
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if {"labels", "trained_on"} <= record.keys():
            return record
        why = "it lacks labels or trained_on"
    except (OSError, ValueError) as error:
        why = str(error)
    raise MerbenchError(
        f"{folder / RECORD} is not the record of a late-fusion model ({why})",
        fix="train one: python -m merbench.training.late_fusion --out DIR",
    )


def load_network(folder: Path, classes: int) -> LateFusionNetwork:
    """Return the network in evaluation mode.

    Raises:
        MerbenchError: the weights are not there, damaged, or of another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from merbench.models._late_fusion.network import LateFusionNetwork

    network = LateFusionNetwork(classes)
    try:
        network.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise MerbenchError(
            f"{folder / WEIGHTS} does not hold a late-fusion model: {str(error).splitlines()[0]}",
            fix="train one: python -m merbench.training.late_fusion --out DIR",
        ) from error
    return network.eval()
