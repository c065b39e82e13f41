"""Files as the authors of Emotion-LLaMA and of its parts publish them, at a size that takes a moment.

The names are those of the real files; only widths and, outside the language model, depths are small. Values
are random and the same every time.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from merbench.models._emotion_llama.assemble import on_meta
from merbench.models._emotion_llama.config import load_config
from merbench.models._emotion_llama.released import trained_shapes
from merbench.models._emotion_llama.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

SMALL_7B = """
prompt = "mer2023"
layout = "joined"
text_characters = 200
answer_tokens = 3

[audio_encoder.settings]
hidden_size = 8
num_hidden_layers = 2
num_attention_heads = 2
intermediate_size = 16
conv_dim = [8, 8]
conv_kernel = [10, 8]
conv_stride = [10, 8]
num_conv_pos_embeddings = 4
num_conv_pos_embedding_groups = 2
feat_extract_norm = "layer"
do_stable_layer_norm = true
conv_bias = true
mask_time_prob = 0.0

[visual_encoder]
kind = "eva-clip"
join = 4
frames = 1
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]

[visual_encoder.settings]
image_size = 56
patch_size = 14
hidden_size = 12
num_hidden_layers = 3
num_attention_heads = 2
intermediate_size = 24

[face_encoder]
frames = 2
pool = "class"
mean = [0.0, 0.0, 0.0]
std = [1.0, 1.0, 1.0]

[face_encoder.settings]
image_size = 32
patch_size = 16
hidden_size = 8
num_hidden_layers = 2
num_attention_heads = 2
intermediate_size = 16
mask_ratio = 0.0
layer_norm_eps = 1e-6

[video_encoder]
frames = 4
mean = [0.0, 0.0, 0.0]
std = [1.0, 1.0, 1.0]

[video_encoder.settings]
image_size = 32
patch_size = 16
num_frames = 4
tubelet_size = 2
layer_norm_eps = 1e-6
hidden_size = 8
num_hidden_layers = 2
num_attention_heads = 2
intermediate_size = 16

[llama_model]

[llama_model.settings]
vocab_size = 1024
hidden_size = 16
intermediate_size = 32
num_hidden_layers = 32
num_attention_heads = 2
max_position_embeddings = 512

[lora]
r = 4
alpha = 16
dropout = 0.05
targets = ["q_proj", "v_proj"]
"""


@dataclass(frozen=True)
class Files:
    """Where the files lie: the configuration, the release under old and new names, and the five parts."""

    config: Path
    released: Path
    newer: Path
    safetensors: Path
    parts: dict[str, Path]


def random(generator: torch.Generator, *shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return (torch.randn(*shape, generator=generator) * 0.2).to(dtype)


def released_tensors(config: Path, *, old_names: bool) -> dict[str, torch.Tensor]:
    """Return a release in float32, with a module that nothing uses."""
    generator = torch.Generator().manual_seed(7)
    tensors = {}
    for name, shape in trained_shapes(load_config(config)).items():
        tensors[name.replace(".default", "") if old_names else name] = random(generator, *shape)
    tensors["attention.in_proj_weight"] = random(generator, 6, 2)
    tensors["attention.out_proj.bias"] = random(generator, 2, dtype=torch.float16)
    return tensors


def vision_blocks(
    generator: torch.Generator, layers: int, width: int, inner: int, *, own_biases: bool, dtype: torch.dtype
) -> dict[str, torch.Tensor]:
    """Return transformer blocks under timm's names."""
    table = {}
    for i in range(layers):
        shapes = {
            "norm1.weight": (width,),
            "norm1.bias": (width,),
            "attn.qkv.weight": (3 * width, width),
            "attn.proj.weight": (width, width),
            "attn.proj.bias": (width,),
            "norm2.weight": (width,),
            "norm2.bias": (width,),
            "mlp.fc1.weight": (inner, width),
            "mlp.fc1.bias": (inner,),
            "mlp.fc2.weight": (width, inner),
            "mlp.fc2.bias": (width,),
        }
        biases = ("attn.q_bias", "attn.v_bias") if own_biases else ()
        shapes |= dict.fromkeys(biases, (width,)) or {"attn.qkv.bias": (3 * width,)}
        table |= {f"blocks.{i}.{n}": random(generator, *s, dtype=dtype) for n, s in shapes.items()}
    return table


def eva_clip(generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Return eva_vit_g.pth in small: float16, for smaller pictures, with a norm that is not needed."""
    half = torch.float16
    return {
        "cls_token": random(generator, 1, 1, 12, dtype=half),
        "pos_embed": random(generator, 1, 1 + 4, 12, dtype=half),
        "patch_embed.proj.weight": random(generator, 12, 3, 14, 14, dtype=half),
        "patch_embed.proj.bias": random(generator, 12, dtype=half),
        **vision_blocks(generator, 3, 12, 24, own_biases=True, dtype=half),
        "norm.weight": random(generator, 12, dtype=half),
    }


def face_mae(generator: torch.Generator) -> dict[str, object]:
    """Return a checkpoint of MAE's pretraining code in small, settings and a decoder with it."""
    model = {
        "cls_token": random(generator, 1, 1, 8),
        "pos_embed": random(generator, 1, 1 + 4, 8),
        "mask_token": random(generator, 1, 1, 4),
        "patch_embed.proj.weight": random(generator, 8, 3, 16, 16),
        "patch_embed.proj.bias": random(generator, 8),
        **vision_blocks(generator, 2, 8, 16, own_biases=False, dtype=torch.float32),
        "norm.weight": random(generator, 8),
        "norm.bias": random(generator, 8),
        "decoder_embed.weight": random(generator, 4, 8),
    }
    return {"model": model, "epoch": 340, "args": argparse.Namespace(mask_ratio=0.75, model="mae_vit_large")}


def video_mae(generator: torch.Generator) -> dict[str, object]:
    """Return a checkpoint of VideoMAE's pretraining code in small."""
    encoder = {
        "patch_embed.proj.weight": random(generator, 8, 3, 2, 16, 16),
        "patch_embed.proj.bias": random(generator, 8),
        **vision_blocks(generator, 2, 8, 16, own_biases=True, dtype=torch.float32),
        "norm.weight": random(generator, 8),
    }
    return {
        "module": {
            **{f"encoder.{name}": tensor for name, tensor in encoder.items()},
            "decoder.norm.weight": random(generator, 4),
            "encoder_to_decoder.weight": random(generator, 4, 8),
        },
        "args": argparse.Namespace(lr=1e-4),
    }


def write(folder: Path) -> Files:
    """Write everything into `folder`."""
    from safetensors.torch import save_file
    from transformers import HubertModel, LlamaForCausalLM

    config = folder / "7b.toml"
    config.write_text(SMALL_7B, encoding="utf-8")
    old, new = (released_tensors(config, old_names=names) for names in (True, False))
    torch.save({"model": old, "epoch": 28, "scaler": {"scale": 65536.0}}, folder / "checkpoint_best.pth")
    torch.save({"model": new}, folder / "newer.pth")
    save_file(new, folder / "released.safetensors")

    generator = torch.Generator().manual_seed(11)
    torch.save(eva_clip(generator), folder / "eva_vit_g.pth", _use_new_zipfile_serialization=False)
    torch.save(face_mae(generator), folder / "mae_checkpoint-340.pth")
    torch.save(video_mae(generator), folder / "maeVideo_ckp199.pth")

    network = on_meta(load_config(config))
    for name, kind, inner in (
        ("chinese-hubert-large", HubertModel, network.audio_encoder),
        ("Llama-2-7b-chat-hf", LlamaForCausalLM, network.llama_model.get_base_model()),
    ):
        with torch.random.fork_rng():
            torch.manual_seed(13)
            kind(inner.config).half().save_pretrained(folder / name)
    load_tokenizer("tiny_tokenizer.json")._inner.save_pretrained(folder / "Llama-2-7b-chat-hf")
    return Files(
        config=config,
        released=folder / "checkpoint_best.pth",
        newer=folder / "newer.pth",
        safetensors=folder / "released.safetensors",
        parts={
            "llama_model": folder / "Llama-2-7b-chat-hf",
            "audio_encoder": folder / "chinese-hubert-large",
            "visual_encoder": folder / "eva_vit_g.pth",
            "face_encoder": folder / "mae_checkpoint-340.pth",
            "video_encoder": folder / "maeVideo_ckp199.pth",
        },
    )
