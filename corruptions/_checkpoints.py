"""The models of others that a corruption runs: which files they are, and what these hold."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from merbench.hashing import combine, hash_file

if TYPE_CHECKING:
    from pathlib import Path


@cache
def checkpoint_folder(name: str) -> Path:
    """Return the folder of a checkpoint that is named by a folder or as owner/model on the hub.

    Raises:
        MerbenchError: there is none, and the hub cannot be asked or has none.
    """
    from merbench.pretrained import find_checkpoint

    return find_checkpoint(name, None)


@cache
def checkpoint_hash(name: str) -> str:
    """Return one hash over weights, configuration and vocabulary of a checkpoint, read once per process.

    Raises:
        MerbenchError: as for its folder.
    """
    from merbench.pretrained import content

    return combine(f"{path.name} {hash_file(path)}" for path in content(checkpoint_folder(name)))
