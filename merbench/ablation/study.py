"""What an ablation is about, as a TOML file: what is trained, and what it is tested on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from merbench.attacks import parse_attack
from merbench.corruption import corruptions
from merbench.errors import MerbenchError
from merbench.options import split_spec
from merbench.protocols import Protocol, load_protocol
from merbench.strict import Shelf, read, read_value, require
from merbench.training.recipe import Recipe, load_recipe
from merbench.types import SEVERITIES

STUDIES = Shelf("study", Path(__file__).with_name("studies"), ("about", "train", "families", "test"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Train:
    """What is trained, once per seed.

    `clean` is the recipe of the clean model that all others begin with, `control` the one that goes on with
    clean data, and `recipes` are those that are compared with it. A recipe of one's own is a path that starts
    from the study's folder. `dataset` and `frame_size` take the place of what control and recipes say.
    `protocol`, a name or a path as well, takes that of the clean recipe too; with its folds, everything is a
    model per fold.
    """

    clean: str = "clean"
    control: str = "control"
    recipes: tuple[str, ...]
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    dataset: str | None = None
    frame_size: int | None = None
    protocol: str | None = None

    def __post_init__(self) -> None:
        require(self.dataset is None or self.protocol is None, "the protocol says what the dataset is")
        require(self.frame_size is None or self.frame_size >= 1, "frame_size is at least 1")
        require(bool(self.recipes), "recipes cannot be empty")
        require(len(set(self.seeds)) == len(self.seeds) > 0, "seeds are different and at least one")


@dataclass(frozen=True, slots=True, kw_only=True)
class Families:
    """Which noise of `recipe` is taken away: one family after the other, or all but one."""

    recipe: str = "noise"
    leave_one_out: bool = True
    only_one: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """What every model is tested on: `groups` of corruptions by name, and `attacks`, at these severities.

    A gain is told for each group. Samples are those of `split` of `dataset` (by default the clean
    recipe's), at most `limit`, chosen by a hash, their frames `frame_size` pixels wide. `margin` is what may
    be lost without noise.
    """

    dataset: str | None = None
    split: str = "test"
    limit: int | None = None
    frame_size: int = 224
    groups: dict[str, Any] = field(default_factory=dict)
    attacks: tuple[str, ...] = ()
    severities: tuple[int, ...] = SEVERITIES
    margin: float = 0.03

    def __post_init__(self) -> None:
        require(bool(self.groups or self.attacks), "there are no groups of corruptions and no attacks")
        require(set(self.severities) <= set(SEVERITIES) and bool(self.severities), "severities are 1 to 5")
        require(self.limit is None or self.limit >= 1, "limit is at least 1")
        require(self.frame_size >= 1, "frame_size is at least 1")
        require(0 < self.margin < 1, "margin is a share, above 0 and below 1")
        for name, members in self.groups.items():
            fits = isinstance(members, list) and members and all(isinstance(m, str) for m in members)
            require(bool(fits), f"the group {name} is a list of corruptions")
        for name in dict.fromkeys(spec.partition(":")[0] for spec in self.corruptions):
            variants = [{m for m in g if m.partition(":")[0] == name} for g in self.groups.values()]
            same = all(v == max(variants, key=len) for v in variants if v)
            # A group's cells are found by their corruption's name.
            require(same, f"groups have {name} with different options: give each of them a test of its own")

    @property
    def corruptions(self) -> tuple[str, ...]:
        """Every corruption, once."""
        return tuple(dict.fromkeys(spec for members in self.groups.values() for spec in members))


_USUAL = Test(groups={"": ["-"]})


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of training: its name, its recipe, and whether it begins with a clean model."""

    name: str
    recipe: Recipe
    starts: bool = True

    @property
    def folder(self) -> str:
        """The name as it can be a folder's anywhere."""
        return self.name.replace(" ", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study, read and checked; `arms` begin with the clean model and its control."""

    name: str
    about: str
    train: Train
    arms: tuple[Arm, ...]
    tests: dict[str, Test]
    protocol: Protocol | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the study with every recipe in full: what a folder of results is a study of."""
        return {
            "name": self.name,
            "about": self.about,
            "train": {k: v for k, v in dataclasses.asdict(self.train).items() if v is not None},
            "arms": [{"name": arm.name, "recipe": arm.recipe.to_json()} for arm in self.arms],
            "tests": {name: dataclasses.asdict(test) for name, test in self.tests.items()},
            **({} if self.protocol is None else {"protocol": self.protocol.to_json()}),
        }

    @property
    def folds(self) -> tuple[int | None, ...]:
        """The folds that every arm has a model for; ``None`` alone if there are none."""
        members = () if self.protocol is None or self.protocol.folds is None else self.protocol.folds.members
        return tuple(range(1, 1 + len(members))) or (None,)


def load_study(name: str) -> Study:
    """Return the study that `name` (a committed one, or a path to a TOML) describes.

    Raises:
        MerbenchError: it is not there, is no TOML, lacks a key, or has an unknown key or a bad value; a
            recipe is not there, or has no noise to take away.
    """
    path = STUDIES.path(name)
    tables = STUDIES.tables(path)
    train = read(Train, tables.get("train", {}), "train", path)
    tests = tables.get("test")
    if not isinstance(tests, dict) or not tests:
        raise MerbenchError(f"{path} has no test", fix="add a table [test.NAME]")
    arms = [
        Arm("clean", _recipe(train.clean, path), starts=False),
        *(
            Arm(_title(name), _recipe(name, path).with_(dataset=train.dataset, frame_size=train.frame_size))
            for name in (train.control, *train.recipes)
        ),
    ]
    protocol = None
    if train.protocol is not None:
        given = train.protocol
        protocol = load_protocol(str(path.parent / given) if given.endswith(".toml") else given)
    if "families" in tables:
        arms += _without_families(read(Families, tables["families"], "families", path), arms, path)
    folders = [arm.folder for arm in arms]
    twice = next((arm.name for arm in arms if folders.count(arm.folder) > 1), None)
    if twice is not None:
        raise MerbenchError(
            f"{path} has two ways of training that are called '{twice}'",
            fix="give each recipe a name of its own",
        )
    return Study(
        name=path.stem,
        about=read_value(tables.get("about", ""), str, "about", path),
        train=train,
        arms=tuple(arms),
        tests={
            key: _fitting(read(Test, table, f"test.{key}", path), protocol, path)
            for key, table in tests.items()
        },
        protocol=protocol,
    )


def _fitting(test: Test, protocol: Protocol | None, path: Path) -> Test:
    """Return the test, which must not contradict the protocol, if there is one."""
    if protocol is None:
        return test
    said = [key for key in ("dataset", "split", "frame_size") if getattr(test, key) != getattr(_USUAL, key)]
    if said:
        raise MerbenchError(
            f"{path} has a protocol, and a test that says {said[0]}", fix="leave that to the protocol"
        )
    if test.attacks and protocol.folds is not None:
        raise MerbenchError(
            f"{path} has a protocol with folds, and a test with attacks",
            fix="leave the attacks out: a model per fold cannot be attacked as one",
        )
    if protocol.suite.faces is not None:
        raise MerbenchError(
            f"protocol '{protocol.name}' crops faces, which a study does not",
            fix="write a protocol without [suite] faces, and name its TOML",
        )
    return test


def _recipe(name: str, study: Path) -> Recipe:
    return load_recipe(str(study.parent / name) if name.endswith(".toml") else name)


def _title(recipe: str) -> str:
    return Path(recipe).stem if recipe.endswith(".toml") else recipe


def _without_families(families: Families, arms: list[Arm], path: Path) -> list[Arm]:
    whole = next((arm for arm in arms if arm.name == _title(families.recipe)), None)
    if whole is None or whole.recipe.noise is None:
        raise MerbenchError(
            f"[families] in {path} takes noise from '{families.recipe}', which has none or is not trained",
            fix="name one of the recipes in [train] that has a table [noise]",
        )
    by_family: dict[str, list[str]] = {}
    for spec in whole.recipe.noise.corruptions:
        by_family.setdefault(split_spec(spec)[0].partition("/")[0], []).append(spec)
    found = []
    if families.leave_one_out and len(by_family) > 1:
        for family in by_family:
            rest = [spec for other, specs in by_family.items() if other != family for spec in specs]
            found.append(_with_noise(whole, f"{whole.name} without {family}", rest))
    if families.only_one and len(by_family) > 1:
        found += [_with_noise(whole, f"{whole.name} only {f}", specs) for f, specs in by_family.items()]
    return found


def _with_noise(arm: Arm, name: str, specs: list[str]) -> Arm:
    assert arm.recipe.noise is not None
    noise = dataclasses.replace(arm.recipe.noise, corruptions=tuple(specs))
    return Arm(name, dataclasses.replace(arm.recipe, name=name, noise=noise))


def require_corruptions(study: Study) -> None:
    """Check that everything a study tests with exists, before hours are spent on training.

    Raises:
        MerbenchError: it names a corruption or an attack that is not there.
    """
    for test in study.tests.values():
        for spec in test.corruptions:
            corruptions[split_spec(spec)[0]]
        for spec in test.attacks:
            parse_attack(spec)
