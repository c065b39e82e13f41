"""What a size costs, before anything is downloaded: memory and arithmetic, counted from its configuration.

The network is built on torch's ``meta`` device, where tensors have shapes and no memory, and is run there:
once through its encoders, once through its language model, and for training once backwards; every
operation is seen on its way. Arithmetic is what `torch.utils.flop_counter` counts: matrix products and
convolutions, two for a multiplication with its addition. Memory is the greatest sum of tensors that were
alive at one time, attention weights included, which fused kernels avoid. Neither depends on a formula for
a kind of layer.

What is assumed, and not counted, has a name below: `CHARACTERS_PER_TOKEN`, `CONTEXT`, the bytes of AdamW, and
`Work`, which says how long the utterances are.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from merbench.models._emotion_llama.config import SAMPLE_RATE, SOURCES
from merbench.models._emotion_llama.network import EmotionLlama
from merbench.models._emotion_llama.prompt import load_prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from merbench.models._emotion_llama.config import Config

CHARACTERS_PER_TOKEN = 4.0
"""Of English in the vocabulary of LLaMA, about."""
CONTEXT = 1e9
"""Bytes that CUDA, its libraries and a half-filled allocator take, about."""
ADAMW = 4 + 4 + 4 + 4
"""Bytes per trained parameter in float32: itself, its gradient, and two moments."""
THROUGHPUT = 25e12
"""Operations per second that are sustained: 35 % of the 71 TFLOP/s in bfloat16 of an RTX 3090 (NVIDIA, GA102
whitepaper), a card of 24 GB."""
IEMOCAP = (1085, 1023, 1151, 1031, 1241)
"""Utterances of its five sessions in four classes (5531). They last 4.5 s and have 11.4 words on average
(Busso et al. 2008), which are the defaults of `Work`."""

_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is to be done.

    `train` and `test` utterances of `seconds` with a sentence of `characters`, to be told from `labels`;
    `epochs` over the first; `rows` in one forward pass; `answer_tokens` generated per tested utterance
    besides the scoring of the labels.
    """

    test: int
    train: int = 0
    epochs: int = 1
    seconds: float = 4.5
    characters: float = 60.0
    labels: tuple[str, ...] = ("angry", "happy", "neutral", "sad")
    rows: int = 4
    answer_tokens: int = 4

    @property
    def label_tokens(self) -> tuple[int, ...]:
        """How many tokens each label takes, about."""
        return tuple(math.ceil(len(label) / CHARACTERS_PER_TOKEN) for label in self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What it takes. Counts of parameters; bytes; operations per utterance, one column per step."""

    size: str
    precision: str
    work: Work
    tokens: int
    parameters: Mapping[str, int]
    trained: int
    memory: Mapping[str, float]
    operations: Mapping[str, float]

    @property
    def bytes(self) -> float:
        """What must fit at one time."""
        return sum(self.memory.values())

    def hours(self, throughput: float, work: Work | None = None) -> dict[str, float]:
        """Return hours per step of the work, or of other `work`, at `throughput` operations per second.

        Generating is bound by memory and not by arithmetic: of answers longer than a label it takes more.
        """
        work = work or self.work
        counts = {"encode": work.train + work.test, "train": work.train * work.epochs, "answer": work.test}
        return {
            step: count * self.operations[step] / throughput / 3600
            for step, count in counts.items()
            if count and step in self.operations
        }

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "size": self.size,
            "precision": self.precision,
            "tokens": self.tokens,
            "parameters": dict(self.parameters),
            "trained_parameters": self.trained,
            "memory_bytes": dict(self.memory),
            "total_bytes": self.bytes,
            "operations_per_utterance": dict(self.operations),
        }


def leave_one_out(sizes: Sequence[int], work: Work, *, train: bool) -> list[Work]:
    """Return the work of each fold, in which one of the sessions of these sizes is tested."""
    return [dataclasses.replace(work, test=n, train=(sum(sizes) - n) * train) for n in sizes]


def estimate(
    config: Config, work: Work, *, precision: str = "bfloat16", checkpointing: bool = True
) -> Estimate:
    """Return what `work` costs with a network of this configuration.

    With utterances to train on, LoRA and projections learn (in float32, by AdamW), the encoders run once per
    utterance, and `checkpointing` forgets the language model's activations and computes them again.
    """
    dtype: torch.dtype = getattr(torch, precision)
    network = shapes(config, dtype)
    tokens, _ = _tokens(config, work)
    encoding = {name: _run(network, step) for name, step in _encoders(network, work).items()}
    answering = _run(network, lambda: _answer(network, work))
    generating = _run(network, lambda: _read(network, network.absent.text.detach()[None], 1))
    sizes = {part: _size(getattr(network, part)) for part in SOURCES if getattr(network, part) is not None}
    sizes["projections"] = _size(network) - sum(sizes.values())
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    operations = {
        "encode": float(sum(cost.operations for cost in encoding.values())),
        "answer": answering.operations / work.rows + work.answer_tokens * generating.operations,
    }
    memory = {"weights": float(_BYTES[precision] * _size(network))}
    activations = [answering.bytes, *(cost.bytes for cost in encoding.values())]
    if work.train:
        step = _run(network, lambda: train_step(network, work, checkpointing=checkpointing))
        operations["train"] = step.operations / work.rows
        activations.append(step.bytes)
        memory["weights"] -= float(_BYTES[precision] * trained)
        memory["trained weights, gradients, AdamW"] = float(ADAMW * trained)
    memory["activations"] = float(max(activations))
    memory["KV cache"] = float(_cache(network, work.rows, tokens + work.answer_tokens) * _BYTES[precision])
    memory["CUDA context"] = CONTEXT
    return Estimate(
        size=config.name,
        precision=precision,
        work=work,
        tokens=tokens,
        parameters=sizes,
        trained=trained,
        memory=memory,
        operations=operations,
    )


def shapes(config: Config, dtype: torch.dtype) -> EmotionLlama:
    """Return a network on ``meta``, of which LoRA and projections may learn."""
    with torch.device("meta"):
        network = EmotionLlama(config).to(dtype)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(not name.startswith(tuple(SOURCES)) or ".lora_" in name)
    return network.eval()


def train_step(network: EmotionLlama, work: Work, *, checkpointing: bool) -> float:
    """Run one step forwards and backwards, from stored encodings to the gradients, and return the loss.

    Values play no part: encodings and target are zeros, or nothing at all on ``meta``.
    """
    network.train()
    network.zero_grad()
    if checkpointing:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # transformers is about to rename it
            network.llama_model.gradient_checkpointing_enable({"use_reentrant": False})
    answer = 1 + max(work.label_tokens)
    with torch.enable_grad():
        context = _context(network, work.rows, _tokens(network.config, work)[1] + answer)
        logits = _read(network, context, answer)
        targets = torch.zeros(work.rows * answer, dtype=torch.long, device=logits.device)
        loss = F.cross_entropy(logits.float().flatten(0, 1), targets)
        loss.backward()  # type: ignore[no-untyped-call]
    return math.nan if loss.is_meta else loss.item()


@dataclass(slots=True)
class _Cost:
    operations: int
    bytes: int


@dataclass(slots=True)
class _Alive:
    """Bytes of tensors that are alive, and the most there ever were."""

    known: set[int]
    now: int = 0
    most: int = 0
    sizes: dict[int, int] = field(default_factory=dict)

    def add(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self.known:
            self.known.add(key)
            self.sizes[key] = storage.nbytes()
            self.now += self.sizes[key]
            self.most = max(self.most, self.now)
            weakref.finalize(storage, self.remove, key)

    def remove(self, key: int) -> None:
        self.known.discard(key)
        self.now -= self.sizes.pop(key)


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operation, those of the backward pass included, and the tensors it makes."""

    def __init__(self, alive: _Alive) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._alive = alive

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._alive.add(tensor.untyped_storage())
        return made


def _run(network: EmotionLlama, step: Callable[[], object]) -> _Cost:
    """Return what a step costs beyond the weights.

    It is run twice, as the counter of operations holds on to tensors that would have been freed.
    """
    weights = {tensor.untyped_storage()._cdata for tensor in [*network.parameters(), *network.buffers()]}
    alive = _Alive(weights)
    with torch.device("meta"), torch.no_grad():
        with FlopCounterMode(display=False) as counted:
            step()
        with _Watch(alive):
            step()
    return _Cost(counted.get_total_flops(), alive.most)


def _encoders(network: EmotionLlama, work: Work) -> dict[str, Callable[[], object]]:
    """Return one pass through each encoder, of one utterance."""
    config = network.config
    steps: dict[str, Callable[[], object]] = {}
    if (scene := config.visual_encoder) is not None:
        steps["visual_encoder"] = lambda: network._scene(torch.empty(1, 3, scene.size, scene.size))
    if (face := config.face_encoder) is not None:
        steps["face_encoder"] = lambda: network._faces(torch.empty(1, face.frames, 3, face.size, face.size))
    if (video := config.video_encoder) is not None:
        clip = (1, video.frames, 3, video.size, video.size)
        steps["video_encoder"] = lambda: network._video(torch.empty(clip))
    audio: Any = network.audio_encoder
    if audio is not None:
        samples, dtype = round(work.seconds * SAMPLE_RATE), network.absent.text.dtype
        steps["audio_encoder"] = lambda: audio(torch.empty(1, samples, dtype=dtype))
    return steps


def _tokens(config: Config, work: Work) -> tuple[int, int]:
    """Return how many tokens the language model reads of an utterance, and how many of them are text."""
    prompt = load_prompt(config.prompt)
    written = prompt.pieces(work.labels, config.layout)[::2]
    text = math.ceil((sum(map(len, written)) + work.characters) / CHARACTERS_PER_TOKEN)
    return config.vision_tokens + 1 + text, text


def _context(network: EmotionLlama, rows: int, text: int) -> Tensor:
    """Return what the language model reads [rows, T, D], projected from encodings."""
    config, like = network.config, network.absent.text.detach()
    scene, face, video, audio = (
        config.visual_encoder,
        config.face_encoder,
        config.video_encoder,
        config.audio_encoder,
    )
    width = sum(part.width for part in (face, video) if part)
    width += (1 + scene.patches) * int(scene.settings["hidden_size"]) if scene else 0
    everywhere = torch.ones(rows, dtype=torch.bool, device=like.device)
    parts = [network._vision_tokens({"vision": like.new_zeros(rows, width)}, everywhere)]
    if audio:
        sound = like.new_zeros(rows, int(audio.settings["hidden_size"]))
        parts.append(network._audio_tokens({"audio": sound}, everywhere))
    return torch.cat([*parts, like.new_zeros(rows, text, config.hidden_size)], dim=1)


def _read(network: EmotionLlama, embeddings: Tensor, kept: int) -> Tensor:
    """Return the language model's logits at the last `kept` places."""
    rows, length = embeddings.shape[:2]
    mask = embeddings.new_full((length, length), torch.finfo(embeddings.dtype).min).triu(1)
    position = torch.arange(length, device=embeddings.device).expand(rows, -1)
    return network._logits(embeddings, mask.expand(rows, 1, -1, -1), position, kept)


def _answer(network: EmotionLlama, work: Work) -> Tensor:
    """Run the language model over the instruction with every label's tokens behind it."""
    behind = sum(work.label_tokens)
    context = _context(network, work.rows, _tokens(network.config, work)[1] + behind)
    return _read(network, context, 1 + behind)


def _cache(network: EmotionLlama, rows: int, tokens: int) -> int:
    """Return how many numbers the keys and values of all layers are."""
    config = network.llama_model.get_base_model().config
    head = config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * config.num_key_value_heads * head * rows * tokens)


def _size(module: Any) -> int:
    return sum(int(parameter.numel()) for parameter in module.parameters())
