"""Pretrained parts: from the files that people have to the names of the network's own modules.

HuBERT and the LLaMA are what the transformers library wrote: a folder or a hub id. EVA-CLIP-g, FaceMAE and
VideoMAE are files of their authors' training code, whose names are those of timm's vision transformers; the
MAEs may be folders or hub ids too. What was only needed in pretraining (decoders, heads, optimisers) is left
aside.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from merbench.errors import MerbenchError
from merbench.models._emotion_llama.config import SOURCES
from merbench.models._emotion_llama.weights import Finding, compare, read_weights, refuse
from merbench.models._transformers.adapter import quiet
from merbench.models._transformers.source import content, find_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from torch import nn

    from merbench.models._emotion_llama.config import Config
    from merbench.models._emotion_llama.network import EmotionLlama

_BLOCK = re.compile(r"blocks\.(?P<number>\d+)\.(?P<name>.+)")
_TRAINING_CODE = ("model", "module")  # under which key the training code of MAE and VideoMAE puts the tensors
_PREFIX = re.compile(r"^(?:encoder|backbone)\.")


class Part(NamedTuple):
    """What a source holds of one part: tensors by the part's own names, the rest, and what is wrong."""

    tensors: dict[str, Tensor]
    ignored: tuple[str, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """How the names of a module of transformers follow from timm's.

    `outside` are the names outside the blocks, `block` the prefix of one, `inside` the layers within one.
    `attention` is the layer that makes queries, keys and values, or the three. `position` is the learned or
    fixed position of each token, the class token's first, which is interpolated for another picture size.
    """

    outside: Mapping[str, str]
    block: str
    inside: Mapping[str, str]
    attention: tuple[str, ...]
    position: str | None = None

    def rename(self, table: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
        """Yield (name in the file, name in the module, tensor); what has no counterpart is left out."""
        for given, tensor in table.items():
            if given in self.outside:
                yield given, self.outside[given], tensor
            elif block := _BLOCK.fullmatch(given):
                prefix = self.block.format(block["number"])
                layer, _, leaf = block["name"].rpartition(".")
                if layer in self.inside:
                    yield given, f"{prefix}.{self.inside[layer]}.{leaf}", tensor
                biases = [table.get(f"blocks.{block['number']}.attn.{x}_bias") for x in "qv"]
                for name, part in self._attention(block["name"], tensor, biases):
                    yield given, f"{prefix}.{name}", part

    def _attention(
        self, name: str, tensor: Tensor, biases: Sequence[Tensor | None]
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield what makes queries, keys and values; keys without a bias of their own get 0."""
        whole = len(self.attention) == 1
        if name in ("attn.qkv.weight", "attn.qkv.bias"):
            leaf = name.removeprefix("attn.qkv.")
            parts = (tensor,) if whole else tensor.chunk(3)
            yield from ((f"{layer}.{leaf}", part) for layer, part in zip(self.attention, parts, strict=True))
        elif name in ("attn.q_bias", "attn.v_bias"):
            query, value = biases
            if not whole:
                yield f"{self.attention[0 if name == 'attn.q_bias' else 2]}.bias", tensor
            elif query is not None and value is not None:
                yield f"{self.attention[0]}.bias", torch.cat([query, torch.zeros_like(query), value])


_LAYOUTS = {
    "Blip2VisionModel": _Layout(
        outside={
            "cls_token": "embeddings.class_embedding",
            "pos_embed": "embeddings.position_embedding",
            "patch_embed.proj.weight": "embeddings.patch_embedding.weight",
            "patch_embed.proj.bias": "embeddings.patch_embedding.bias",
        },
        block="encoder.layers.{}",
        inside={
            "norm1": "layer_norm1",
            "norm2": "layer_norm2",
            "attn.proj": "self_attn.projection",
            "mlp.fc1": "mlp.fc1",
            "mlp.fc2": "mlp.fc2",
        },
        attention=("self_attn.qkv",),
        position="embeddings.position_embedding",
    ),
    "ViTMAEModel": _Layout(
        outside={
            "cls_token": "embeddings.cls_token",
            "pos_embed": "embeddings.position_embeddings",
            "patch_embed.proj.weight": "embeddings.patch_embeddings.projection.weight",
            "patch_embed.proj.bias": "embeddings.patch_embeddings.projection.bias",
            "norm.weight": "layernorm.weight",
            "norm.bias": "layernorm.bias",
        },
        block="layers.{}",
        inside={
            "norm1": "layernorm_before",
            "norm2": "layernorm_after",
            "attn.proj": "attention.o_proj",
            "mlp.fc1": "mlp.fc1",
            "mlp.fc2": "mlp.fc2",
        },
        attention=("attention.q_proj", "attention.k_proj", "attention.v_proj"),
        position="embeddings.position_embeddings",
    ),
    "VideoMAEModel": _Layout(
        outside={
            "patch_embed.proj.weight": "embeddings.patch_embeddings.projection.weight",
            "patch_embed.proj.bias": "embeddings.patch_embeddings.projection.bias",
        },
        block="encoder.layer.{}",
        inside={
            "norm1": "layernorm_before",
            "norm2": "layernorm_after",
            "attn.proj": "attention.output.dense",
            "mlp.fc1": "intermediate.dense",
            "mlp.fc2": "output.dense",
        },
        attention=("attention.attention.query", "attention.attention.key", "attention.attention.value"),
    ),
}


def inspect_part(module: nn.Module, source: str | Path, dtype: torch.dtype) -> Part:
    """Read one part and compare it with what `module` needs.

    Args:
        module: the part as the network has it; it may be on ``meta`` and is left as it is.
        source: a file of the authors' training code, a folder of the transformers library, or a hub id.
        dtype: what a folder or a hub id is read as; a file keeps its own.

    Raises:
        MerbenchError: it cannot be found or read, or the part is not to be had from such a source.
    """
    path = Path(source)
    if path.is_file():
        return _from_training_code(module, path)
    return _from_transformers(module, str(source), dtype)


def load_pretrained(network: EmotionLlama, dtype: torch.dtype) -> None:
    """Put pretrained weights into every part that the network has, from where its configuration says.

    One part is in memory at a time besides what the network keeps, and no tensor is there twice: the
    network takes the tensors that were read, it does not copy them.

    Args:
        network: it may be on ``meta``.
        dtype: what the weights are kept in.

    Raises:
        MerbenchError: a part has no source, or its tensors are missing, mis-shaped, no floats or not finite.
    """
    for part in SOURCES:
        if (module := part_of(network, part)) is not None:
            source = _source(network.config, part)
            found = inspect_part(module, source, dtype)
            refuse(source, found.findings, f"the {part} of Emotion-LLaMA in size '{network.config.name}'")
            kept = {name: tensor.to(dtype) for name, tensor in found.tensors.items()}
            module.load_state_dict(kept, assign=True)


def is_pretrained(config: Config) -> bool:
    """Tell whether any part of a network is taken from elsewhere; then all of them have to be."""
    return any(part is not None and part.source for part in (getattr(config, name) for name in SOURCES))


def files(config: Config, parts: Iterable[str] = SOURCES) -> Iterator[Path]:
    """Yield every file of the pretrained parts that decides what the network answers.

    Raises:
        MerbenchError: a part has no source, or it cannot be found.
    """
    for part in parts:
        if getattr(config, part) is not None:
            source = Path(_source(config, part))
            yield from [source] if source.is_file() else content(find_checkpoint(str(source), None))


def part_of(network: EmotionLlama, part: str) -> Any:
    """Return a part as its authors published it (the LLaMA without LoRA), ``None`` if there is none."""
    return _WithoutLora(network.llama_model) if part == "llama_model" else getattr(network, part)


def _source(config: Config, part: str) -> str:
    source: str | None = getattr(config, part).source
    if source is None:
        raise MerbenchError(
            f"the {part} of size '{config.name}' has no public address",
            fix=f"give {SOURCES[part]}=PATH; docs/emotion_llama_7b.md says where to get it",
        )
    return source


class _WithoutLora:
    """A language model inside peft, seen as it was published."""

    _ADAPTED = re.compile(r"\.base_layer(?=\.)")

    def __init__(self, wrapped: Any) -> None:
        self._inner = wrapped.get_base_model()
        self.config = self._inner.config
        self.kind = type(self._inner)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the tensors that are not LoRA's."""
        own = self._inner.state_dict()
        return {self._ADAPTED.sub("", name): own[name] for name in own if ".lora_" not in name}

    def load_state_dict(self, tensors: Mapping[str, Tensor], *, assign: bool) -> None:
        """Take these tensors; LoRA's stay as they are."""
        names = {self._ADAPTED.sub("", name): name for name in self._inner.state_dict()}
        self._inner.load_state_dict({names[n]: t for n, t in tensors.items()}, strict=False, assign=assign)


def _from_training_code(module: Any, path: Path) -> Part:
    layout = _LAYOUTS.get(type(module).__name__)
    if layout is None:
        raise MerbenchError(
            f"{path} is a file", fix="name the folder that save_pretrained() wrote, or a hub id (owner/model)"
        )
    held = read_weights(path)
    inner = next((held[key] for key in _TRAINING_CODE if isinstance(held.get(key), dict)), held)
    table = {_PREFIX.sub("", str(name)): tensor for name, tensor in inner.items()}
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    tensors, used = {}, set()
    for given, name, tensor in layout.rename(table):
        if name in expected:
            tensors[name] = tensor
            used.add(given)
    if layout.position in tensors:
        tensors[layout.position] = _interpolated(tensors[layout.position], expected[layout.position])
    return Part(tensors, tuple(name for name in table if name not in used), tuple(compare(tensors, expected)))


def _interpolated(position: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return positions [1, 1 + n, D] for a square of another side; the class token keeps its own.

    Bicubic, as the authors of MiniGPT and LAVIS do when they feed 448 pixels to an encoder of 224.
    """
    if position.ndim != 3 or position.shape == shape:
        return position
    old, new = math.isqrt(position.shape[1] - 1), math.isqrt(shape[1] - 1)
    if old**2 != position.shape[1] - 1:
        return position
    square = position[:, 1:].float().reshape(1, old, old, -1).permute(0, 3, 1, 2)
    square = torch.nn.functional.interpolate(square, size=(new, new), mode="bicubic", align_corners=False)
    return torch.cat([position[:, :1], square.flatten(2).transpose(1, 2).to(position.dtype)], dim=1)


def _from_transformers(module: Any, source: str, dtype: torch.dtype) -> Part:
    kind = getattr(module, "kind", type(module))
    if kind.__name__ == "Blip2VisionModel":
        raise MerbenchError(
            f"'{source}' is no file", fix="EVA-CLIP-g is read from eva_vit_g.pth: give eva=FILE"
        )
    folder = find_checkpoint(source, None)
    try:
        with quiet():
            model, report = kind.from_pretrained(
                folder,
                config=module.config,
                dtype=dtype,
                weights_only=True,
                local_files_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # reported, and refused with their names
            )
    except Exception as error:  # damaged files fail in as many ways as there are parsers
        raise MerbenchError(
            f"{folder} cannot be read as a {kind.__name__} ({str(error).splitlines()[0]})",
            fix="download it again, or name another",
        ) from error
    shapes = {name: (tuple(there), tuple(wanted)) for name, there, wanted in report["mismatched_keys"]}
    tensors = model.state_dict()
    absent = {*report["missing_keys"], *shapes}
    found = {name: tensor for name, tensor in tensors.items() if name not in absent}
    findings = [
        Finding("shape", name, f"has the shape {list(there)}, it ought to be {list(wanted)}")
        for name, (there, wanted) in sorted(shapes.items())
    ]
    expected = {name: tuple(tensor.shape) for name, tensor in tensors.items() if name not in shapes}
    return Part(found, tuple(sorted(report["unexpected_keys"])), (*findings, *compare(found, expected)))
