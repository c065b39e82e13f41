"""The network: encoders, projections and a language model with LoRA, named as in the released checkpoint.

A sample's way: `encode_audio`, `encode_vision` and `encode_text` each read one modality; `fuse` projects
what they found, puts it into the instruction in place of its marks, and returns what the language model
reads; `label_log_likelihoods`, `generate` and `loss` start from there.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from merbench.models._emotion_llama import front_end
from merbench.models._emotion_llama.absent import LearnedAbsent
from merbench.models._emotion_llama.prompt import FEATURE, SENTENCE, VIDEO
from merbench.types import MODALITIES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from merbench.models._emotion_llama.absent import Absent
    from merbench.models._emotion_llama.config import Config, Layout, Part, PictureEncoder, SceneEncoder
    from merbench.models._emotion_llama.prompt import Prompt
    from merbench.models._emotion_llama.tokenizer import Tokenizer
    from merbench.types import Modality

_IGNORED = -100  # torch's cross_entropy leaves such targets out
_MARKS = {VIDEO: -1, FEATURE: -2, SENTENCE: -3}  # in token ids: "an embedding from elsewhere stands here"
_PADDING = -4


class Context(NamedTuple):
    """What the language model reads before it answers, padded on the left.

    `embeddings` [N, T, D]; `mask` [N, T] is true where something stands.
    """

    embeddings: Tensor
    mask: Tensor


class Vision(NamedTuple):
    """A clip's pictures, encoded: `face` [N, Df] and `video` [N, Dv], `scene` [N, 1 + P, Ds] with the class
    token first. A part that the network does not have is ``None``.
    """

    face: Tensor | None
    video: Tensor | None
    scene: Tensor | None


class EmotionLlama(nn.Module):
    """Emotion-LLaMA in any size.

    Args:
        config: what it is made of.
        tokenizer: of its language model; without one there is nothing but shapes to look at.
        encoders: without them only stored encodings can be fused.
    """

    def __init__(self, config: Config, tokenizer: Tokenizer | None = None, *, encoders: bool = True) -> None:
        super().__init__()
        self.config = config
        self.tokenizer = tokenizer
        scene, face, video = config.visual_encoder, config.face_encoder, config.video_encoder
        width = config.hidden_size
        self.visual_encoder = _scene_encoder(scene) if scene and encoders else None
        self.face_encoder = _face_encoder(face) if face and encoders else None
        self.video_encoder = _video_encoder(video) if video and encoders else None
        self.audio_encoder = (
            _audio_encoder(config.audio_encoder) if config.audio_encoder and encoders else None
        )
        if scene:
            size = int(scene.settings["hidden_size"])
            self.ln_vision = nn.LayerNorm(size)
            self.llama_proj = nn.Linear(size * scene.join, width)
            self.cls_tk_llama_proj = nn.Linear(size, width)
        if face:
            self.feats_llama_proj1 = nn.Linear(face.width, width)
        if video:
            self.feats_llama_proj2 = nn.Linear(video.width, width)
        if config.audio_encoder:
            self.feats_llama_proj3 = nn.Linear(int(config.audio_encoder.settings["hidden_size"]), width)
        self.absent = LearnedAbsent(config)
        self.llama_model = _language_model(config)

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.absent.text.device

    # --- encoding: each modality by itself ---

    def encode_audio(self, waves: Sequence[Tensor]) -> Tensor:
        """Return the mean over time of HuBERT's last layer [N, A].

        Args:
            waves: sounds [T] at 16 kHz, of any length and scale.
        """
        encoder: Any = self.audio_encoder
        if encoder.config.feat_extract_norm == "group" and len(waves) > 1:
            # Group norm averages over time, padding included: such a row must not have company.
            return torch.cat([self.encode_audio([wave]) for wave in waves])
        sound, real = front_end.waves(
            [wave.to(self.device) for wave in waves], _field_of_view(encoder.config)
        )
        parameter = next(encoder.parameters())
        hidden = encoder(sound.to(parameter.dtype), attention_mask=real.long()).last_hidden_state
        steps = encoder._get_feat_extract_output_lengths(real.sum(dim=1))
        inside = torch.arange(hidden.shape[1], device=self.device)[None, :] < steps[:, None]
        mean: Tensor = (hidden * inside[:, :, None]).sum(dim=1) / steps[:, None]
        return mean

    def encode_vision(self, clips: Sequence[Tensor]) -> Tensor:
        """Return face, video and scene encodings [N, V], end to end: what `split_vision` takes apart.

        Encodings, not projected tokens: they stay the same while projections are trained, and they are
        what feature files hold. At 7b a row takes 5.8 MB in float32.

        Args:
            clips: pictures [F, H, W, 3] in 0..255, of any size and number.
        """
        parts = []
        if self.config.face_encoder:
            parts.append(self._faces(self._pictures(clips, self.config.face_encoder)))
        if self.config.video_encoder:
            parts.append(self._video(self._pictures(clips, self.config.video_encoder)))
        if self.config.visual_encoder:
            parts.append(self.encode_scene(clips))
        return torch.cat(parts, dim=1)

    def encode_scene(self, clips: Sequence[Tensor]) -> Tensor:
        """Return the last part of `encode_vision` [N, (1 + P) * Ds]: of each clip's first picture."""
        return self._scene(self._pictures(clips, self.config.visual_encoder)[:, 0]).flatten(1)

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Return code points [N, `text_characters`] as floats, padded with -1; longer texts are cut.

        Characters and not tokens: a token depends on what the prompt puts beside it. Code points are
        below 2^24, so that float32 holds them exactly.
        """
        width = self.config.text_characters
        rows = torch.full((len(texts), width), -1.0, device=self.device)
        for row, text in zip(rows, texts, strict=True):
            points = [float(ord(character)) for character in text[:width]]
            row[: len(points)] = torch.tensor(points)
        return rows

    def split_vision(self, encoded: Tensor) -> Vision:
        """Take rows [N, V] of `encode_vision` apart."""
        scene, face, video = self.config.visual_encoder, self.config.face_encoder, self.config.video_encoder
        widths = [part.width if part else 0 for part in (face, video)]
        faces, videos, scenes = torch.tensor_split(encoded, (widths[0], sum(widths)), dim=1)
        tokens = scenes.reshape(len(encoded), -1, int(scene.settings["hidden_size"])) if scene else None
        return Vision(faces if face else None, videos if video else None, tokens)

    def _pictures(self, clips: Sequence[Tensor], encoder: Any) -> Tensor:
        return torch.stack([front_end.pictures(clip.to(self.device), encoder) for clip in clips])

    def _faces(self, pictures: Tensor) -> Tensor:
        """Return [N, Df] from [N, K, 3, S, S]: the mean over pictures, pooled as configured."""
        config: Any = self.config.face_encoder
        tokens = _masked_autoencoder(self.face_encoder, pictures.flatten(0, 1))
        tokens = tokens[:, :1] if config.pool == "class" else tokens[:, 1:]
        return _pooled(tokens.reshape(*pictures.shape[:2], *tokens.shape[1:]), config)

    def _video(self, pictures: Tensor) -> Tensor:
        """Return [N, Dv] from [N, K, 3, S, S]: the mean over time, pooled as configured."""
        encoder: Any = self.video_encoder
        config: Any = self.config.video_encoder
        tokens = encoder(pictures.to(next(encoder.parameters()).dtype)).last_hidden_state
        return _pooled(tokens.unflatten(1, (-1, config.patches)), config)

    def _scene(self, pictures: Tensor) -> Tensor:
        """Return [N, 1 + P, Ds] from [N, 3, S, S]."""
        encoder: Any = self.visual_encoder
        scene: Any = self.config.visual_encoder
        if scene.kind == "vit-mae":
            tokens = _masked_autoencoder(encoder, pictures)
        else:
            tokens = encoder(pictures.to(next(encoder.parameters()).dtype)).last_hidden_state
        normed: Tensor = self.ln_vision(tokens.to(self.ln_vision.weight.dtype))
        return normed

    # --- fusing: into the instruction ---

    def fuse(
        self,
        encodings: Mapping[Modality, Tensor],
        present: Mapping[Modality, Tensor],
        prompt: Prompt,
        labels: Sequence[str],
        *,
        layout: Layout | None = None,
        absent: Absent | None = None,
    ) -> Context:
        """Return the instruction with everything in place.

        Args:
            encodings: rows [N, ...] from `encode_audio`, `encode_vision` and `encode_text`; what a row does
                not have is not read. A modality that no row has may be left out.
            present: which rows have each modality, bool [N].
            prompt: the instruction.
            labels: what the instruction offers to choose from.
            layout: where the visual tokens go; the configured one by default.
            absent: what stands in for missing modalities; the learned embeddings by default.
        """
        layout = layout or self.config.layout
        stand_in = absent or self.absent
        here = {m: present[m].to(self.device) for m in MODALITIES}
        texts = self._texts(encodings, here["text"])
        tokens = self._all_tokens(encodings, here, texts)
        filled: dict[str, Tensor] = {}
        for modality in MODALITIES:
            mine = tokens[modality]
            if not bool(here[modality].all()):
                other = stand_in(modality, tokens, here).to(mine.dtype)
                mine = torch.where(here[modality][:, None, None], mine, other)
            filled[modality] = mine
        patches = self.config.visual_encoder.tokens if self.config.visual_encoder else 0
        vision = filled["vision"]
        features = torch.cat([vision[:, patches:-1], filled["audio"], vision[:, -1:]], dim=1)
        ids = self._ids(texts, prompt.pieces(labels, layout), patches, features.shape[1], layout)
        embeddings = self._embed(ids.clamp(min=0))
        both = torch.cat([vision[:, :patches], features], dim=1)
        if layout == "joined":
            embeddings = _put(embeddings, ids == _MARKS[VIDEO], both)
        else:
            embeddings = _put(embeddings, ids == _MARKS[VIDEO], both[:, :patches])
            embeddings = _put(embeddings, ids == _MARKS[FEATURE], features)
        embeddings = _put(embeddings, ids == _MARKS[SENTENCE], filled["text"][~here["text"]])
        return Context(embeddings, ids != _PADDING)

    def tokens(
        self, encodings: Mapping[Modality, Tensor], present: Mapping[Modality, Tensor]
    ) -> dict[Modality, Tensor]:
        """Return each modality in the language model's space [N, T, D], as `Absent` is given it."""
        here = {m: present[m].to(self.device) for m in MODALITIES}
        return self._all_tokens(encodings, here, self._texts(encodings, here["text"]))

    def _all_tokens(
        self,
        encodings: Mapping[Modality, Tensor],
        present: Mapping[Modality, Tensor],
        texts: Sequence[str | None],
    ) -> dict[Modality, Tensor]:
        return {
            "audio": self._audio_tokens(encodings, present["audio"]),
            "vision": self._vision_tokens(encodings, present["vision"]),
            "text": self._text_tokens(texts),
        }

    def _texts(self, encodings: Mapping[Modality, Tensor], present: Tensor) -> list[str | None]:
        if "text" not in encodings:
            return [None] * len(present)
        rows = encodings["text"].round().long().tolist()
        flags = present.tolist()
        return [
            "".join(chr(c) for c in row if c >= 0) if flag else None
            for row, flag in zip(rows, flags, strict=True)
        ]

    def _audio_tokens(self, encodings: Mapping[Modality, Tensor], present: Tensor) -> Tensor:
        if "audio" not in encodings:
            return self.absent.audio.new_zeros(len(present), 1, self.config.hidden_size)
        encoded = encodings["audio"].to(self.device, self.feats_llama_proj3.weight.dtype)
        projected: Tensor = self.feats_llama_proj3(encoded)
        return (projected * present[:, None])[:, None]

    def _vision_tokens(self, encodings: Mapping[Modality, Tensor], present: Tensor) -> Tensor:
        """Return [N, `Config.vision_tokens`, D]: patches, face, video, class token."""
        if "vision" not in encodings:
            count = self.config.vision_tokens
            return self.absent.vision.new_zeros(len(present), count, self.config.hidden_size)
        encoded = self.split_vision(encodings["vision"].to(self.device, self.absent.vision.dtype))
        tokens: list[Tensor] = []
        if encoded.scene is not None:
            join = self.config.visual_encoder.join  # type: ignore[union-attr]
            patches = encoded.scene[:, 1:]
            joined = patches.reshape(len(patches), -1, join * patches.shape[2])
            tokens.append(self.llama_proj(joined))
        if encoded.face is not None:
            tokens.append(self.feats_llama_proj1(encoded.face)[:, None])
        if encoded.video is not None:
            tokens.append(self.feats_llama_proj2(encoded.video)[:, None])
        if encoded.scene is not None:
            tokens.append(self.cls_tk_llama_proj(encoded.scene[:, :1]))
        return torch.cat(tokens, dim=1) * present[:, None, None]

    def _text_tokens(self, texts: Sequence[str | None]) -> Tensor:
        """Return the mean embedding of each sentence's tokens [N, 1, D], zeros for a missing one."""
        rows = [self._tokens(text or "") for text in texts]
        ids = nn.utils.rnn.pad_sequence([torch.tensor(row or [0]) for row in rows], batch_first=True)
        counts = torch.tensor([len(row) for row in rows], device=self.device)
        inside = torch.arange(ids.shape[1], device=self.device)[None, :] < counts[:, None]
        total = (self._embed(ids.to(self.device)) * inside[:, :, None]).sum(dim=1)
        return (total / counts.clamp(min=1)[:, None])[:, None]

    @property
    def _vocabulary(self) -> Tokenizer:
        if self.tokenizer is None:
            raise ValueError("a network without a tokenizer has shapes and no words")
        return self.tokenizer

    def _tokens(self, text: str) -> list[int]:
        return self._vocabulary.encode(text) if text else []

    def _ids(
        self,
        texts: Sequence[str | None],
        pieces: Sequence[str],
        patches: int,
        features: int,
        layout: Layout,
    ) -> Tensor:
        """Return token ids [N, T], padded on the left; `_MARKS` where embeddings come from elsewhere."""
        counts = {VIDEO: patches + (features if layout == "joined" else 0), FEATURE: features}

        def written(part: Sequence[str]) -> list[int]:
            return [
                token
                for piece in part
                for token in ([_MARKS[piece]] * counts[piece] if piece in counts else self._tokens(piece))
            ]

        # The paper's evaluation writes the begin token into its prompt, and its tokenizer adds another.
        begin = [self._vocabulary.bos] * (2 if layout == "joined" else 1)
        place = pieces.index(SENTENCE)
        before, after = pieces[place - 1], pieces[place + 1]
        lead, tail = begin + written(pieces[: place - 1]), written(pieces[place + 2 :])
        lacking = [*self._tokens(before), _MARKS[SENTENCE], *self._tokens(after)]
        sentences = [lacking if text is None else self._tokens(before + text + after) for text in texts]
        rows = [torch.tensor(lead + sentence + tail) for sentence in sentences]
        padded = nn.utils.rnn.pad_sequence(
            rows, batch_first=True, padding_value=_PADDING, padding_side="left"
        )
        return padded.to(self.device)

    def _embed(self, ids: Tensor) -> Tensor:
        embedded: Tensor = self.llama_model.get_input_embeddings()(ids)
        return embedded

    # --- answering ---

    def label_log_likelihoods(
        self, context: Context, labels: Sequence[str], *, per_token: bool = False, ended: bool = False
    ) -> Tensor:
        """Return log P(label | context) [N, C], each label scored as an answer.

        All labels hang on the one prefix as branches of a tree and are read in a single pass: a branch sees
        the prefix and itself. A label of many tokens gets the sum of their log-probabilities, which is the
        likelihood of the answer; `per_token` divides by their number, which favours long labels and is for
        comparison. Where one label begins another, or if they are to be `ended`, all are scored with the end
        of the answer.
        """
        branches = [self._tokens(label) for label in labels]
        if ended or any(a != b and b[: len(a)] == a for a in branches for b in branches):
            branches = [[*branch, self._vocabulary.eos] for branch in branches]
        extra = [token for branch in branches for token in branch[:-1]]
        logits = self._tree_logits(context, [branch[:-1] for branch in branches], extra)
        scores = F.log_softmax(logits.float(), dim=-1)
        columns, place = [], 1
        for branch in branches:
            steps = [0, *range(place, place + len(branch) - 1)]
            place += len(branch) - 1
            total = scores[:, steps, branch].sum(dim=1)
            columns.append(total / len(branch) if per_token else total)
        return torch.stack(columns, dim=1)

    def read_out(self, tokens: Tensor, labels: Sequence[str]) -> Tensor:
        """Return logits [..., C]: what the language model's own head reads in tokens [..., D] by themselves.

        A label counts by its first token. Training has encoders learn through it before the language model
        attends to them; no answer is made of it.
        """
        base = self.llama_model.get_base_model()
        first = [self._tokens(label)[0] for label in labels]
        logits: Tensor = base.model.norm(tokens) @ base.lm_head.weight[first].T
        return logits

    def _tree_logits(
        self, context: Context, branches: Sequence[Sequence[int]], extra: Sequence[int]
    ) -> Tensor:
        """Return logits [N, 1 + E, vocabulary]: after the prefix, and after each of the branches' tokens."""
        embeddings, mask = context
        n, length = mask.shape
        position = (mask.cumsum(dim=1) - 1).clamp(min=0)
        if not extra:
            return self._logits(embeddings, mask, position, 1)
        ids = torch.tensor(extra, device=self.device)
        depth = torch.tensor([i for branch in branches for i in range(len(branch))], device=self.device)
        owner = torch.tensor([b for b, branch in enumerate(branches) for _ in branch], device=self.device)
        grown = torch.cat([embeddings, self._embed(ids).expand(n, -1, -1)], dim=1)
        position = torch.cat([position, position[:, -1:] + 1 + depth], dim=1)
        total = length + len(extra)
        visible = torch.ones(total, total, dtype=torch.bool, device=self.device).tril()
        visible[length:, length:] &= owner[:, None] == owner[None, :]
        seen = torch.cat([mask, mask.new_ones(n, len(extra))], dim=1)
        # A padded query sees itself, as a softmax over nothing has no value.
        allowed = visible & seen[:, None, :] | torch.eye(total, dtype=torch.bool, device=self.device)
        bias = torch.zeros_like(allowed, dtype=grown.dtype).masked_fill(
            ~allowed, torch.finfo(grown.dtype).min
        )
        return self._logits(grown, bias[:, None], position, 1 + len(extra))

    def _logits(self, embeddings: Tensor, mask: Tensor, position: Tensor, keep: int) -> Tensor:
        logits: Tensor = self.llama_model(
            inputs_embeds=embeddings,
            attention_mask=mask,
            position_ids=position,
            use_cache=False,
            logits_to_keep=keep,
        ).logits
        return logits

    @torch.no_grad()
    def generate(self, context: Context) -> list[str]:
        """Return greedy answers, of at most `answer_tokens` tokens."""
        ids = self.llama_model.generate(
            inputs_embeds=context.embeddings,
            attention_mask=context.mask.long(),
            do_sample=False,
            max_new_tokens=self.config.answer_tokens,
            bos_token_id=self._vocabulary.bos,
            eos_token_id=self._vocabulary.eos,
            pad_token_id=self._vocabulary.eos,
        )
        return [self._vocabulary.decode(row) for row in ids.tolist()]

    def loss(self, context: Context, answers: Sequence[str]) -> Tensor:
        """Return the cross-entropy of the answers' tokens, the end included: a mean over tokens."""
        rows = [torch.tensor([*self._tokens(answer), self._vocabulary.eos]) for answer in answers]
        targets = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=_IGNORED).to(self.device)
        given = targets[:, :-1]
        embeddings = torch.cat([context.embeddings, self._embed(given.clamp(min=0))], dim=1)
        mask = torch.cat([context.mask, given != _IGNORED], dim=1)
        position = (mask.cumsum(dim=1) - 1).clamp(min=0)
        logits = self._logits(embeddings, mask, position, targets.shape[1])
        return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=_IGNORED)


def _put(embeddings: Tensor, where: Tensor, values: Tensor) -> Tensor:
    """Return `embeddings` [N, T, D] with `values` [..., D], row by row, at the marked places."""
    return embeddings.masked_scatter(where[:, :, None], values.to(embeddings.dtype).contiguous())


def _pooled(tokens: Tensor, encoder: PictureEncoder) -> Tensor:
    """Return one encoding [N, `PictureEncoder.width`] of tokens [N, time, patch, D]."""
    places = tokens.mean(dim=1)
    return places.flatten(1) if encoder.pool == "grid" else places.mean(dim=1)


def _masked_autoencoder(encoder: Any, pictures: Tensor) -> Tensor:
    """Return tokens [N, 1 + P, D] of a ViTMAE that masks nothing.

    It shuffles its patches by random noise even so; rising noise keeps them in order.
    """
    patches = encoder.embeddings.patch_embeddings.num_patches
    order = torch.arange(patches, device=pictures.device, dtype=torch.float32)
    dtype = next(encoder.parameters()).dtype
    noise = order.expand(len(pictures), -1)
    tokens: Tensor = encoder(pictures.to(dtype), noise=noise).last_hidden_state
    return tokens


def _field_of_view(config: Any) -> int:
    """Return how many samples HuBERT's convolutions need for one frame."""
    view = 1
    for kernel, stride in zip(reversed(config.conv_kernel), reversed(config.conv_stride), strict=True):
        view = (view - 1) * stride + kernel
    return int(view)


def _audio_encoder(part: Part) -> nn.Module:
    from transformers import HubertConfig, HubertModel

    model: nn.Module = HubertModel(HubertConfig(**part.settings))
    return model


def _face_encoder(part: Part) -> nn.Module:
    from transformers import ViTMAEConfig, ViTMAEModel

    model: nn.Module = ViTMAEModel(ViTMAEConfig(**part.settings))
    return model


def _video_encoder(part: Part) -> nn.Module:
    from transformers import VideoMAEConfig, VideoMAEModel

    model: nn.Module = VideoMAEModel(VideoMAEConfig(**part.settings))
    return model


def _scene_encoder(part: SceneEncoder) -> nn.Module:
    if part.kind == "vit-mae":
        return _face_encoder(part)
    from transformers import Blip2VisionConfig, Blip2VisionModel

    model: nn.Module = Blip2VisionModel(Blip2VisionConfig(**part.settings))
    model.post_layernorm = nn.Identity()  # its place is taken by `ln_vision`, which the paper keeps apart
    return model


def _language_model(config: Config) -> Any:
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    lora = LoraConfig(
        task_type="CAUSAL_LM",
        r=config.lora.r,
        lora_alpha=config.lora.alpha,
        lora_dropout=config.lora.dropout,
        target_modules=list(config.lora.targets),
    )
    with warnings.catch_warnings():
        # peft asks transformers for a property that has got another name.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        return get_peft_model(LlamaForCausalLM(LlamaConfig(**config.llama_model.settings)), lora)
