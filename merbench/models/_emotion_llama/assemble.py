"""A network out of published parts: nothing random in it, and no weight in memory twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from merbench.models._emotion_llama.network import EmotionLlama
from merbench.models._emotion_llama.pretrained import load_pretrained
from merbench.models._emotion_llama.released import read_released
from merbench.models._emotion_llama.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from merbench.models._emotion_llama.config import Config

ENCODERS = ("visual_encoder", "face_encoder", "video_encoder", "audio_encoder")


def assemble(
    config: Config,
    checkpoint: Path,
    *,
    encoders: Sequence[str] = ENCODERS,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
) -> EmotionLlama:
    """Return the released Emotion-LLaMA in evaluation mode.

    The network is built without any memory behind its parameters, and then takes the tensors as they are
    read, part by part. `ln_vision` is in no file: it has the weight 1 and the bias 0 of its initialisation,
    because the authors froze it there. Where a modality is missing the projections are given zeros, as the
    authors do in their demonstration; a missing sentence is one zero embedding.

    Args:
        config: what it is made of, and where its pretrained parts lie (`config.with_sources`).
        checkpoint: the released file.
        encoders: which encoders are needed; the others are left out, and stored encodings take their place.
        dtype: what the weights are kept in, ln_vision aside, which is float32 as in the authors' code.
        device: where the network ends up.

    Raises:
        MerbenchError: a file is not there, or is not what it ought to be.
    """
    trained = read_released(checkpoint, config)
    network = on_meta(config)
    for encoder in set(ENCODERS) - set(encoders):
        setattr(network, encoder, None)
    network.tokenizer = load_tokenizer(str(config.llama_model.tokenizer))
    load_pretrained(network, dtype)
    kept = {name: tensor.to(dtype) for name, tensor in trained.items()}
    network.load_state_dict(kept, strict=False, assign=True)
    network.ln_vision = torch.nn.LayerNorm(network.ln_vision.normalized_shape)
    _stand_in_with_zeros(network)
    return network.requires_grad_(False).eval().to(device)


def on_meta(config: Config) -> EmotionLlama:
    """Return a network whose parameters have shapes and no memory; what is computed from the configuration
    (rotary frequencies, the positions of VideoMAE) is there.
    """
    from accelerate import init_empty_weights

    with init_empty_weights(include_buffers=False):
        return EmotionLlama(config)


def _stand_in_with_zeros(network: EmotionLlama) -> None:
    """Let a missing modality be what the projections make of zeros."""
    vision = ("llama_proj", "feats_llama_proj1", "feats_llama_proj2", "cls_tk_llama_proj")
    network.absent.vision = _fixed(torch.stack([getattr(network, name).bias for name in vision]))
    network.absent.audio = _fixed(network.feats_llama_proj3.bias[None])
    network.absent.text = _fixed(torch.zeros_like(network.absent.audio))


def _fixed(value: torch.Tensor) -> torch.nn.Parameter:
    return torch.nn.Parameter(value.detach().clone(), requires_grad=False)
