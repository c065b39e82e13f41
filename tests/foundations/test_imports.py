"""Which module may import which: one way only, so that any part can be understood without those above it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# From the ground up; a package may import from its own line only itself, and from every line before it.
LAYERS = (
    ("errors",),
    ("hashing", "options", "compiled"),
    ("rng", "registry", "types", "files", "tables", "strict", "pretrained"),
    ("device",),
    ("corruption", "labels", "targets"),
    ("media",),
    ("datasets", "models", "corruptions"),
    ("protocols",),
    ("suites", "attacks"),
    ("training",),
    ("evaluation",),
    ("statistics",),
    ("record",),
    ("report",),
    ("leaderboard", "regression", "ablation"),
    ("cli",),
    ("__main__",),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part(module: str) -> str | None:
    """The part of the house that a module belongs to: ``merbench.media.decode`` is in ``media``."""
    first, *rest = module.split(".")
    if first == "corruptions":
        return first
    return rest[0] if first == "merbench" and rest else None


def imported(path: Path) -> set[str]:
    """Every module that a file names in an import, wherever in the file, types included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


FILES = sorted(path for folder in ("merbench", "corruptions") for path in (ROOT / folder).rglob("*.py"))


def test_every_part_has_its_place():
    parts = {part(module_of(path)) for path in FILES} - {None}
    assert parts <= LEVEL.keys(), f"give {parts - LEVEL.keys()} a place in LAYERS"


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_go_one_way(path):
    here = part(module_of(path))
    if here is None:
        pytest.skip("the package's front door opens everything")
    for module in imported(path):
        there = part(module)
        if there not in (None, here):
            assert there in LEVEL, f"{module}: give '{there}' a place in LAYERS"
            assert LEVEL[there] < LEVEL[here], (
                f"{module_of(path)} imports {module}, which is above or beside it"
            )


def test_nothing_in_the_package_knows_its_tests_or_examples():
    for path in FILES:
        assert not {m.split(".")[0] for m in imported(path)} & {"tests", "examples", "benchmarks"}, path
