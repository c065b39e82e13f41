"""Tiny classifiers of the transformers library, written as ``save_pretrained()`` writes real ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch

from merbench.rng import torch_seed

if TYPE_CHECKING:
    from collections.abc import Sequence
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


def masked_lm(folder: Path, words: Sequence[str], **config: Any) -> Path:
    """A masked language model (BERT) that knows these words, and nothing about them."""
    from transformers import BertConfig, BertForMaskedLM, BertTokenizer

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(words)]
    config = {**TINY, "num_hidden_layers": 1, "vocab_size": len(vocabulary), **config}
    config.setdefault("max_position_embeddings", 32)
    build(BertForMaskedLM, BertConfig(**config), folder)
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    limit = config["max_position_embeddings"]
    tokenizer = BertTokenizer(str(folder / "vocab.txt"), do_lower_case=False, model_max_length=limit)
    tokenizer.save_pretrained(folder)
    return folder


def span_filler(folder: Path, words: Sequence[str]) -> Path:
    """A sequence-to-sequence model (T5) that knows these words, and nothing about them."""
    from transformers import T5Config, T5ForConditionalGeneration, T5Tokenizer

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -9.0)]
    pieces += [("\u2581" + word, -2.0) for word in dict.fromkeys(words)] + [("ing", -3.0)]
    tokenizer = T5Tokenizer(vocab=pieces, extra_ids=1)
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 1, "num_heads": 2}
    config = T5Config(vocab_size=len(tokenizer), decoder_start_token_id=0, **sizes)
    build(T5ForConditionalGeneration, config, folder)
    tokenizer.save_pretrained(folder)
    return folder


SPEECH = {
    "conv_dim": (8, 8),
    "conv_kernel": (10, 8),
    "conv_stride": (20, 16),
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}


def ctc(folder: Path, letters: str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ'") -> Path:
    """A recogniser that names a letter per frame (wav2vec 2.0), with random weights."""
    from transformers import Wav2Vec2Config, Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

    pieces = ["<pad>", "<s>", "</s>", "<unk>", "|", *letters]
    config = Wav2Vec2Config(**TINY, **SPEECH, vocab_size=len(pieces))
    build(Wav2Vec2ForCTC, config, folder)
    (folder / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}))
    Wav2Vec2CTCTokenizer(str(folder / "vocab.json")).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(sampling_rate=16_000, return_attention_mask=False).save_pretrained(folder)
    return folder


def whisper(folder: Path) -> Path:
    """A recogniser that writes token by token (Whisper), with random weights."""
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizer,
    )

    pieces = {letter: i for i, letter in enumerate("abcdefghijklmnopqrstuvwxyz\u0120")}
    tokenizer = WhisperTokenizer(vocab={**pieces, "<|endoftext|>": len(pieces)}, merges=[])
    special = [
        "<|startoftranscript|>",
        "<|en|>",
        "<|zh|>",
        "<|translate|>",
        "<|transcribe|>",
        "<|notimestamps|>",
    ]
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    tokenizer.save_pretrained(folder)
    end, begin, english, chinese, translate, transcribe, plain = tokenizer.convert_tokens_to_ids(
        ["<|endoftext|>", *special]
    )
    ends = {"pad_token_id": end, "bos_token_id": end, "eos_token_id": end, "decoder_start_token_id": begin}
    sizes = {f"{side}_{what}": n for side in ("encoder", "decoder") for what, n in WHISPER.items()}
    config = WhisperConfig(
        vocab_size=len(tokenizer), d_model=16, num_mel_bins=8, max_source_positions=100,
        max_target_positions=24, **sizes, **ends,
    )  # fmt: skip
    build(WhisperForConditionalGeneration, config, folder)
    GenerationConfig(
        **ends,
        max_length=12,
        is_multilingual=True,
        no_timestamps_token_id=plain,
        lang_to_id={"<|en|>": english, "<|zh|>": chinese},
        task_to_id={"translate": translate, "transcribe": transcribe},
    ).save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=8, chunk_length=2).save_pretrained(folder)
    return folder


WHISPER = {"layers": 1, "attention_heads": 2, "ffn_dim": 24}

KINDS = {"audio": audio, "image": image, "video": video, "text": text}
