"""Whether a released checkpoint and its parts are what they ought to be, before anything is run with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from merbench.models._emotion_llama import pretrained
from merbench.models._emotion_llama.assemble import on_meta
from merbench.models._emotion_llama.released import inspect_released, trained_shapes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from merbench.models._emotion_llama.config import Config
    from merbench.models._emotion_llama.weights import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What one file or folder holds: `found` of `expected` tensors, names left aside, and what is wrong."""

    part: str
    source: str
    expected: int
    found: int
    ignored: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether everything is as it ought to be."""
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "part": self.part,
            "source": self.source,
            "ok": self.ok,
            "expected": self.expected,
            "found": self.found,
            "ignored": list(self.ignored),
            "findings": [{"kind": f.kind, "tensor": f.tensor, "detail": f.detail} for f in self.findings],
        }


def inspect(
    config: Config, checkpoint: Path | None, sources: Mapping[str, str | None]
) -> Iterator[Inspection]:
    """Read everything that is given, values included, and compare it with what the configuration needs.

    Raises:
        MerbenchError: something cannot be read at all, or holds anything that would be executed.
    """
    if checkpoint is not None:
        released = inspect_released(checkpoint, config)
        yield Inspection(
            part="checkpoint",
            source=str(checkpoint),
            expected=len(trained_shapes(config)),
            found=len(released.tensors),
            ignored=released.ignored,
            findings=released.findings,
        )
    network = on_meta(config)
    for part, source in sources.items():
        if source is not None and (module := pretrained.part_of(network, part)) is not None:
            held = pretrained.inspect_part(module, source, torch.float16)
            yield Inspection(
                part=part,
                source=source,
                expected=len(module.state_dict()),
                found=len(held.tensors),
                ignored=held.ignored,
                findings=held.findings,
            )
