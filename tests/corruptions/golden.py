"""The bytes that every exact corruption gives on a fixed batch, as hashes that any machine must reproduce.

``python -m tests.corruptions.golden`` prints the hashes as JSON. With ``--write`` it commits them to
golden.json, and refuses where a corruption's bytes moved though its version was not raised.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from merbench.corruption import Corruption, corruptions
from merbench.hashing import hash_array, hash_json
from merbench.options import build, has_option
from merbench.types import SEVERITIES, Batch
from tests.corruptions import urban
from tests.corruptions.samples import awkward, ordinary, pool, suited

GOLDEN = Path(__file__).with_name("golden.json")

Hashes = dict[str, dict[str, str]]


def compute() -> Hashes:
    """Return ``corruption@version -> severity -> hash`` of every exact built-in corruption."""
    with TemporaryDirectory() as folder:
        root = urban.write(Path(folder))
        found: Hashes = {}
        for name in corruptions.names():
            cls = corruptions[name]
            if corruptions.entry(name).provider == "builtin" and cls.exactness == "exact":
                options = {"noise_root": root} if has_option(cls, "noise_root") else {}
                found[f"{name}@{cls.version}"] = _hashes(build(cls, name, options))
        return found


def _hashes(corruption: Corruption) -> dict[str, str]:
    usual = suited(corruption.name, ordinary(12, size=112))
    samples = [*ordinary(12, sample_rate=44_100), *usual, *awkward().values()]
    params = corruption.draw_all(samples, pool(samples), "golden")
    hashes = {}
    for severity in SEVERITIES:
        batch, _ = corruption.apply(Batch.of(samples), params, pool(samples), **corruption.strength(severity))
        arrays = [a if a is None else hash_array(a) for a in (*batch.audio, *batch.frames)]
        hashes[str(severity)] = hash_json([arrays, list(batch.text)])
    return hashes


def moved(old: Hashes, new: Hashes) -> list[str]:
    """Return the corruptions whose bytes differ under an unchanged version."""
    return sorted(key for key in old.keys() & new.keys() if old[key] != new[key])


def main(arguments: list[str], path: Path = GOLDEN) -> None:
    """Print the hashes, and commit them if asked to."""
    found = compute()
    text = json.dumps(found, indent=1, sort_keys=True)
    if "--write" in arguments:
        changed = moved(json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}, found)
        if changed:
            sys.exit(f"the bytes of {', '.join(changed)} moved: raise the version of each first")
        path.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
