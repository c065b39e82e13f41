"""TOML files read strictly into dataclasses: what a typing error would change silently is refused.

A kind of file, recipes or protocols, has a `Shelf`: the committed ones lie in one folder and are named after
their file, anybody else's is a path. A file may say ``extends = "name"`` and then only what differs, so that
two files that are compared differ in nothing else.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import tomllib
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from merbench.errors import MerbenchError

T = TypeVar("T")

_TYPE_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where the files of one kind lie; `kind` is the noun in messages, `keys` are what one may hold."""

    kind: str
    home: Path
    keys: tuple[str, ...]

    def names(self) -> list[str]:
        """Return the names of the committed files, sorted."""
        return sorted(path.stem for path in self.home.glob("*.toml"))

    def path(self, name: str) -> Path:
        """Return where the file `name` lies: a committed one, or a path.

        Raises:
            MerbenchError: there is none.
        """
        committed = self.home / f"{name}.toml"
        if committed.exists():
            return committed
        path = Path(name)
        if path.suffix == ".toml":
            if not path.is_file():
                raise MerbenchError(f"there is no {self.kind} {path}", fix="check the path")
            return path
        near = [known for known in self.names() if name and known.startswith(name)]
        near = near or difflib.get_close_matches(name, self.names(), n=1, cutoff=0.5)
        choices = f"choose one of {', '.join(self.names())}, or a .toml file"
        raise MerbenchError(
            f"there is no {self.kind} named '{name}'", fix=f"did you mean {near[0]}?" if near else choices
        )

    def tables(self, path: Path, _seen: tuple[Path, ...] = ()) -> dict[str, Any]:
        """Return a file's tables, laid over those of the file that it extends.

        Raises:
            MerbenchError: it is no TOML, has an unknown key, or extends itself or nothing that is there.
        """
        if path.resolve() in _seen:
            raise MerbenchError(f"{path} extends itself", fix="remove its 'extends'")
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise MerbenchError(
                f"{path} is not a TOML file ({error})", fix="mend the line it names"
            ) from error
        require_known(tables, ("extends", *self.keys), f"the {self.kind}", path)
        parent = tables.pop("extends", None)
        if parent is None:
            return tables
        committed = (self.home / f"{parent}.toml").exists()
        base = self.path(parent if committed else str(path.parent / str(parent)))
        return _merge(self.tables(base, (*_seen, path.resolve())), tables)


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = _merge(base[key], value) if both else value
    return merged


def read(cls: type[T], table: Any, where: str, path: Path) -> T:
    """Return `cls` with the values of one table of a file; a field that is a dataclass is a table in it.

    Args:
        cls: a dataclass; a value that it refuses raises `ValueError`, as `require` does.
        table: what the file says.
        where: what the file calls the table; nothing for the file itself.
        path: the file.

    Raises:
        MerbenchError: it is no table, lacks a key, or has an unknown key or a bad value.
    """
    if not isinstance(table, dict):
        raise MerbenchError(f"'{where}' in {path} is not a table", fix=f"write [{where}]")
    place = f"[{where}] in {path}" if where else str(path)
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    require_known(table, tuple(fields), f"[{where}]", path)
    hints, prefix = get_type_hints(cls), f"{where}." if where else ""
    values = {key: read_value(value, hints[key], f"{prefix}{key}", path) for key, value in table.items()}
    for key, f in fields.items():
        if key not in values and f.default is f.default_factory is dataclasses.MISSING:
            raise MerbenchError(f"{place} lacks '{key}'", fix=f"add {key} = ...")
    try:
        return cls(**values)
    except ValueError as error:
        raise MerbenchError(f"{place}: {error}", fix="mend the value") from error


def read_value(value: Any, hint: Any, where: str, path: Path) -> Any:
    """Return a TOML value as its type; a single value stands for a list of one.

    Raises:
        MerbenchError: it is of another type.
    """
    table = next((arg for arg in (hint, *get_args(hint)) if dataclasses.is_dataclass(arg)), None)
    if table is not None:
        return read(cast("type[Any]", table), value, where, path)
    try:
        return _convert(value, hint)
    except ValueError:
        raise MerbenchError(
            f"{where} in {path} cannot be {value!r}", fix=f"it is {_describe(hint)}"
        ) from None


def require_known(table: dict[str, Any], known: tuple[str, ...], where: str, path: Path) -> None:
    """Check that a table has no key but the `known` ones.

    Raises:
        MerbenchError: it has; the message names the nearest that there is.
    """
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
            raise MerbenchError(
                f"{where} in {path} has an unknown key '{key}'", fix=f"did you mean '{near[0]}'?"
            )


def require(holds: bool, what: str) -> None:
    """Raise `ValueError` for a value that a file cannot give."""
    if not holds:
        raise ValueError(what)


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
        if fits and args[1] is not Any:
            value = {key: _convert(item, args[1]) for key, item in value.items()}
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
    if origin is dict and args[1] is not Any:
        return f"a table, each value {_describe(args[1])}"
    return _TYPE_NAMES.get(hint, "a table")
