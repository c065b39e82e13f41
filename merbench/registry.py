"""Plug-ins by name, found lazily.

An entry point of the group ``merbench.corruptions`` (or ``.datasets``, ``.models``) names a
*package*. Every public module below it is one plug-in whose name is its path:
``corruptions/audio/urban_noise.py`` is ``audio/urban_noise``. Files and folders that begin with an
underscore are the package's private helpers. A module is imported when its plug-in is first asked
for, so listing names costs nothing. One that is broken, or a package of which nothing can be read, takes
nothing else along: `Registry.broken` names each with the reason.

Anybody else's package works exactly as the built-in ones do.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from merbench.errors import MerbenchError

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

_ON_IMPORT = (Exception, SystemExit)
"""What somebody else's module may end in when it is imported."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a plug-in lives: its name, the module to import, and who provides it."""

    name: str
    module: str
    provider: str


def _normal(name: str) -> str:
    """Fold the spellings that mean the same: ``late-fusion``, ``late_fusion``, ``Late_Fusion``."""
    return name.lower().replace("-", "_")


def _scan(package: str, provider: str, separator: str) -> Iterator[Entry]:
    """Yield an entry per public module of `package`, without importing any of them."""
    failed = ""
    try:
        spec = find_spec(package)
    except _ON_IMPORT as error:  # of a parent package
        spec, failed = None, f": {type(error).__name__}: {error}"
    if spec is None or spec.submodule_search_locations is None:
        raise MerbenchError(
            f"entry point '{provider}' names '{package}', which is not an importable package{failed}",
            fix=f"reinstall the distribution that provides it, or remove '{provider}'",
        )
    hiding = [root for root in spec.submodule_search_locations if not any(Path(root).rglob("*.py"))]
    if spec.origin is None and hiding:
        raise MerbenchError(
            f"the package '{package}', of entry point '{provider}', is hidden by the folder {hiding[0]}",
            fix="rename that folder, or run from another one",
        )
    for root in spec.submodule_search_locations:
        for path in sorted(Path(root).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            if not any(part.startswith("_") for part in parts):
                name = "/".join(parts).replace("_", separator)
                yield Entry(name, ".".join((package, *parts)), provider)


class Registry(Generic[T]):
    """The plug-ins of one kind.

    Args:
        kind: the noun in messages, e.g. ``"corruption"``.
        group: the entry-point group whose packages are scanned.
        base: the contract class; a plug-in module defines exactly one concrete subclass of it.
        separator: what joins words in names (``late-fusion`` is ``late_fusion.py``).
    """

    def __init__(self, kind: str, group: str, base: type[T], separator: str = "_") -> None:
        self.kind = kind
        self.group = group
        self.base = base
        self.separator = separator
        self._loaded: dict[str, type[T]] = {}
        self._unreadable: dict[str, MerbenchError] = {}

    @cached_property
    def _entries(self) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for point in sorted(entry_points(group=self.group), key=lambda point: point.name):
            try:
                entries = list(_scan(point.value, point.name, self.separator))
            except MerbenchError as error:
                self._unreadable[point.name] = error
                continue
            for entry in entries:
                key = _normal(entry.name)
                if key in found:
                    raise MerbenchError(
                        f"two {self.kind}s are named '{entry.name}': {found[key].module} (from "
                        f"'{found[key].provider}') and {entry.module} (from '{entry.provider}')",
                        fix="rename one of the files or uninstall one of the packages",
                    )
                found[key] = entry
        return dict(sorted(found.items()))

    def names(self) -> list[str]:
        """Return every registered name, sorted; imports nothing."""
        return [entry.name for entry in self._entries.values()]

    def broken(self) -> dict[str, MerbenchError]:
        """Return what cannot be used and why, by plug-in, or by provider if its package cannot be read.

        Every plug-in is imported for it.
        """
        names, found = self.names(), dict(self._unreadable)
        for name in names:
            try:
                self[name]
            except MerbenchError as error:
                found[name] = error
        return found

    def __contains__(self, name: str) -> bool:
        return _normal(name) in self._entries

    def entry(self, name: str) -> Entry:
        """Return where the plug-in `name` lives.

        Raises:
            MerbenchError: nothing is registered under this name; the message suggests near names.
        """
        try:
            return self._entries[_normal(name)]
        except KeyError:
            raise self._unknown(name) from None

    def __getitem__(self, name: str) -> type[T]:
        """Return the class of the plug-in `name`, importing its module on first use.

        Raises:
            MerbenchError: the name is unknown, or its module is broken.
        """
        entry = self.entry(name)
        if entry.name not in self._loaded:
            self._loaded[entry.name] = self._load(entry)
        return self._loaded[entry.name]

    def _load(self, entry: Entry) -> type[T]:
        try:
            module = importlib.import_module(entry.module)
        except _ON_IMPORT as error:
            raise MerbenchError(
                f"{self.kind} '{entry.name}' cannot be imported: {type(error).__name__}: {error}",
                fix=f"mend {entry.module} or uninstall the package that provides it",
            ) from error
        classes = [
            value
            for value in vars(module).values()
            if inspect.isclass(value)
            and issubclass(value, self.base)
            and value.__module__ == module.__name__
            and not inspect.isabstract(value)
        ]
        if len(classes) != 1:
            raise MerbenchError(
                f"{entry.module} defines {len(classes)} concrete {self.base.__name__} classes",
                fix=f"a {self.kind} is one file with exactly one of them",
            )
        found = cast("Any", classes[0])
        found.name = entry.name
        return cast("type[T]", found)

    def _unknown(self, name: str) -> MerbenchError:
        if self._unreadable:
            unread = "; ".join(map(str, self._unreadable.values()))
            return MerbenchError(f"there is no {self.kind} named '{name}' in what can be read, and {unread}")
        near = difflib.get_close_matches(_normal(name), self._entries, n=3, cutoff=0.5)
        tails = [key for key in self._entries if key.rsplit("/", 1)[-1] == _normal(name)]
        hints = [self._entries[key].name for key in dict.fromkeys(tails + near)]
        if hints:
            fix = f"did you mean {' or '.join(hints[:3])}? 'merbench list {self.kind}s' shows all"
        else:
            fix = f"choose one of {', '.join(self.names())}"
        return MerbenchError(f"there is no {self.kind} named '{name}'", fix=fix)
