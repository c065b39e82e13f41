"""Training recipes: what a model is trained on and how, as a TOML file that is read strictly.

A committed recipe is one file below ``recipes/`` and is named after it; anybody else's is a path. A recipe
may say ``extends = "clean"`` and then only what differs, so that two recipes that are compared differ in
nothing else.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import tomllib
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from merbench.errors import MerbenchError
from merbench.types import SEVERITIES

HOME = Path(__file__).with_name("recipes")

Precision = Literal["float32", "bfloat16"]
Metric = Literal["uar", "accuracy", "loss"]

_TABLES = ("model", "data", "noise", "stage", "training")
_TYPE_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


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
    examples in memory; without it media are decoded again in every epoch.
    """

    dataset: str
    train: tuple[str, ...] = ("train",)
    validation: tuple[str | float, ...] = ("validation", "dev", 0.15)
    test: tuple[str | float, ...] = ("test",)
    speaker_disjoint: bool = True
    keep: bool = True

    def __post_init__(self) -> None:
        for share in (*self.validation, *self.test):
            _require(isinstance(share, str) or 0 < share < 1, f"a share of speakers cannot be {share}")


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
        _require(bool(self.corruptions), "corruptions cannot be empty")
        _require(set(self.severities) <= set(SEVERITIES) and bool(self.severities), "severities are 1 to 5")
        _require(0 < self.share <= 1, "share is above 0 and at most 1")
        _require(self.draws >= 1, "draws is at least 1")


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
        _require(self.epochs >= 1, "epochs is at least 1")
        _require(self.learning_rate > 0, "learning_rate is above 0")
        _require(self.final_learning_rate >= 0, "final_learning_rate is at least 0")
        _require(0 <= self.warmup < 1, "warmup is a share of the steps, at least 0 and below 1")
        _require(self.patience is None or self.patience >= 1, "patience is at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How it is trained.

    `batch_size` is the rows per optimiser step over all processes, in `accumulation` forward passes.
    AdamW (Loshchilov & Hutter 2019) decays matrices only; `clip` bounds the gradient's l2 norm. `metric`
    chooses the best epoch. `save_steps` also saves within epochs.
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
        _require(self.seed >= 0, "seed is at least 0")
        _require(self.batch_size >= 1, "batch_size is at least 1")
        _require(1 <= self.accumulation <= self.batch_size, "accumulation is between 1 and batch_size")
        _require(self.weight_decay >= 0, "weight_decay is at least 0")
        _require(self.clip > 0, "clip is above 0")
        _require(self.save_steps is None or self.save_steps >= 1, "save_steps is at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A recipe, read and checked."""

    name: str
    about: str
    model: Model
    data: Data
    noise: Noise | None
    stages: tuple[Stage, ...]
    training: Training

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as it enters a checkpoint: every key, defaults included."""
        return dataclasses.asdict(self)

    def with_(
        self, *, dataset: str | None = None, seed: int | None = None, precision: str | None = None
    ) -> Recipe:
        """Return the recipe with what the command line says instead; ``None`` changes nothing.

        Raises:
            MerbenchError: there is no such precision to train in.
        """
        if precision not in (None, *get_args(Precision)):
            known = " or ".join(get_args(Precision))
            raise MerbenchError(f"--precision cannot be '{precision}' in training", fix=f"write {known}")
        training = {"seed": seed, "precision": precision}
        changed = {key: value for key, value in training.items() if value is not None}
        return dataclasses.replace(
            self,
            data=self.data if dataset is None else dataclasses.replace(self.data, dataset=dataset),
            training=dataclasses.replace(self.training, **cast("Any", changed)),
        )


def recipe_names() -> list[str]:
    """Return the names of the committed recipes, sorted."""
    return sorted(path.stem for path in HOME.glob("*.toml"))


def recipe_path(name: str) -> Path:
    """Return where the recipe `name` lies: a committed one, or a path.

    Raises:
        MerbenchError: there is none.
    """
    committed = HOME / f"{name}.toml"
    if committed.exists():
        return committed
    path = Path(name)
    if path.suffix == ".toml":
        if not path.is_file():
            raise MerbenchError(f"there is no recipe {path}", fix="check the path")
        return path
    near = difflib.get_close_matches(name, recipe_names(), n=1, cutoff=0.5)
    choices = f"choose one of {', '.join(recipe_names())}, or a .toml file"
    raise MerbenchError(
        f"there is no recipe named '{name}'", fix=f"did you mean {near[0]}?" if near else choices
    )


def load_recipe(name: str) -> Recipe:
    """Return the recipe that `name` (a committed one, or a path to a TOML) describes.

    Raises:
        MerbenchError: it is not there, is no TOML, lacks a key, or has an unknown key or a bad value.
    """
    path = recipe_path(name)
    tables = _tables(path, ())
    stages = tables.get("stage")
    if not isinstance(stages, dict) or not stages:
        raise MerbenchError(f"{path} has no stage", fix="add a table [stage.NAME]")
    model = _table(tables, "model", path)
    return Recipe(
        name=path.stem,
        about=_read_value(tables.get("about", ""), str, "about", path),
        model=_read(Model, {"name": model.get("name"), "options": _without(model, "name")}, "model", path),
        data=_read(Data, _table(tables, "data", path), "data", path),
        noise=_read(Noise, tables["noise"], "noise", path) if "noise" in tables else None,
        stages=tuple(
            _read(Stage, {**_table(stages, key, path), "name": key}, f"stage.{key}", path) for key in stages
        ),
        training=_read(Training, tables.get("training", {}), "training", path),
    )


def _tables(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """Return a file's tables laid over those of the recipe that it extends."""
    if path.resolve() in seen:
        raise MerbenchError(f"{path} extends itself", fix="remove its 'extends'")
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MerbenchError(f"{path} is not a TOML file ({error})", fix="mend the line it names") from error
    _known(tables, ("about", "extends", *_TABLES), "the recipe", path)
    parent = tables.pop("extends", None)
    if parent is None:
        return tables
    base = recipe_path(parent if (HOME / f"{parent}.toml").exists() else str(path.parent / str(parent)))
    return _merge(_tables(base, (*seen, path.resolve())), tables)


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = _merge(base[key], value) if both else value
    return merged


def _without(table: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name != key}


def _table(tables: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    table = tables.get(key)
    if not isinstance(table, dict):
        raise MerbenchError(f"{path} has no table [{key}]", fix="see 'merbench show recipe clean'")
    return table


def _read(cls: type[Any], table: Any, where: str, path: Path) -> Any:
    """Return `cls` with the values of one table of the file."""
    if not isinstance(table, dict):
        raise MerbenchError(f"'{where}' in {path} is not a table", fix=f"write [{where}]")
    fields = {f.name: f for f in dataclasses.fields(cls)}
    _known(table, tuple(fields), f"[{where}]", path)
    hints = get_type_hints(cls)
    values = {key: _read_value(value, hints[key], f"{where}.{key}", path) for key, value in table.items()}
    for key, f in fields.items():
        if key not in values and f.default is f.default_factory is dataclasses.MISSING:
            raise MerbenchError(f"[{where}] in {path} lacks '{key}'", fix=f"add {key} = ...")
    try:
        return cls(**values)
    except ValueError as error:
        raise MerbenchError(f"[{where}] in {path}: {error}", fix="mend the value") from error


def _known(table: dict[str, Any], known: tuple[str, ...], where: str, path: Path) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
            raise MerbenchError(
                f"{where} in {path} has an unknown key '{key}'", fix=f"did you mean '{near[0]}'?"
            )


def _read_value(value: Any, hint: Any, where: str, path: Path) -> Any:
    """Return a TOML value as its type; a single value stands for a list of one."""
    try:
        return _convert(value, hint)
    except ValueError:
        raise MerbenchError(
            f"{where} in {path} cannot be {value!r}", fix=f"it is {_describe(hint)}"
        ) from None


def _convert(value: Any, hint: Any) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin is tuple:
        return tuple(_convert(item, args[0]) for item in (value if isinstance(value, list) else [value]))
    if origin in (Union, types.UnionType):
        for arg in args:
            try:
                return _convert(value, arg)
            except ValueError:
                continue
        raise ValueError
    if origin is Literal:
        fits = value in args
    elif origin is dict:
        fits = isinstance(value, dict)
    elif hint is float:
        fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        value = float(value) if fits else value
    else:
        fits = type(value) is hint
    if not fits:
        raise ValueError
    return value


def _describe(hint: Any) -> str:
    origin, args = get_origin(hint), get_args(hint)
    if origin is tuple:
        return f"a list, each {_describe(args[0])}"
    if origin in (Union, types.UnionType):
        return " or ".join(_describe(arg) for arg in args if arg is not type(None))
    if origin is Literal:
        return " | ".join(map(str, args))
    return _TYPE_NAMES.get(hint, "a table")


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)
