"""The bytes that corruptions give on a fixed batch, as hashes.

golden.json holds those of every exact corruption, which any machine must reproduce; golden_pinned.json
those of every pinned one, by build of its libraries. ``python -m tests.corruptions.golden`` prints the
exact ones as JSON. With ``--write`` it commits both (the pinned ones beside those of other builds), and
refuses where a corruption's bytes moved though its version was not raised.
"""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from merbench.corruption import Corruption, corruptions
from merbench.hashing import hash_array, hash_json
from merbench.options import build
from merbench.types import SEVERITIES, Batch
from tests.corruptions import outside
from tests.corruptions.samples import awkward, ordinary, pool, suited

if TYPE_CHECKING:
    from merbench.types import Sample

GOLDEN = Path(__file__).with_name("golden.json")
PINNED = Path(__file__).with_name("golden_pinned.json")

Hashes = dict[str, dict[str, str]]


def names(exactness: str) -> list[str]:
    """Return the built-in corruptions of that exactness."""
    built_in = [name for name in corruptions.names() if corruptions.entry(name).provider == "builtin"]
    return [name for name in built_in if corruptions[name].exactness == exactness]


def compute() -> Hashes:
    """Return ``corruption@version -> severity -> hash`` of every exact built-in corruption."""
    with TemporaryDirectory() as folder:
        return {key(name): _hashes(_made(name, folder), _many(name)) for name in names("exact")}


def pinned(name: str) -> dict[str, str]:
    """Return ``severity -> hash`` of a pinned corruption: on five samples, for codecs take their time."""
    few = [*ordinary(2, sample_rate=44_100), *ordinary(3, size=112)]
    with TemporaryDirectory() as folder:
        return _hashes(_made(name, folder), few)


def key(name: str) -> str:
    """Return ``corruption@version``."""
    return f"{name}@{corruptions[name].version}"


def build_of(name: str) -> str:
    """Return the build that a pinned corruption's bytes belong to: its libraries, and the processor.

    Codecs choose among their kernels by what the processor can do, and some of these compute in floats.
    """
    from numpy._core._multiarray_umath import __cpu_features__ as can

    wide = next((name for name in ("AVX512_SKX", "AVX2") if can.get(name)), "neither AVX512 nor AVX2")
    processor = f"{platform.system()} {platform.machine()}" + (f" {wide}" if "AVX2" in can else "")
    return ", ".join([*(f"{one} {version(one)}" for one in corruptions[name].libraries), processor])


def _made(name: str, folder: str) -> Corruption:
    return build(corruptions[name], name, outside.options(corruptions[name], Path(folder)))


def _many(name: str) -> list[Sample]:
    usual = suited(name, ordinary(12, size=112))
    return [*ordinary(12, sample_rate=44_100), *usual, *awkward().values()]


def _hashes(corruption: Corruption, samples: list[Sample]) -> dict[str, str]:
    params = corruption.draw_all(samples, pool(samples), "golden")
    hashes = {}
    for severity in SEVERITIES:
        batch, _ = corruption.apply(Batch.of(samples), params, pool(samples), **corruption.strength(severity))
        arrays = [a if a is None else hash_array(a) for a in (*batch.audio, *batch.frames)]
        hashes[str(severity)] = hash_json([arrays, list(batch.text)])
    return hashes


def moved(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return the corruptions whose bytes differ under an unchanged version."""
    return sorted(key for key in old.keys() & new.keys() if old[key] != new[key])


def committed(path: Path) -> dict[str, Any]:
    """Return what a file of hashes holds; nothing if there is none."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def main(arguments: list[str], path: Path = GOLDEN, beside: Path = PINNED) -> None:
    """Print the exact hashes, and commit all if asked to."""
    found = compute()
    text = json.dumps(found, indent=1, sort_keys=True)
    if "--write" in arguments:
        old, here = committed(beside), {key(n): {build_of(n): pinned(n)} for n in names("pinned")}
        known = {k: {b: old.get(k, {}).get(b, h) for b, h in new.items()} for k, new in here.items()}
        changed = [*moved(committed(path), found), *moved(known, here)]
        if changed:
            sys.exit(f"the bytes of {', '.join(changed)} moved: raise the version of each first")
        path.write_text(text + "\n", encoding="utf-8")
        merged = {k: {**old.get(k, {}), **new} for k, new in here.items()}
        beside.write_text(json.dumps(merged, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
