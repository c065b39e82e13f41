"""What a network is built from: every size is a committed TOML file, read into frozen dataclasses."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from merbench.errors import MerbenchError

if TYPE_CHECKING:
    from collections.abc import Mapping

Layout = Literal["split", "joined"]
"""Where the visual tokens go: patches at ``<VideoHere>`` and the rest at ``<FeatureHere>`` (how the paper's
code trains), or all of them at ``<VideoHere>`` (how it evaluates)."""

StandIn = Literal["learned", "zero", "mean", "expected", "recover"]
"""What a missing modality is replaced by: embeddings trained with the network, encodings of zeros, the mean
encoding, and, by a recovery model, the mean of what it may have been or one thing that it may have been."""

SIZES = ("tiny", "small", "7b")
SAMPLE_RATE = 16_000
"""Of what HuBERT hears, in Hz."""
_HOME = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One pretrained part: `settings` of its transformers configuration, `source` a hub id or a path."""

    settings: Mapping[str, Any]
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureEncoder(Part):
    """An encoder of `frames` frames, given in units of `mean` and `std` of [0, 1] RGB.

    `pool` is what stands for pictures where one vector does: the class token, the mean of the patches, or a
    ``grid``, the patches end to end. Where something is takes long to learn through a mean, so that a network
    made from nothing has a grid.
    """

    frames: int = 1
    pool: Literal["class", "patches", "grid"] = "patches"
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def size(self) -> int:
        """The side of its pictures in pixels."""
        return int(self.settings["image_size"])

    @property
    def patches(self) -> int:
        """How many patches a picture has."""
        return (self.size // int(self.settings["patch_size"])) ** 2

    @property
    def width(self) -> int:
        """The length of its pooled encoding."""
        return int(self.settings["hidden_size"]) * (self.patches if self.pool == "grid" else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneEncoder(PictureEncoder):
    """The encoder whose patches become tokens, `join` neighbours to a token.

    `kind` names its class: ``eva-clip`` (`Blip2VisionModel`) or ``vit-mae`` (`ViTMAEModel`).
    """

    kind: Literal["eva-clip", "vit-mae"]
    join: int = 4

    @property
    def tokens(self) -> int:
        """How many tokens its patches become."""
        return self.patches // self.join


@dataclass(frozen=True, slots=True, kw_only=True)
class Language(Part):
    """The language model and its tokenizer: a committed file of this package, a hub id or a path."""

    tokenizer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """Low-rank adaptation (Hu et al. 2021): rank, scale numerator, dropout, adapted projections."""

    r: int
    alpha: int
    dropout: float
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A network. Parts are named as its submodules; ``None`` leaves one out.

    `text_characters` is how much of a sentence is read, `answer_tokens` the most that is generated, `prompt`
    and `layout` what the network was trained with.
    """

    name: str
    audio_encoder: Part | None = None
    visual_encoder: SceneEncoder | None = None
    face_encoder: PictureEncoder | None = None
    video_encoder: PictureEncoder | None = None
    llama_model: Language
    lora: Lora
    prompt: str
    layout: Layout
    text_characters: int
    answer_tokens: int

    @property
    def hidden_size(self) -> int:
        """The width of the language model."""
        return int(self.llama_model.settings["hidden_size"])

    @property
    def vision_tokens(self) -> int:
        """How many tokens a clip's pictures become: joined patches, then face, video and class token."""
        scene = 0 if self.visual_encoder is None else self.visual_encoder.tokens + 1
        return scene + (self.face_encoder is not None) + (self.video_encoder is not None)

    def to_json(self) -> dict[str, Any]:
        """Return the configuration as a checkpoint records it."""
        plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return plain


SOURCES = {
    "llama_model": "llama",
    "audio_encoder": "hubert",
    "visual_encoder": "eva",
    "face_encoder": "facemae",
    "video_encoder": "videomae",
}
"""The parts that may be pretrained, and the option by which a user says where each one lies."""

_PARTS: dict[str, type] = {
    "audio_encoder": Part,
    "visual_encoder": SceneEncoder,
    "face_encoder": PictureEncoder,
    "video_encoder": PictureEncoder,
    "llama_model": Language,
    "lora": Lora,
}


def load_config(name: str | Path) -> Config:
    """Return a committed size by its name (`SIZES`), or what a TOML file of the same form says.

    Raises:
        MerbenchError: there is no such size or file, or it is no configuration.
    """
    path = _HOME / f"{name}.toml" if str(name) in SIZES else Path(name)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise MerbenchError(
            f"'{name}' is neither a size of Emotion-LLaMA nor a configuration file ({error})",
            fix=f"choose {', '.join(SIZES)}, or the path of a TOML file like theirs",
        ) from error
    return config_from({"name": path.stem, **table}, where=str(path))


def config_from(table: Mapping[str, Any], *, where: str) -> Config:
    """Return the configuration in a table of plain values; `where` names its origin in errors.

    Raises:
        MerbenchError: a key is missing, unknown or of a wrong type.
    """
    try:
        parts = {key: _part(_PARTS[key], value) for key, value in table.items() if key in _PARTS and value}
        rest = {key: value for key, value in table.items() if key not in _PARTS}
        return Config(**parts, **rest)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MerbenchError(
            f"{where} is no configuration of Emotion-LLaMA ({error})",
            fix="compare it with the committed tiny.toml",
        ) from error


def with_sources(config: Config, given: Mapping[str, str | Path | None]) -> Config:
    """Return the configuration with other places for its pretrained parts, by their names in `SOURCES`.

    The vocabulary lies where the language model does.

    Raises:
        MerbenchError: a place is given for a part that it does not have.
    """
    parts: dict[str, Any] = {}
    for name, place in given.items():
        if place is None:
            continue
        part = getattr(config, name)
        if part is None:
            raise MerbenchError(f"size '{config.name}' has no {name}", fix=f"leave out {SOURCES[name]}")
        parts[name] = dataclasses.replace(part, source=str(place))
        if isinstance(part, Language):
            parts[name] = dataclasses.replace(parts[name], tokenizer=str(place))
    return dataclasses.replace(config, **parts)


def _part(kind: type, table: Mapping[str, Any]) -> Any:
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in table.items()})
