"""Where to compute."""

from __future__ import annotations

import ctypes
import sys

from merbench.errors import MerbenchError

PRECISIONS = ("float32", "bfloat16", "float16")


def check_precision(wanted: str) -> str:
    """Return `wanted` if it is one of `PRECISIONS`.

    Raises:
        MerbenchError: it is not.
    """
    if wanted not in PRECISIONS:
        raise MerbenchError(f"there is no precision '{wanted}'", fix=f"write {', '.join(PRECISIONS)}")
    return wanted


def find_device(wanted: str) -> str:
    """Return ``cpu`` or ``cuda:N`` for what ``--device`` says.

    Importing torch takes a second, so ``auto`` asks it only where there is a driver it could use.

    Raises:
        MerbenchError: it names no device, or one that is not here.
    """
    if wanted == "cpu":
        return wanted
    kind, _, index = wanted.partition(":")
    if kind not in ("auto", "cuda") or (index and not index.isdecimal()) or (kind == "auto" and index):
        raise MerbenchError(f"there is no device '{wanted}'", fix="write auto, cpu, cuda or cuda:N")
    if kind == "auto" and not _has_driver():
        return "cpu"
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "auto":
        return "cuda:0" if count else "cpu"
    if int(index or 0) >= count:
        found = f"only {count}" if count else "no CUDA device"
        raise MerbenchError(
            f"--device {wanted} was asked for, and this machine has {found} that torch {torch.__version__} "
            "can use",
            fix="pass --device auto or cpu, or install a torch build for your driver",
        )
    return f"cuda:{index or 0}"


def _has_driver() -> bool:
    """Tell whether NVIDIA's driver library is installed."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True
