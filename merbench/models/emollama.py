"""Emotion-LLaMA from corrupted media: any size, trained by ``merbench train`` or released by its authors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from merbench.errors import MerbenchError
from merbench.hashing import combine, hash_file, hash_json
from merbench.models._adapter import Answered, Differentiable, SplitAdapter, Wants
from merbench.models._emotion_llama import checkpoint, recovery_files
from merbench.models._emotion_llama.answers import named_label
from merbench.models._emotion_llama.config import SAMPLE_RATE, SOURCES, StandIn, with_sources
from merbench.models._emotion_llama.prompt import load_prompt
from merbench.options import located, option, resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy.typing as npt
    from torch import Tensor

    from merbench.models._adapter import TensorMedia
    from merbench.models._emotion_llama.absent import Absent
    from merbench.models._emotion_llama.network import Context, EmotionLlama
    from merbench.types import Batch, Modality

_HOME = Path(__file__).with_name("_emotion_llama")
_NO_PART_OF_ANSWERS = ("estimate.py", "inspection.py", "stored.py")
_CODE = (
    Path(__file__),
    *(path for path in sorted(_HOME.glob("*.py")) if path.name not in _NO_PART_OF_ANSWERS),
    _HOME / "tiny_tokenizer.json",
)


@dataclass(eq=False)
class Emollama(SplitAdapter, Differentiable):
    """Emotion-LLaMA (Cheng et al. 2024) from a checkpoint folder; see docs/emotion_llama.md."""

    folder: Path | None = resource("a checkpoint folder that merbench train wrote", env="emollama")
    prompt: str | None = option(None, "name or file of the instruction; by default what it was trained with")
    layout: Literal["split", "joined"] | None = option(
        None, "visual tokens at both marks, or all at <VideoHere>; by default as trained"
    )
    answer: Literal["score", "generate", "both"] = option(
        "score", "logits from each label's likelihood, a generated text, or both"
    )
    else_neutral: bool = option(
        False, "read any generated answer that is no label as neutral, as the paper does"
    )
    absent: StandIn = option(
        "learned", "what stands in for a missing modality, see docs/missing_modalities.md"
    )

    llama: str | None = resource("LLaMA-2-7b-chat: a folder or hub id", env="Llama-2-7b-chat-hf")
    hubert: str | None = resource("chinese-hubert-large: a folder or hub id", env="chinese-hubert-large")
    eva: str | None = resource("EVA-CLIP-g: a file", env="eva_vit_g.pth")
    facemae: str | None = resource("FaceMAE: a file, folder or hub id", env="mae_checkpoint-340.pth")
    videomae: str | None = resource("VideoMAE: a file, folder or hub id", env="maeVideo_ckp199.pth")

    wants = Wants(sample_rate=SAMPLE_RATE)
    shipped: ClassVar[Path | None] = None
    """The checkpoint that comes with the package, for models that have one."""

    def __post_init__(self) -> None:
        folder = located(self, "folder") or self.shipped
        if folder is None:
            raise MerbenchError(
                f"'{self.name}' has no checkpoint", fix=f"write --model DIR or {self.name}:folder=DIR"
            )
        self.checkpoint_folder = folder
        self._record = checkpoint.load_record(folder)
        given = {part: getattr(self, name) for part, name in SOURCES.items()}
        self.config = with_sources(checkpoint.load_config_of(folder, self._record), given)
        self._prompt = load_prompt(self.prompt or self._record["prompt"])
        self.labels = tuple(self._record["labels"])
        self.trained_on = checkpoint.trained_on(self._record)
        self._recovers = self.absent not in ("learned", "zero")
        if self._recovers:
            self.trained_on += checkpoint.trained_on(recovery_files.load_record(folder))

    def encode(self, modality: Modality, batch: Batch) -> npt.NDArray[np.float32]:
        """Return what one modality's encoders find; see `EmotionLlama` for shapes."""
        import torch

        network = self.network  # made out here: what is made in inference mode never has a gradient
        with torch.inference_mode():
            if modality == "audio":
                waves = [np.asarray(row, dtype=np.float32) for row in batch.audio]
                encoded = network.encode_audio([torch.from_numpy(wave) for wave in waves])
            elif modality == "vision":
                encoded = network.encode_vision([torch.from_numpy(np.array(row)) for row in batch.frames])
            else:
                encoded = network.encode_text([text or "" for text in batch.text])
        return np.asarray(encoded.float().cpu())

    def fuse(
        self,
        encodings: Mapping[Modality, npt.NDArray[np.float32]],
        present: Mapping[Modality, npt.NDArray[np.bool_]],
    ) -> npt.NDArray[np.floating] | list[str] | Answered:
        """Return the log-likelihood of each label [N, C], a generated text per row, or both."""
        rows = len(next(iter(present.values())))
        parts = [
            self._answer(
                {m: e[start : start + self.batch_size] for m, e in encodings.items()},
                {m: p[start : start + self.batch_size] for m, p in present.items()},
            )
            for start in range(0, rows, self.batch_size)
        ]
        texts = [text for _, spoken in parts for text in spoken]
        if self.answer == "generate":
            return texts
        logits = np.concatenate([scores for scores, _ in parts])
        return Answered(logits, texts) if self.answer == "both" else logits

    def _answer(
        self,
        encodings: Mapping[Modality, npt.NDArray[np.float32]],
        present: Mapping[Modality, npt.NDArray[np.bool_]],
    ) -> tuple[npt.NDArray[np.float64], list[str]]:
        import torch

        network, stand_in = self.network, self.stand_in
        with torch.inference_mode():
            context = self._context(
                {m: torch.from_numpy(np.ascontiguousarray(e)) for m, e in encodings.items()},
                {m: torch.from_numpy(np.ascontiguousarray(p)) for m, p in present.items()},
                stand_in,
            )
            scores = np.zeros((len(context.mask), len(self.labels)))
            if self.answer != "generate":
                scores = network.label_log_likelihoods(context, self.labels).double().cpu().numpy()
            return scores, network.generate(context) if self.answer != "score" else []

    def differentiable(self, media: TensorMedia) -> Tensor:
        """Return the log-likelihood of each label [N, C], with a gradient to every sound and picture."""
        import torch

        network, stand_in = self.network, self.stand_in
        encode: dict[Modality, Callable[[Any], Tensor]] = {
            "audio": network.encode_audio,
            "vision": network.encode_vision,
            "text": network.encode_text,
        }
        encodings: dict[Modality, Tensor] = {}
        present: dict[Modality, Tensor] = {}
        for modality in self.uses:
            rows = media.rows(modality)
            present[modality] = torch.tensor([row is not None for row in rows])
            there = present[modality].nonzero()[:, 0].to(network.device)
            if len(there):
                encoded = encode[modality]([row for row in rows if row is not None])
                empty = encoded.new_zeros(len(rows), *encoded.shape[1:])
                encodings[modality] = empty.index_copy(0, there, encoded)
        context = self._context(encodings, present, stand_in)
        return network.label_log_likelihoods(context, self.labels)

    def _context(
        self, encodings: Mapping[Modality, Tensor], present: Mapping[Modality, Tensor], stand_in: Absent
    ) -> Context:
        return self.network.fuse(
            encodings, present, self._prompt, self.labels, layout=self.layout, absent=stand_in
        )

    def parse(self, answer: str) -> str | None:
        """Return the label that a generated answer ends with, else its last word."""
        return named_label(answer, self.labels, else_neutral=self.else_neutral)

    def parameters(self) -> int:
        """Return how many numbers the network has, counted from its configuration alone."""
        from merbench.models._emotion_llama.assemble import on_meta

        return sum(parameter.numel() for parameter in on_meta(self.config).parameters())

    def fingerprint(self) -> str:
        """Return a hash over weights, record, options and code."""
        asked = [self._prompt.template, self.layout, self.answer, self.else_neutral, self.absent]
        return combine([*(hash_file(path) for path in (*self._files(), *_CODE)), hash_json(asked)])

    def _files(self) -> Iterator[Path]:
        """Yield every file of weights and records."""
        from merbench.models._emotion_llama import pretrained

        yield from checkpoint.files(self.checkpoint_folder)
        if self._recovers:
            yield from recovery_files.files(self.checkpoint_folder)
        if pretrained.is_pretrained(self.config):
            yield from pretrained.files(self.config)

    @cached_property
    def network(self) -> EmotionLlama:
        """The network, in evaluation mode on the device asked for."""
        import torch

        from merbench.models._emotion_llama.assemble import on_meta
        from merbench.models._emotion_llama.network import EmotionLlama
        from merbench.models._emotion_llama.pretrained import is_pretrained, load_pretrained
        from merbench.models._emotion_llama.tokenizer import load_tokenizer

        tokenizer = load_tokenizer(str(self.config.llama_model.tokenizer))
        dtype = getattr(torch, self.precision)
        if is_pretrained(self.config):
            network = on_meta(self.config)
            network.tokenizer = tokenizer
            load_pretrained(network, dtype)
            checkpoint.load_weights(network, self.checkpoint_folder, assign=True)
        else:
            network = EmotionLlama(self.config, tokenizer)
            checkpoint.load_weights(network, self.checkpoint_folder)
        return network.to(self.device, dtype).eval()

    @cached_property
    def stand_in(self) -> Absent:
        """What replaces missing modalities."""
        from merbench.models._emotion_llama.absent import make_absent

        return make_absent(self.absent, self.network, self.checkpoint_folder)
