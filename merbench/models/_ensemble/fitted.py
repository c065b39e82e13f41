"""Weights that a validation split has shown, on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from merbench.errors import MerbenchError
from merbench.files import write_json
from merbench.models._adapter import TrainingRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from merbench.types import Modality


@dataclass(frozen=True)
class Fitted:
    """What was fitted, for which models, and on what.

    `members` are (name, fingerprint) in order; `weights` sum to 1; `quality` is the median quality of
    each modality when nothing is wrong with it; `trigrams` are the letters that follow each other in clean
    texts (`quality.spelling`); `samples` and `speakers` were tuned on.
    """

    members: tuple[tuple[str, str | None], ...]
    weights: tuple[float, ...]
    quality: Mapping[Modality, float]
    trigrams: frozenset[str]
    dataset: str
    options: Mapping[str, Any]
    split: str
    samples: tuple[str, ...]
    speakers: tuple[str, ...]

    @property
    def record(self) -> TrainingRecord:
        """What evaluation must not score again without saying so."""
        return TrainingRecord(
            dataset=self.dataset,
            samples=frozenset(self.samples),
            speakers=frozenset(self.speakers),
            options=dict(self.options),
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as it is written."""
        return {
            "members": [{"name": name, "fingerprint": own} for name, own in self.members],
            "weights": list(self.weights),
            "quality": dict(self.quality),
            "trigrams": sorted(self.trigrams),
            "dataset": self.dataset,
            "options": dict(self.options),
            "split": self.split,
            "samples": list(self.samples),
            "speakers": list(self.speakers),
        }

    def write(self, path: Path) -> None:
        """Write it."""
        write_json(path, self.to_json())

    @classmethod
    def read(cls, path: Path, members: Sequence[tuple[str, str | None]]) -> Fitted:
        """Read what was fitted for these models.

        Raises:
            MerbenchError: it is not there, is damaged, or was fitted for other models or other weights.
        """
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
            found = cls(
                members=tuple((str(m["name"]), m["fingerprint"]) for m in value["members"]),
                weights=tuple(float(w) for w in value["weights"]),
                quality={m: float(q) for m, q in value["quality"].items()},
                trigrams=frozenset(map(str, value["trigrams"])),
                dataset=str(value["dataset"]),
                options=dict(value["options"]),
                split=str(value["split"]),
                samples=tuple(value["samples"]),
                speakers=tuple(value["speakers"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise MerbenchError(
                f"{path} does not hold fitted weights ({type(error).__name__})",
                fix="write it with 'merbench model fit'",
            ) from error
        if found.members != tuple(members):
            names = ", ".join(name for name, _ in found.members)
            raise MerbenchError(
                f"{path} was fitted for other models or other weights of them ({names})",
                fix="fit it again with 'merbench model fit', with the same models in the same order",
            )
        return found
