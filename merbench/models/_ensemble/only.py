"""A model that is given some of its modalities only: an ablation, or a specialist for a router."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from merbench.errors import MerbenchError
from merbench.hashing import combine, hash_file
from merbench.models._adapter import Adapter, SplitAdapter
from merbench.options import option
from merbench.types import MODALITIES, Modality

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from merbench.types import Batch


@dataclass(frozen=True)
class Only:
    """What ``only(MODEL; modalities=audio+text)`` says."""

    modalities: tuple[Modality, ...] = option((), "what the model is given; the rest is missing to it")


def restrict(inner: Adapter, only: Only) -> Adapter:
    """Return the model as one that reads these modalities, and finds the others missing.

    Raises:
        MerbenchError: none is named, or one that the model does not read.
    """
    foreign = [m for m in only.modalities if m not in inner.uses]
    if foreign or not only.modalities:
        what = f"'{inner.name}' does not read {foreign[0]}" if foreign else "only(...) names no modality"
        raise MerbenchError(what, fix=f"write modalities= with some of {'+'.join(inner.uses)}")
    uses = tuple(m for m in MODALITIES if m in only.modalities)
    return _OnlySplit(inner, uses) if isinstance(inner, SplitAdapter) else _Only(inner, uses)


class _Only(Adapter):
    def __init__(self, inner: Adapter, uses: tuple[Modality, ...]) -> None:
        _take_over(self, inner, uses)
        self._inner = inner

    def predict(self, batch: Batch) -> Any:
        return self._inner.predict(batch.only(*self.uses))

    def parse(self, answer: str) -> str | None:
        return self._inner.parse(answer)

    def fingerprint(self) -> str | None:
        return _fingerprint(self._inner, self.uses)

    def parameters(self) -> int | None:
        return self._inner.parameters()


class _OnlySplit(SplitAdapter):
    def __init__(self, inner: SplitAdapter, uses: tuple[Modality, ...]) -> None:
        _take_over(self, inner, uses)
        self._inner = inner

    def encode(self, modality: Modality, batch: Batch) -> npt.NDArray[np.float32]:
        return self._inner.encode(modality, batch)

    def fuse(
        self,
        encodings: Mapping[Modality, npt.NDArray[np.float32]],
        present: Mapping[Modality, npt.NDArray[np.bool_]],
    ) -> Any:
        nowhere = np.zeros(len(next(iter(present.values()))), dtype=bool)
        return self._inner.fuse(encodings, {m: present.get(m, nowhere) for m in self._inner.uses})

    def parse(self, answer: str) -> str | None:
        return self._inner.parse(answer)

    def fingerprint(self) -> str | None:
        return _fingerprint(self._inner, self.uses)

    def parameters(self) -> int | None:
        return self._inner.parameters()


def _take_over(adapter: Adapter, inner: Adapter, uses: tuple[Modality, ...]) -> None:
    adapter.name = f"only({inner.name}; {'+'.join(uses)})"
    adapter.labels, adapter.wants, adapter.uses = inner.labels, inner.wants, uses
    adapter.trained_on, adapter.batch_size = inner.trained_on, inner.batch_size


def _fingerprint(inner: Adapter, uses: tuple[Modality, ...]) -> str | None:
    own = inner.fingerprint()
    return None if own is None else combine([own, *uses, hash_file(Path(__file__))])
