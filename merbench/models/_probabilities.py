"""Between logits and probabilities, for models that merge labels or average answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

_SMALLEST = float(np.finfo(np.float32).tiny)  # stands for a probability of 0, whose log is not finite


def softmax(logits: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return probabilities [..., C] for logits [..., C]."""
    shifted = np.exp(np.asarray(logits, dtype=np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def log(probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return finite logs of probabilities; that of 0 is that of the smallest normal float32."""
    return np.asarray(np.log(np.maximum(probabilities, _SMALLEST)), dtype=np.float64)


def merging(names: Sequence[str], labels: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return the matrix [len(names), len(labels)] that adds up the probabilities of columns of one name."""
    return np.array([[float(name == label) for label in labels] for name in names])
