"""Identities: what a thing *is*, as a hash that anybody can compute again.

Hashes cover decoded content (arrays, text, canonical JSON), never file containers, paths, times or
tool versions.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_CHUNK = 1 << 20


def canonical_json(value: Any) -> str:
    """Return JSON with sorted keys, no spaces, no NaN, so that equal values have equal text.

    Raises:
        ValueError: the value holds a NaN or an infinity.
        TypeError: the value is not JSON.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def hash_text(text: str) -> str:
    """Return the sha256 of UTF-8 text as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def hash_json(value: Any) -> str:
    """Return the sha256 of the canonical JSON of `value`."""
    return hash_text(canonical_json(value))


def hash_array(array: np.ndarray) -> str:
    """Return the sha256 over element type, shape and C-ordered bytes of an array."""
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def hash_file(path: Path) -> str:
    """Return the sha256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def merkle_root(leaves: Mapping[str, str]) -> str:
    """Return one hash over named hashes; the order in which they are given does not matter."""
    return hash_json(sorted(leaves.items()))


def combine(parts: Iterable[str]) -> str:
    """Return one hash over an ordered sequence of strings."""
    return hash_json(list(parts))
