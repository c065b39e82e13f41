"""Tensors out of files from elsewhere: read as data, never executed, and looked at before they are used."""

from __future__ import annotations

import argparse
import pickle
import re
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from merbench.errors import MerbenchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

Kind = Literal["missing", "unknown", "twice", "shape", "dtype", "not finite"]

_FLOATS = (torch.float16, torch.bfloat16, torch.float32)
_GLOBAL = re.compile(r"Unsupported (?:global|class|operand)[^\n]*?([\w.]+\.[\w.]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Finding:
    """One tensor that is not as it must be."""

    kind: Kind
    tensor: str
    detail: str

    def __str__(self) -> str:
        return f"{self.tensor}: {self.detail}"


def read_weights(path: Path) -> dict[str, Any]:
    """Return what a ``.safetensors`` file or a file of `torch.save` holds, on the CPU.

    Pickles are read by torch's restricted loader, which makes tensors and plain containers and refuses
    everything else; `argparse.Namespace`, a plain container in which the MAE and VideoMAE code keeps its
    settings, is let through. Tensors are mapped from the file where its format allows it, so that an
    optimiser's state that lies beside them costs no memory.

    Raises:
        MerbenchError: there is no such file, it is damaged, or it holds something that would be executed.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        with torch.serialization.safe_globals([argparse.Namespace]):
            held = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except OSError as error:
        raise MerbenchError(
            f"{path} cannot be read ({error.strerror or error})", fix="check the path"
        ) from error
    except pickle.UnpicklingError as error:
        named = _GLOBAL.search(str(error))
        raise MerbenchError(
            f"{path} holds {f'code ({named[1]})' if named else 'something'} that is no tensor: "
            "it was refused, and nothing of it was executed",
            fix="download it again from its authors, or convert it to .safetensors where you trust it",
        ) from error
    except Exception as error:  # damaged files fail in as many ways as there are parsers
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise MerbenchError(f"{path} is no file of tensors ({reason[0]})", fix="download it again") from error
    if not isinstance(held, dict):
        raise MerbenchError(
            f"{path} holds a {type(held).__name__} and no table of tensors", fix="give another file"
        )
    return held


def compare(
    tensors: Mapping[str, Any], expected: Mapping[str, Sequence[int]], *, values: bool = True
) -> Iterator[Finding]:
    """Yield what is wrong with `tensors` that ought to have the shapes `expected`, in the expected order.

    Tensors that are not expected are the caller's business. `values` also looks for NaN and infinities.
    """
    for name, shape in expected.items():
        tensor = tensors.get(name)
        if tensor is None:
            yield Finding("missing", name, f"is not there, it ought to be {list(shape)}")
        elif not isinstance(tensor, Tensor):
            yield Finding("dtype", name, f"a {type(tensor).__name__} instead of a tensor")
        elif tuple(tensor.shape) != tuple(shape):
            yield Finding("shape", name, f"has the shape {list(tensor.shape)}, it ought to be {list(shape)}")
        elif tensor.dtype not in _FLOATS:
            kind = str(tensor.dtype).removeprefix("torch.")
            yield Finding("dtype", name, f"is {kind}, it ought to be float16, bfloat16 or float32")
        elif values and not bool(torch.isfinite(tensor).all()):
            wrong = int((~torch.isfinite(tensor)).sum())
            yield Finding("not finite", name, f"{wrong} of {tensor.numel()} values are NaN or infinite")


def refuse(path: object, findings: Sequence[Finding], what: str) -> None:
    """Raise if there are findings, naming the first.

    Raises:
        MerbenchError: there are.
    """
    if findings:
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        raise MerbenchError(
            f"{path} is not {what}: {findings[0]}{more}",
            fix="'merbench model check emollama' lists everything; get it again, or give the right size",
        )
