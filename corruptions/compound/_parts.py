"""What corruptions share that are made of others."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from merbench.corruption import Corruption, Measure, corruptions
from merbench.hashing import combine
from merbench.options import build
from merbench.types import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from merbench.device import DeviceBatch
    from merbench.rng import Stream
    from merbench.types import Achieved, Params, Pool, Sample

B = TypeVar("B", bound=Batch)


@dataclass(frozen=True)
class Compound(Corruption):
    """Applies its parts one after the other, each at the compound's own severity.

    A part draws from a stream named by its slot, so that a part that is added or taken away leaves the
    others as they were. The compound applies where any of its parts does, and reports all of them.
    """

    device_tolerance: ClassVar[int | None] = 0
    severity: ClassVar = {"level": (1.0, 2.0, 3.0, 4.0, 5.0)}
    measure = Measure("level", "level", worse="higher", kind="per-sample", tolerance=0.0)

    @abstractmethod
    def recipe(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return by slot, in order, the name of a corruption and its options."""

    @cached_property
    def parts(self) -> dict[str, Corruption]:
        """The corruptions by slot, in the order in which they are applied."""
        return {
            slot: build(corruptions[name], name, options) for slot, (name, options) in self.recipe().items()
        }

    def content_hash(self) -> str:
        """Return a hash over the parts' versions and data: with others the bytes are others."""
        return combine(
            f"{slot}:{part.name}@{part.version}:{part.content_hash()}" for slot, part in self.parts.items()
        )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Draw for every part."""
        return {slot: part.draw(rng.child(slot), sample, pool) for slot, part in self.parts.items()}

    def apply(
        self, batch: Batch, params: Sequence[Params], pool: Pool, *_: Any, level: float
    ) -> tuple[Batch, list[Achieved]]:
        """Apply every part."""

        def apply(part: Corruption, batch: Batch, drawn: list[Params]) -> tuple[Batch, list[Achieved]]:
            return part.apply(batch, drawn, pool, **part.strength(int(level)))

        return self._in_turn(apply, batch, params, level)

    def apply_on_device(
        self, batch: DeviceBatch, params: Sequence[Params], pool: Pool, *_: Any, level: float
    ) -> tuple[DeviceBatch, list[Achieved]]:
        """Apply every part: those with a twin on the device, the others on the host."""

        def apply(
            part: Corruption, batch: DeviceBatch, drawn: list[Params]
        ) -> tuple[DeviceBatch, list[Achieved]]:
            return part.apply_on_device(batch, drawn, pool, **part.strength(int(level)))

        return self._in_turn(apply, batch, params, level)

    def _in_turn(
        self,
        apply: Callable[[Corruption, B, list[Params]], tuple[B, list[Achieved]]],
        batch: B,
        params: Sequence[Params],
        level: float,
    ) -> tuple[B, list[Achieved]]:
        reports: list[dict[str, Achieved]] = [{} for _ in params]
        for slot, part in self.parts.items():
            batch, achieved = apply(part, batch, [row[slot] for row in params])
            for report, done in zip(reports, achieved, strict=True):
                report[slot] = done
        return batch, [_summary(report, level) for report in reports]


def _summary(parts: dict[str, Achieved], level: float) -> Achieved:
    if any(done["applied"] for done in parts.values()):
        return {"applied": True, "level": level, "parts": parts}
    reasons = "; ".join(dict.fromkeys(str(done["reason"]) for done in parts.values()))
    return {"applied": False, "level": None, "reason": reasons}
