"""The checkpoint that the authors of Emotion-LLaMA released: trained tensors only, read strictly.

The file is ``{"model": {name: tensor}, ...}``, as their training code saves it: every parameter with a
gradient and no other. At 7b these are 128 LoRA tensors (A and B, for q_proj and v_proj, in 32 layers), the
weights and biases of five projections, and an attention module that nothing calls. `ln_vision` is frozen,
and so it is not there. Early versions of peft wrote ``lora_A.weight`` where now it is
``lora_A.default.weight``: both are read. The same names in a ``.safetensors`` file will do too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from merbench.errors import MerbenchError
from merbench.models._emotion_llama.network import EmotionLlama
from merbench.models._emotion_llama.weights import Finding, compare, read_weights, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from merbench.models._emotion_llama.config import Config

PROJECTIONS = (
    "llama_proj",
    "feats_llama_proj1",
    "feats_llama_proj2",
    "feats_llama_proj3",
    "cls_tk_llama_proj",
)

_UNUSED = "attention."  # the authors' code saves such a module, and uses it nowhere
_OLD_LORA = re.compile(r"(\.lora_[AB])\.weight$")


class Released(NamedTuple):
    """What a file holds: tensors by the network's own names, names left aside, and what is wrong."""

    tensors: dict[str, Tensor]
    ignored: tuple[str, ...]
    findings: tuple[Finding, ...]


def is_trained(name: str) -> bool:
    """Tell whether the authors trained the parameter that the network knows by this name."""
    return ".lora_" in name or name.partition(".")[0] in PROJECTIONS


def trained_shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Return name and shape of every tensor that a released checkpoint of this configuration holds."""
    with torch.device("meta"):
        network = EmotionLlama(config, encoders=False)
    return {name: tuple(p.shape) for name, p in network.named_parameters() if is_trained(name)}


def inspect_released(path: Path, config: Config) -> Released:
    """Read a released checkpoint and compare it with what a network of this configuration needs.

    Raises:
        MerbenchError: it cannot be read, holds anything that would be executed, or has no ``model`` table.
    """
    tensors: dict[str, Tensor] = {}
    ignored: list[str] = []
    findings: list[Finding] = []
    expected = trained_shapes(config)
    for given, tensor in _table(path).items():
        name = _OLD_LORA.sub(r"\1.default.weight", given)
        if name in tensors:
            findings.append(Finding("twice", given, "is there under its old and its new name"))
        elif name in expected:
            tensors[name] = tensor
        elif given.startswith(_UNUSED):
            ignored.append(given)
        else:
            findings.append(Finding("unknown", given, "is no tensor of a released Emotion-LLaMA"))
    return Released(tensors, tuple(ignored), (*compare(tensors, expected), *findings))


def read_released(path: Path, config: Config) -> dict[str, Tensor]:
    """Return the trained tensors of a released checkpoint by the names of the network's parameters.

    Raises:
        MerbenchError: it cannot be read; a tensor is missing, unknown, mis-shaped, no float, or not finite.
    """
    released = inspect_released(path, config)
    refuse(path, released.findings, f"a released Emotion-LLaMA of size '{config.name}'")
    return released.tensors


def _table(path: Path) -> Mapping[str, Any]:
    held = read_weights(path)
    table = held if path.suffix == ".safetensors" else held.get("model")
    if not isinstance(table, dict) or not all(isinstance(name, str) for name in table):
        raise MerbenchError(
            f'{path} has no table "model" of named tensors',
            fix="give the .pth file of the authors, or a .safetensors file with the same names",
        )
    return table
