"""Emotion-LLaMA as something to train: which of its parts learn, from what, and what it is taught to say."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from merbench.errors import MerbenchError
from merbench.models import Wants
from merbench.models._emotion_llama import checkpoint
from merbench.models._emotion_llama.config import SAMPLE_RATE, SOURCES, load_config, with_sources
from merbench.models._emotion_llama.network import Context, EmotionLlama
from merbench.models._emotion_llama.pretrained import is_pretrained, load_pretrained
from merbench.models._emotion_llama.prompt import load_prompt
from merbench.models._emotion_llama.tokenizer import load_tokenizer
from merbench.models._load import load_model
from merbench.models.emollama import Emollama
from merbench.options import option
from merbench.training._trainable import Attackable, Outputs
from merbench.types import MODALITIES, Batch, Packed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from merbench.models import TensorMedia
    from merbench.models._emotion_llama.config import Config
    from merbench.models._emotion_llama.prompt import Prompt
    from merbench.rng import Stream
    from merbench.training._trainable import Row
    from merbench.training.recipe import Stage
    from merbench.types import Modality, Utterance

_ENCODERS = ("audio_encoder", "visual_encoder", "face_encoder", "video_encoder")
_READ_OUT_DROPOUT = 0.3  # a linear read-out of a few thousand utterances fits by heart otherwise
_LONGEST_CUT = 5  # at most a fifth of a sound, as in the recipe of late-fusion


class Inputs(NamedTuple):
    """What is kept of one utterance: `media` by modality, and what may be answered.

    Of a network whose encoders learn, media are the sound int16 [T] and the pictures uint8 [F, S, S, 3];
    of one whose encoders are frozen, their encodings. Text is a string. A missing modality is missing here.
    """

    media: dict[Modality, Any]
    label: str
    explanation: str | None


class _Read(NamedTuple):
    """What the encoders found in some rows, what is there, the labels' places, what LLaMA is to read."""

    encodings: dict[Modality, Tensor]
    present: dict[Modality, Tensor]
    truth: Tensor
    context: Context


@dataclass(eq=False)
class TrainableEmotionLlama(Attackable):
    """Emotion-LLaMA in any size."""

    size: str = option("tiny", "tiny, small, 7b, or a configuration file")
    encoders: bool = option(True, "whether the encoders learn; else each utterance is encoded once")
    language_model: bool = option(True, "whether the whole language model learns, and not only its LoRA")
    modality_dropout: float = option(
        0.3, "share of rows that are shown with a random part of their modalities"
    )
    vary: bool = option(True, "cut sounds short, mirror and shift pictures, if the encoders learn")
    choice: float = option(
        0.0, "share of the loss that is the choice among the labels, the rest being the answer's tokens"
    )
    auxiliary: float = option(
        0.0, "weight of what the language model's head reads in each encoder's own tokens, beside the loss"
    )
    words_alone: float = option(
        0.0, "weight of the choice from the sentence by itself, beside the loss; text has no encoder to read"
    )
    label_smoothing: float = option(0.0, "of the choice and of what stands beside the loss")
    frozen: Literal["float32", "bfloat16"] = option("float32", "what pretrained parts are kept in")
    start: str | None = option(
        None, "the trained model to begin with, of the same size: what --model takes, with a folder behind it"
    )
    hubert: str | None = option(None, "a folder or hub id, instead of the configuration's own")
    eva: str | None = option(None, "the file of EVA-CLIP-g, or whatever the size takes as its scene encoder")
    facemae: str | None = option(None, "a file, folder or hub id")
    videomae: str | None = option(None, "a file, folder or hub id")
    llama: str | None = option(None, "a folder or hub id; its tokenizer is taken too")

    wants: ClassVar[Wants] = Wants(sample_rate=SAMPLE_RATE)

    def __post_init__(self) -> None:
        self._answer = "label"
        self._encoding = threading.Lock()

    @cached_property
    def config(self) -> Config:
        """What the network is made of, and where its pretrained parts lie."""
        given = {part: getattr(self, name) for part, name in SOURCES.items()}
        return with_sources(load_config(self.size), given)

    @cached_property
    def network(self) -> EmotionLlama:
        """The network, with its pretrained parts if it has any; what never learns is frozen."""
        network = EmotionLlama(self.config, load_tokenizer(str(self.config.llama_model.tokenizer)))
        if self._started is not None:
            checkpoint.load_weights(network, self._started.checkpoint_folder)
        elif is_pretrained(self.config):
            if self.encoders or self.language_model:
                raise MerbenchError(
                    f"pretrained parts of '{self.config.name}' cannot learn: a checkpoint does not hold them",
                    fix="set encoders = false and language_model = false in [model]",
                )
            load_pretrained(network, getattr(torch, self.frozen))
        for name, parameter in network.named_parameters():
            part = _part(name)
            parameter.requires_grad_(
                {"encoders": self.encoders, "language_model": self.language_model}.get(part, True)
            )
        return network

    @cached_property
    def prompt(self) -> Prompt:
        """The instruction."""
        return load_prompt(self.config.prompt)

    def groups(self) -> Mapping[str, Sequence[str]]:
        """Return the groups: ``encoders``, ``projections``, ``lora``, ``language_model``."""
        groups: dict[str, list[str]] = {}
        for name, _ in self.network.named_parameters():
            groups.setdefault(_part(name), []).append(name)
        return groups

    def begin(self, stage: Stage) -> None:
        """Remember what the stage teaches to answer."""
        self._answer = stage.answer

    def checkpoint_gradients(self) -> None:
        """Have the language model forget activations and compute them again for the gradient."""
        language_model: Any = self.network.llama_model
        language_model.activation_checkpointing_enable({"use_reentrant": False})

    def prepare(self, batch: Batch, utterances: Sequence[Utterance]) -> list[Inputs]:
        """Return what is kept of each row."""
        rows = []
        for i, utterance in enumerate(utterances):
            media: dict[Modality, Any] = {}
            if (sound := batch.audio[i]) is not None:
                media["audio"] = torch.from_numpy(sound.copy())
            if (clip := batch.frames[i]) is not None:
                media["vision"] = self._smaller(torch.from_numpy(clip.copy()))
            if (text := batch.text[i]) is not None:
                media["text"] = text
            if not self.encoders:
                media = self._encode_once(media)
            explanation = utterance.extra.get("explanation")
            rows.append(Inputs(media, utterance.label, None if explanation is None else str(explanation)))
        return rows

    def loss(self, rows: Sequence[Row]) -> Tensor:
        """Return the cross-entropy of the answers' tokens, with what the options lay beside it."""
        loss, _ = self._loss(rows, self._read(rows))
        return loss

    def outputs(self, rows: Sequence[Row]) -> Outputs:
        """Return loss, the labels' log-likelihoods, and the tokens of sound, face, video and class."""
        read = self._read(rows)
        loss, scores = self._loss(rows, read)
        if scores is None:
            scores = self.network.label_log_likelihoods(read.context, self.labels, ended=True)
        tokens = self._summaries(read).values()
        return Outputs(loss, scores, torch.cat([part.flatten(1) for part in tokens], dim=1))

    @property
    def representation_size(self) -> int:
        """The tokens' number times their width."""
        parts = (*(getattr(self.config, name) for name in _ENCODERS),)
        return sum(part is not None for part in parts) * self.config.hidden_size

    def media(self, inputs: Sequence[Inputs]) -> Batch:
        """Return sounds and pictures, if the encoders learn: encodings are not what an attacker can move."""
        if not self.encoders:
            raise MerbenchError(
                "sound and pictures cannot be attacked where each utterance is encoded once",
                fix="set encoders = true in [model], or leave [adversarial] out",
            )
        sounds = [row.media.get("audio") for row in inputs]
        clips = [row.media.get("vision") for row in inputs]
        return Batch(
            audio=Packed.of([None if sound is None else sound.numpy() for sound in sounds], np.int16),
            sample_rates=tuple(None if sound is None else SAMPLE_RATE for sound in sounds),
            frames=Packed.of([None if clip is None else clip.numpy() for clip in clips], np.uint8),
            timestamps=(None,) * len(inputs),
            text=tuple(row.media.get("text") for row in inputs),
        )

    def with_media(self, inputs: Sequence[Inputs], media: TensorMedia) -> list[Inputs]:
        """Return the rows with other sounds and pictures."""
        rows = []
        for row, sound, clip in zip(inputs, media.audio, media.frames, strict=True):
            mine = dict(row.media)
            if sound is not None:
                mine["audio"] = sound
            if clip is not None:
                mine["vision"] = clip
            rows.append(row._replace(media=mine))
        return rows

    def _read(self, rows: Sequence[Row]) -> _Read:
        encodings, present = self._encodings([row.inputs for row in rows])
        truth = torch.tensor([row.label for row in rows], device=self.network.device)
        return _Read(
            encodings, present, truth, self.network.fuse(encodings, present, self.prompt, self.labels)
        )

    def _loss(self, rows: Sequence[Row], read: _Read) -> tuple[Tensor, Tensor | None]:
        """Return the loss, and the labels' log-likelihoods if it is made of them."""
        encodings, present, truth, context = read
        scores = None
        if self.choice and self._answer == "label":
            scores = self.network.label_log_likelihoods(context, self.labels, ended=True)
            spoken = F.nll_loss(scores, truth)
            chosen = F.cross_entropy(scores, truth, label_smoothing=self.label_smoothing)
            loss = self.choice * chosen + (1 - self.choice) * spoken
        else:
            loss = self.network.loss(context, [self._target(row.inputs) for row in rows])
        if self.auxiliary:
            loss = loss + self.auxiliary * self._auxiliary(read)
        if self.words_alone and bool(present["text"].any()):
            loss = loss + self.words_alone * self._words_alone(encodings["text"], present["text"], truth)
        return loss, scores

    def _words_alone(self, text: Tensor, present: Tensor, truth: Tensor) -> Tensor:
        """Return the loss of choosing a label with nothing but the words."""
        here = torch.ones(int(present.sum()), dtype=torch.bool)
        lacking = {m: here if m == "text" else ~here for m in MODALITIES}
        rows = present.to(text.device)
        context = self.network.fuse({"text": text[rows]}, lacking, self.prompt, self.labels)
        scores = self.network.label_log_likelihoods(context, self.labels, ended=True)
        return F.cross_entropy(scores, truth[rows], label_smoothing=self.label_smoothing)

    def _auxiliary(self, read: _Read) -> Tensor:
        """Return the summed losses of sound, face, video and class token, each read by itself."""
        losses = []
        for modality, mine in self._summaries(read).items():
            here = read.present[modality].to(read.truth.device)
            if bool(here.any()):
                logits = self.network.read_out(F.dropout(mine[here], _READ_OUT_DROPOUT), self.labels)
                expected = read.truth[here][:, None].expand(logits.shape[:2])
                loss = F.cross_entropy(
                    logits.flatten(0, 1), expected.flatten(), label_smoothing=self.label_smoothing
                )
                losses.append(loss * logits.shape[1])
        return torch.stack(losses).sum() if losses else read.truth.new_zeros((), dtype=torch.float32)

    def _summaries(self, read: _Read) -> dict[Modality, Tensor]:
        """Return the token of the sound [N, 1, D], and those of face, video and class [N, up to 3, D]."""
        tokens = self.network.tokens(read.encodings, read.present)
        patches = self.config.visual_encoder.tokens if self.config.visual_encoder else 0
        return {"audio": tokens["audio"], "vision": tokens["vision"][:, patches:]}

    def logits(self, inputs: Sequence[Inputs]) -> Tensor:
        """Return the log-likelihood of every label as an answer [N, C]."""
        encodings, present = self._encodings(inputs)
        context = self.network.fuse(encodings, present, self.prompt, self.labels)
        return self.network.label_log_likelihoods(context, self.labels)

    def save(self, folder: Path, record: Mapping[str, Any]) -> None:
        """Write the checkpoint folder of `emollama`; what it began with was trained on something, too."""
        started = self._started
        before = checkpoint.load_record(started.checkpoint_folder)["trained_on"] if started else []
        seen = [*before, *(one for one in record["trained_on"] if one not in before)]
        checkpoint.save(folder, self.network, {**record, "trained_on": seen, "prompt": self.prompt.name})

    @cached_property
    def _started(self) -> Emollama | None:
        if self.start is None:
            return None
        started = trained_network(self.start, "start")
        if is_pretrained(self.config) or started.config != self.config:
            raise MerbenchError(
                f"'{self.start}' is not of the size '{self.config.name}', or not trained as a whole",
                fix="start from a network of the same size, without pretrained parts",
            )
        return started

    def _encodings(self, inputs: Sequence[Inputs]) -> tuple[dict[Modality, Tensor], dict[Modality, Tensor]]:
        """Return encodings and presence as `EmotionLlama.fuse` takes them."""
        encodings: dict[Modality, Tensor] = {}
        present = {m: torch.tensor([m in row.media for row in inputs]) for m in MODALITIES}
        for modality in MODALITIES:
            if bool(present[modality].any()):
                rows = [row.media[modality] for row in inputs if modality in row.media]
                encoded = self._encode(modality, rows)
                full = encoded.new_zeros(len(inputs), *encoded.shape[1:])
                full[present[modality].to(encoded.device)] = encoded
                encodings[modality] = full
        return encodings, present

    def _encode(self, modality: Modality, rows: Sequence[Any]) -> Tensor:
        if modality == "text":
            return self.network.encode_text(rows)
        if not self.encoders:
            return torch.stack([row.float() for row in rows]).to(self.network.device)
        if modality == "audio":
            return self.network.encode_audio([row.float() for row in rows])
        return self.network.encode_vision(rows)

    def _encode_once(self, media: dict[Modality, Any]) -> dict[Modality, Any]:
        """Replace sound and pictures by their encodings, on the CPU in half precision."""
        with self._encoding, torch.no_grad():
            for name in _ENCODERS:
                if (encoder := getattr(self.network, name)) is not None:
                    encoder.eval()
            encode: dict[Modality, Callable[[Tensor], Tensor]] = {
                "audio": lambda sound: self.network.encode_audio([sound.float()]),
                "vision": lambda clip: self.network.encode_vision([clip]),
            }
            return {m: encode[m](row)[0].half().cpu() if m in encode else row for m, row in media.items()}

    def _smaller(self, clip: Tensor) -> Tensor:
        """Return a clip at the size that the encoders read, if they agree on one and learn."""
        parts = (self.config.visual_encoder, self.config.face_encoder, self.config.video_encoder)
        sizes = {part.size for part in parts if part is not None}
        if not self.encoders or len(sizes) != 1 or clip.shape[1:3] == (size := sizes.pop(), size):
            return clip
        pictures = clip.permute(0, 3, 1, 2).float()
        small = torch.nn.functional.interpolate(pictures, size=(size, size), mode="bicubic", antialias=True)
        return small.clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()

    def _target(self, inputs: Inputs) -> str:
        """Return the answer that is taught; the label is its last word in any case."""
        if self._answer == "label":
            return inputs.label
        if inputs.explanation is None:
            raise MerbenchError(
                "a stage teaches explanations, and an utterance of its data has none",
                fix='set answer = "label" for the stage, or train on data with explanations, such as merr',
            )
        return f"{inputs.explanation.rstrip('. ')}. Therefore the emotion is {inputs.label}"

    def varied(self, inputs: Inputs, chance: Stream) -> Inputs:
        """Return the row with some modalities left out, its start cut and its pictures moved, or not."""
        media = dict(inputs.media)
        if chance.one_uniform() < self.modality_dropout and len(media) > 1:
            kept = chance.permutation(len(media))[: chance.one_integer(1, len(media))]
            media = {m: row for i, (m, row) in enumerate(media.items()) if i in set(kept.tolist())}
        if self.vary and self.encoders:
            if "audio" in media:
                media["audio"] = media["audio"][
                    chance.one_integer(0, 1 + len(media["audio"]) // _LONGEST_CUT) :
                ]
            if "vision" in media:
                media["vision"] = _moved(media["vision"], chance)
        return inputs._replace(media=media)


def trained_network(spec: str, key: str) -> Emollama:
    """Return the Emotion-LLaMA that `spec` names, which has a checkpoint folder; a released one has none.

    Raises:
        MerbenchError: it is none; `key` is the option of the recipe that names it.
    """
    adapter = load_model(spec)
    if not (
        isinstance(adapter, Emollama)
        and all(path.is_file() for path in checkpoint.files(adapter.checkpoint_folder))
    ):
        raise MerbenchError(
            f"'{spec}' is no Emotion-LLaMA with a checkpoint folder",
            fix=f"set '{key}' to emollama-base or to a folder that 'merbench train' wrote",
        )
    return adapter


def _moved(clip: Tensor, chance: Stream) -> Tensor:
    """Mirror a clip or not, and shift it by up to a thirtieth of its side, the same in all pictures."""
    reach = max(1, clip.shape[1] // 30)
    down, right = chance.integers(2, -reach, reach + 1).tolist()
    mirrored = clip.flip(2) if chance.choice((False, True)) else clip
    return mirrored.roll((down, right), dims=(1, 2))


def _part(name: str) -> str:
    """Return the group of a parameter."""
    if name.startswith(_ENCODERS):
        return "encoders"
    if name.startswith("llama_model"):
        return "lora" if ".lora_" in name else "language_model"
    return "projections"
