"""Functions of tensors that ought to be one kernel each. Importing this module imports torch.

A twin is bound by memory: what counts is how often its media are read and written. Operation by operation
that is many times; compiled into one kernel it is once.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_F = TypeVar("_F", bound="Callable[..., Any]")

_fusing = ContextVar("fusing", default=False)


@contextmanager
def fusing() -> Iterator[None]:
    """Compile every `fused` function that is called in this context, on its first call.

    The bytes stay the same, for kernels hold integers, or float64 arithmetic of which every step is exact.
    """
    token = _fusing.set(True)
    try:
        yield
    finally:
        _fusing.reset(token)


def fused(function: _F) -> _F:
    """Let a function of tensors run as it is written; within `fusing`, as what torch.compile makes of it."""

    @cache
    def compiled() -> Callable[..., Any]:
        return torch.compile(function, dynamic=True)

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        return (compiled() if _fusing.get() else function)(*arguments, **options)

    return cast("_F", call)
