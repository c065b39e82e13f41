"""A small trained tri-modal model: one encoder per modality, their evidence added up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from merbench.hashing import combine, hash_file
from merbench.models._adapter import SplitAdapter, TrainingRecord, Wants
from merbench.models._late_fusion import checkpoint, features
from merbench.options import located, resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy.typing as npt

    from merbench.models._late_fusion.network import LateFusionNetwork
    from merbench.types import Batch, Modality

_HOME = Path(__file__).with_name("_late_fusion")
_CODE = (Path(__file__), *(_HOME / f"{module}.py" for module in ("features", "network", "checkpoint")))


@dataclass(eq=False)
class LateFusion(SplitAdapter):
    """Log-mel, picture and spelling encoders trained on the synthetic set; see its MODEL_CARD.md."""

    folder: Path | None = resource(
        "weights and record written by merbench.training.late_fusion, instead of the shipped ones",
        env="late-fusion",
    )

    wants = Wants(sample_rate=features.SAMPLE_RATE, frame_size=224)

    def __post_init__(self) -> None:
        self._folder = located(self, "folder") or _HOME
        record = checkpoint.load_record(self._folder)
        self.labels = tuple(record["labels"])
        trained = record["trained_on"]
        self.trained_on = (
            TrainingRecord(
                dataset=trained["dataset"],
                samples=frozenset(
                    f"{split}-{i:05d}" for split, size in trained["samples"].items() for i in range(size)
                ),
                speakers=frozenset(trained["speakers"]),
                options=trained["options"],
            ),
        )

    def encode(self, modality: Modality, batch: Batch) -> npt.NDArray[np.float32]:
        """Return the evidence [N, C] that one modality gives for each label."""
        import torch

        media: dict[Modality, Iterable[Any]] = {
            "audio": batch.audio,
            "vision": batch.frames,
            "text": batch.text,
        }
        read = features.READERS[modality]
        with torch.inference_mode():
            evidence = self._network.encode(modality, [read(row) for row in media[modality]])
        return np.asarray(evidence)

    def fuse(
        self,
        encodings: Mapping[Modality, npt.NDArray[np.float32]],
        present: Mapping[Modality, npt.NDArray[np.bool_]],
    ) -> npt.NDArray[np.float32]:
        """Return the prior plus the evidence of the modalities that are there."""
        rows = len(next(iter(present.values())))
        logits = np.tile(self._network.prior.numpy(), (rows, 1))
        for modality, evidence in encodings.items():
            logits[present[modality]] += evidence[present[modality]]
        return logits

    def fingerprint(self) -> str:
        """Return a hash over weights, record and code."""
        return combine(hash_file(path) for path in (*checkpoint.files(self._folder), *_CODE))

    def parameters(self) -> int:
        """Return how many weights the network has."""
        return sum(weight.numel() for weight in self._network.parameters())

    @cached_property
    def _network(self) -> LateFusionNetwork:
        return checkpoint.load_network(self._folder, len(self.labels))
