"""Writing that survives `kill -9`, full disks and a second process."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from typing import IO, TYPE_CHECKING

from merbench.errors import MerbenchError, WriteError
from merbench.hashing import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

_TEMPORARY = ".part"
_LOCK = ".lock"

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file size limit is reached",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    errno.EIO: "the disk reports an input/output error",
}


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses while `path` is being written into one clear line.

    Raises:
        WriteError: disk full, quota, size limit, permission, read-only file system, or I/O error.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _REASONS:
            raise
        raise WriteError(
            f"cannot write {path}: {_REASONS[error.errno]}",
            fix="what was complete before is still there: make room and run the same command again to go on",
        ) from error


@contextlib.contextmanager
def atomic(path: Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """Open a file that appears under its name only when it is complete and on disk.

    What is made again in a second (thousands of pages) need not be `durable`: it is complete or not
    there, but nobody waits for the disk.

    The bytes go to a temporary file in the same folder, are synced, and the file is renamed; on any
    error the temporary file is removed. After `kill -9` a left-over is swept by `sweep`.

    Raises:
        WriteError: the operating system refuses.
    """
    temporary = path.with_name(f".{path.name}{_TEMPORARY}")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as handle:
                yield handle
                handle.flush()
                if durable:
                    os.fsync(handle.fileno())
            temporary.replace(path)
            if durable:
                _sync_folder(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_json(path: Path, value: Any) -> None:
    """Write canonical JSON, readable (two spaces), atomically."""
    import json

    canonical_json(value)  # refuses NaN and what is not JSON before anything is opened
    with atomic(path) as handle:
        handle.write((json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode())


def contents(folder: Path) -> list[Path]:
    """Return what is in a folder, our lock and the left-overs of a killed process aside."""
    there = folder.iterdir() if folder.exists() else ()
    return [path for path in there if path.name != _LOCK and not _is_leftover(path)]


def sweep(folder: Path) -> None:
    """Remove the temporary files that a killed process left behind."""
    for left in filter(_is_leftover, folder.rglob("*")):
        left.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` against a second writer; the lock goes with the process, however it ends.

    Raises:
        MerbenchError: another process is writing here, or the path is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise MerbenchError(f"{folder} is a file, not a folder", fix="choose another --out")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / _LOCK).open("w")
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MerbenchError(
                f"another process is writing {folder}", fix="wait until it is done, or choose another --out"
            ) from None
        yield


def _is_leftover(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(_TEMPORARY)


def _sync_folder(folder: Path) -> None:
    """Make a rename durable: the folder's entry must reach the disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
