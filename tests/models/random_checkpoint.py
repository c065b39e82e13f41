"""An Emotion-LLaMA of random weights with a recovery model beside it: all of it there, nothing trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from merbench.models._emotion_llama import checkpoint, recovery_files
from merbench.models._emotion_llama.config import load_config
from merbench.models._emotion_llama.network import EmotionLlama
from merbench.models._emotion_llama.recovery import Design, Recovery
from merbench.models._emotion_llama.tokenizer import load_tokenizer
from merbench.models._load import load_model
from merbench.types import MODALITIES
from tests.models.media import batch

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from merbench.types import Modality

LABELS = ("neutral", "happy", "sad", "angry", "fear", "surprise")


def save_network(folder: Path) -> None:
    """Write a network."""
    torch.manual_seed(0)
    config = load_config("tiny")
    network = EmotionLlama(config, load_tokenizer(str(config.llama_model.tokenizer)))
    seen = [{"dataset": "synthetic", "samples": ["train-00000"], "speakers": ["one"]}]
    checkpoint.save(folder, network, {"labels": LABELS, "prompt": config.prompt, "trained_on": seen})


def encode(folder: Path) -> dict[Modality, npt.NDArray[np.float32]]:
    """Return what the network says about eight utterances of noise."""
    adapter, media = load_model(str(folder)), batch(8)
    return {m: adapter.encode(m, media.only(m)) for m in MODALITIES}


def save_recovery(folder: Path) -> None:
    """Write a recovery model that has seen these eight utterances and has learned nothing."""
    network = load_model(str(folder)).network
    tensors = {m: torch.from_numpy(encoded) for m, encoded in encode(folder).items()}
    with torch.no_grad():
        tokens = network.tokens(tensors, {m: torch.ones(8, dtype=torch.bool) for m in MODALITIES})
    recovery = Recovery(recovery_files.sizes(network.config), Design(components=4, width=16))
    recovery.survey({m: token.flatten(1) for m, token in tokens.items()})
    seen = [{"dataset": "synthetic", "samples": ["train-00001"], "speakers": ["two"]}]
    recovery_files.save(folder, recovery, {"trained_on": seen})
