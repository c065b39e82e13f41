"""Tiny classifiers of the transformers library, written as ``save_pretrained()`` writes real ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch

from merbench.rng import torch_seed

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ("Neutral", "HAPPY", "sad", "angry")
TINY = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
PICTURE = {"do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "resample": 2}
MOMENTS = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}


def names(labels=LABELS) -> dict[str, Any]:
    return {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}


def build(cls: Any, config: Any, folder: Path) -> Path:
    """Write a network with random weights, spread out so that rows get different answers."""
    with torch.random.fork_rng():
        torch.manual_seed(torch_seed("tests", cls.__name__))
        network = cls(config)
        with torch.no_grad():
            for weight in network.parameters():
                weight.add_(torch.randn_like(weight) * 0.2)
    folder.mkdir(parents=True, exist_ok=True)
    network.save_pretrained(folder)
    return folder


def audio(folder: Path, norm: str = "group", **config: Any) -> Path:
    from transformers import HubertConfig, HubertForSequenceClassification, Wav2Vec2FeatureExtractor

    config = {**names(), **TINY, "classifier_proj_size": 8, **config}
    config |= {
        "conv_dim": (8, 8),
        "conv_kernel": (10, 8),
        "conv_stride": (5, 4),
        "conv_bias": norm == "layer",
    }
    config |= {"num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2, "feat_extract_norm": norm}
    config |= {"do_stable_layer_norm": norm == "layer"}
    build(HubertForSequenceClassification, HubertConfig(**config), folder)
    Wav2Vec2FeatureExtractor(sampling_rate=8000, return_attention_mask=norm == "layer").save_pretrained(
        folder
    )
    return folder


def image(folder: Path, **config: Any) -> Path:
    from transformers import ViTConfig, ViTForImageClassification

    config = {**names(), **TINY, "image_size": 32, "patch_size": 8, **config}
    build(ViTForImageClassification, ViTConfig(**config), folder)
    steps = {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}}
    (folder / "preprocessor_config.json").write_text(json.dumps({**steps, **PICTURE, **MOMENTS}))
    return folder


def video(folder: Path, **config: Any) -> Path:
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification

    config = {**names(), **TINY, "image_size": 32, "patch_size": 16, "num_frames": 4, **config}
    build(VideoMAEForVideoClassification, VideoMAEConfig(**config), folder)
    steps = {"image_processor_type": "VideoMAEImageProcessor", "size": {"shortest_edge": 36}}
    steps |= {"do_center_crop": True, "crop_size": {"height": 32, "width": 32}}
    (folder / "preprocessor_config.json").write_text(json.dumps({**steps, **PICTURE, **MOMENTS}))
    return folder


def text(folder: Path, **config: Any) -> Path:
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "i", "am", "so", "happy", "today", "this", "is"]
    words += ["terrible", "we", "walk", "home", "no", "why", "fine", "then", "!", "?"]
    config = {**names(), **TINY, "vocab_size": len(words), "max_position_embeddings": 24, **config}
    build(BertForSequenceClassification, BertConfig(**config), folder)
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizer(str(folder / "vocab.txt"), model_max_length=24).save_pretrained(folder)
    return folder


KINDS = {"audio": audio, "image": image, "video": video, "text": text}
