"""Options of plug-ins: declared once as dataclass fields, read from ``name:key=value,key=value``.

A plug-in (a corruption, a dataset, a model) is a frozen dataclass. `option` declares a field that
is part of its identity; `resource` declares one that says where something lies on this machine (a
folder, a file) and is never part of any identity: what lies there is identified by content.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import types
import typing
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from merbench.errors import MerbenchError

T = TypeVar("T")


def option(default: Any, help: str, *, changes_draw: bool = False, later: bool = False) -> Any:
    """Declare an option.

    Args:
        default: its value when the user says nothing.
        help: one line for the card and for error messages.
        changes_draw: whether it changes what is random, not only what is done with it. Only such
            options enter the random key, so that two settings of the others are paired.
        later: whether recipes of the plug-in are older than the option. Then it is part of the identity
            only where it is not at its default, so that those recipes stay what they are.
    """
    return dataclasses.field(
        default=default, metadata={"help": help, "draw": changes_draw, "resource": False, "later": later}
    )


def resource(help: str, *, env: str) -> Any:
    """Declare a place on this machine, ``None`` unless given; `env` is its name under MERBENCH_DATA."""
    return dataclasses.field(
        default=None, metadata={"help": help, "env": env, "draw": False, "resource": True, "later": False}
    )


def canonical(plugin: Any, *, draw_only: bool = False) -> dict[str, Any]:
    """Return the options of a plug-in instance, defaults included, as they enter its identity."""
    return {
        f.name: _to_json(getattr(plugin, f.name))
        for f in dataclasses.fields(plugin)
        if "help" in f.metadata
        and not f.metadata["resource"]
        and (f.metadata["draw"] or not draw_only)
        and not (f.metadata["later"] and getattr(plugin, f.name) == f.default)
    }


def chosen(plugin: Any) -> dict[str, Any]:
    """Return the options of an instance that are not as they are by default; of what has none, nothing."""
    if not dataclasses.is_dataclass(plugin):
        return {}
    defaults = {f.name: f.default for f in dataclasses.fields(plugin)}
    return {key: value for key, value in canonical(plugin).items() if getattr(plugin, key) != defaults[key]}


def build(cls: type[T], name: str, values: dict[str, Any], **fixed: Any) -> T:
    """Make a plug-in from option values, which may be strings as typed by a user, and fixed fields.

    Raises:
        MerbenchError: an option does not exist or its value is not of its type.
    """
    fields = {f.name: f for f in dataclasses.fields(typing.cast("Any", cls)) if "help" in f.metadata}
    hints = _option_types(cls)
    parsed: dict[str, Any] = {}
    for key, value in values.items():
        if key not in fields:
            known = ", ".join(fields) or "none"
            raise MerbenchError(f"'{name}' has no option '{key}'", fix=f"its options are: {known}")
        try:
            parsed[key] = _parse(value, hints[key])
        except (KeyError, TypeError, ValueError):
            raise MerbenchError(
                f"option '{key}' of '{name}' cannot be {value!r}",
                fix=f"it is {_describe(hints[key])}: {fields[key].metadata['help']}",
            ) from None
    return cls(**fixed, **parsed)


def located(plugin: Any, name: str) -> Path | None:
    """Return where a resource lies: the folder given, or else the one below MERBENCH_DATA if it is there."""
    given: Path | None = getattr(plugin, name)
    base = os.environ.get("MERBENCH_DATA")
    if given is not None or not base:
        return given
    field = next(f for f in dataclasses.fields(plugin) if f.name == name)
    path = Path(base) / field.metadata["env"]
    return path if path.exists() else None


def has_option(cls: type, key: str) -> bool:
    """Tell whether a plug-in class declares this option."""
    return any(f.name == key and "help" in f.metadata for f in dataclasses.fields(typing.cast("Any", cls)))


def describe(cls: type) -> list[tuple[str, str, str, str]]:
    """Return (name, type, default, help) of every option, for the card."""
    hints = _option_types(cls)
    return [
        (f.name, _describe(hints[f.name]), str(_to_json(f.default)), str(f.metadata["help"]))
        for f in dataclasses.fields(typing.cast("Any", cls))
        if "help" in f.metadata
    ]


def split_spec(spec: str) -> tuple[str, dict[str, str]]:
    """Split ``name:key=value,key=value``; lists are written ``key=1+3+5``.

    Raises:
        MerbenchError: a part is not ``key=value``.
    """
    name, _, rest = spec.partition(":")
    values: dict[str, str] = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise MerbenchError(
                f"'{part}' in '{spec}' is not key=value", fix="write name:key=value,key=value"
            )
        values[key.strip()] = value.strip()
    return name, values


def _option_types(cls: type) -> dict[str, Any]:
    """Return the type of every option.

    Only the options' annotations are resolved: those of a card's class variables may name things that
    are imported for the type checker alone.
    """
    names = {f.name for f in dataclasses.fields(typing.cast("Any", cls)) if "help" in f.metadata}
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        declared = {key: hint for key, hint in vars(base).get("__annotations__", {}).items() if key in names}
        scope = vars(sys.modules[base.__module__])
        found |= typing.get_type_hints(types.SimpleNamespace(__annotations__=declared), globalns=scope)
    return found


def _to_json(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_to_json(v) for v in value]
    return str(value) if isinstance(value, Path) else value


def _parse(value: Any, hint: Any) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None or value in ("", "none", "None"):
            if type(None) in args:
                return None
            raise ValueError(value)
        return _parse(value, next(a for a in args if a is not type(None)))
    if origin is tuple:
        parts = value.split("+") if isinstance(value, str) else list(value)
        return tuple(_parse(part, args[0]) for part in parts)
    if origin is Literal:
        if value not in args:
            raise ValueError(value)
        return value
    if hint is bool:
        return value if isinstance(value, bool) else {"true": True, "false": False}[str(value).lower()]
    if hint is Path:
        return Path(value)
    if hint in (int, float, str):
        return hint(value)
    raise TypeError(f"options of type {hint} are not supported")


def read_ranges(text: str) -> tuple[int, ...]:
    """Return the whole numbers that ``3``, ``1-5`` or ``1,3,5`` name, sorted; none if it is none of these."""
    found: set[int] = set()
    try:
        for part in text.split(","):
            low, _, high = part.partition("-")
            found.update(range(int(low), int(high or low) + 1))
    except ValueError:
        return ()
    return tuple(sorted(found))


def _describe(hint: Any) -> str:
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _describe(next(a for a in args if a is not type(None)))
    if origin is tuple:
        return f"list of {_describe(args[0])} (a+b+c)"
    if origin is Literal:
        return " | ".join(map(str, args))
    return {int: "a whole number", float: "a number", bool: "true | false", Path: "a path", str: "text"}.get(
        hint, str(hint)
    )
