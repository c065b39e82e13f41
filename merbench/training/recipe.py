"""Training recipes: what a model is trained on and how, as a TOML file that is read strictly.

A committed recipe is one file below ``recipes/`` and is named after it; anybody else's is a path. A recipe
may say ``extends = "clean"`` and then only what differs, so that two recipes that are compared differ in
nothing else.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from merbench.errors import MerbenchError
from merbench.strict import Shelf, read, read_value, require
from merbench.types import SEVERITIES

T = TypeVar("T")

Precision = Literal["float32", "bfloat16"]
Metric = Literal["uar", "accuracy", "loss", "last"]

RECIPES = Shelf(
    "recipe",
    Path(__file__).with_name("recipes"),
    ("about", "model", "data", "noise", "adversarial", "noise_aware", "stage", "training"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is trained: a name, or ``path/to/file.py:Class``, and the options of its `Trainable`."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """What it is trained on.

    `train`, `validation` and `test` name splits of the dataset. Several names are tried in order; a number
    among them takes this share of the training split's speakers instead, chosen by a hash.
    `speaker_disjoint` refuses a validation split whose speakers are also trained on. `keep` holds prepared
    examples in memory; without it media are decoded again in every epoch. `frame_size` is the side of the
    frames in pixels at which noise is laid over them, by default that of every suite.
    """

    dataset: str
    train: tuple[str, ...] = ("train",)
    validation: tuple[str | float, ...] = ("validation", "dev", 0.15)
    test: tuple[str | float, ...] = ("test",)
    speaker_disjoint: bool = True
    keep: bool = True
    frame_size: int | None = None

    def __post_init__(self) -> None:
        require(self.frame_size is None or self.frame_size >= 1, "frame_size is at least 1")
        for share in (*self.validation, *self.test):
            require(isinstance(share, str) or 0 < share < 1, f"a share of speakers cannot be {share}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Natural noise to harden with: corruptions as ``--corruption`` takes them.

    In every epoch a `share` of the utterances is corrupted, by one of the corruptions at one of the
    severities, and the others are clean. `draws` corrupted versions of each utterance are made; epoch e
    takes number e modulo `draws`. `noise_folds` goes to every corruption that has folds.
    """

    corruptions: tuple[str, ...]
    severities: tuple[int, ...] = SEVERITIES
    share: float = 0.5
    draws: int = 4
    noise_folds: tuple[int, ...] = tuple(range(1, 10))

    def __post_init__(self) -> None:
        require(bool(self.corruptions), "corruptions cannot be empty")
        require(set(self.severities) <= set(SEVERITIES) and bool(self.severities), "severities are 1 to 5")
        require(0 < self.share <= 1, "share is above 0 and at most 1")
        require(self.draws >= 1, "draws is at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adversarial:
    """Attacks to harden with: in every step a `share` of the rows that no noise corrupted is attacked.

    ``fgsm`` is one step of the whole budget (Goodfellow et al. 2015) from a random start (Wong et al. 2020);
    ``pgd`` is `steps` smaller ones (Madry et al. 2018). The budget of each modality is that of the attack in
    an evaluation at `severity`.
    """

    attack: Literal["fgsm", "pgd"]
    steps: int = 1
    share: float = 0.5
    severity: int = 4
    modalities: tuple[Literal["audio", "vision"], ...] = ("audio", "vision")

    def __post_init__(self) -> None:
        require(self.steps >= 1, "steps is at least 1")
        require(self.attack == "pgd" or self.steps == 1, "fgsm has one step")
        require(0 < self.share <= 1, "share is above 0 and at most 1")
        require(self.severity in SEVERITIES, "severity is 1 to 5")
        require(bool(self.modalities), "modalities cannot be empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseAware:
    """What noise-aware training adds to the loss, each with its weight.

    `discriminator`: a layer of `hidden` units tells natural noise from adversarial noise by what the encoders
    found, and through a reversed gradient they learn that it cannot (Ganin et al. 2016). `consistency`: the
    answer to a corrupted row is to be that to its clean version (Kullback-Leibler divergence from the clean
    answer, as in Zheng et al. 2016).
    """

    discriminator: float = 0.1
    consistency: float = 1.0
    hidden: int = 64

    def __post_init__(self) -> None:
        require(self.discriminator >= 0, "discriminator is at least 0")
        require(self.consistency >= 0, "consistency is at least 0")
        require(self.hidden >= 1, "hidden is at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage: which parameters learn from which split, for how long, how fast, and what to answer.

    The learning rate rises linearly over the share `warmup` of the stage's steps and then falls along a
    half cosine (Loshchilov & Hutter 2017) to `final_learning_rate`. `parameters` are groups of the
    `Trainable`. `answer` is what a model that speaks is taught to say. With `patience`, the stage ends
    after so many epochs without a better validation score; its best epoch is kept in any case.
    """

    name: str = ""
    epochs: int
    learning_rate: float
    final_learning_rate: float = 0.0
    warmup: float = 0.05
    split: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ("all",)
    answer: Literal["label", "explanation"] = "label"
    patience: int | None = None

    def __post_init__(self) -> None:
        require(self.epochs >= 1, "epochs is at least 1")
        require(self.learning_rate > 0, "learning_rate is above 0")
        require(self.final_learning_rate >= 0, "final_learning_rate is at least 0")
        require(0 <= self.warmup < 1, "warmup is a share of the steps, at least 0 and below 1")
        require(self.patience is None or self.patience >= 1, "patience is at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How it is trained.

    `batch_size` is the rows per optimiser step over all processes, in `accumulation` forward passes.
    AdamW (Loshchilov & Hutter 2019) decays matrices only; `clip` bounds the gradient's l2 norm. `metric`
    chooses the best epoch; ``last`` takes the last one, whatever it scores. `save_steps` also saves within
    epochs.
    """

    seed: int = 0
    batch_size: int = 32
    accumulation: int = 1
    weight_decay: float = 0.05
    clip: float = 1.0
    precision: Precision = "float32"
    gradient_checkpointing: bool = False
    metric: Metric = "uar"
    save_steps: int | None = None

    def __post_init__(self) -> None:
        require(self.seed >= 0, "seed is at least 0")
        require(self.batch_size >= 1, "batch_size is at least 1")
        require(1 <= self.accumulation <= self.batch_size, "accumulation is between 1 and batch_size")
        require(self.weight_decay >= 0, "weight_decay is at least 0")
        require(self.clip > 0, "clip is above 0")
        require(self.save_steps is None or self.save_steps >= 1, "save_steps is at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A recipe, read and checked."""

    name: str
    about: str
    model: Model
    data: Data
    noise: Noise | None
    adversarial: Adversarial | None
    noise_aware: NoiseAware | None
    stages: tuple[Stage, ...]
    training: Training

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as it enters a checkpoint: every key, defaults included, of the tables it has."""
        absent = {key for key in ("adversarial", "noise_aware") if getattr(self, key) is None}
        told = {key: value for key, value in dataclasses.asdict(self).items() if key not in absent}
        if self.data.frame_size is None:
            del told["data"]["frame_size"]
        return told

    def with_(
        self,
        *,
        dataset: str | None = None,
        frame_size: int | None = None,
        seed: int | None = None,
        precision: str | None = None,
        start: str | None = None,
    ) -> Recipe:
        """Return the recipe with what somebody says instead; ``None`` changes nothing.

        `start` is the model's option of that name.

        Raises:
            MerbenchError: there is no such precision to train in.
        """
        if precision not in (None, *get_args(Precision)):
            known = " or ".join(get_args(Precision))
            raise MerbenchError(f"--precision cannot be '{precision}' in training", fix=f"write {known}")
        training = _given(seed=seed, precision=precision)
        begun = {} if start is None else {"start": start}
        return dataclasses.replace(
            self,
            model=dataclasses.replace(self.model, options={**self.model.options, **begun}),
            data=dataclasses.replace(self.data, **_given(dataset=dataset, frame_size=frame_size)),
            training=dataclasses.replace(self.training, **training),
        )


def _given(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def load_recipe(name: str) -> Recipe:
    """Return the recipe that `name` (a committed one, or a path to a TOML) describes.

    Raises:
        MerbenchError: it is not there, is no TOML, lacks a key, or has an unknown key or a bad value.
    """
    path = RECIPES.path(name)
    tables = RECIPES.tables(path)
    stages = tables.get("stage")
    if not isinstance(stages, dict) or not stages:
        raise MerbenchError(f"{path} has no stage", fix="add a table [stage.NAME]")
    model = _table(tables, "model", path)
    recipe = Recipe(
        name=path.stem,
        about=read_value(tables.get("about", ""), str, "about", path),
        model=read(Model, {"name": model.get("name"), "options": _without(model, "name")}, "model", path),
        data=read(Data, _table(tables, "data", path), "data", path),
        noise=_optional(Noise, tables, "noise", path),
        adversarial=_optional(Adversarial, tables, "adversarial", path),
        noise_aware=_optional(NoiseAware, tables, "noise_aware", path),
        stages=tuple(
            read(Stage, {**_table(stages, key, path), "name": key}, f"stage.{key}", path) for key in stages
        ),
        training=read(Training, tables.get("training", {}), "training", path),
    )
    if recipe.noise_aware is not None and None in (recipe.noise, recipe.adversarial):
        raise MerbenchError(
            f"{path} has [noise_aware], which compares natural with adversarial noise, without both of them",
            fix="add the tables [noise] and [adversarial]",
        )
    return recipe


def _optional(cls: type[T], tables: dict[str, Any], key: str, path: Path) -> T | None:
    return read(cls, tables[key], key, path) if key in tables else None


def _without(table: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name != key}


def _table(tables: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    table = tables.get(key)
    if not isinstance(table, dict):
        raise MerbenchError(f"{path} has no table [{key}]", fix="see 'merbench show recipe clean'")
    return table
