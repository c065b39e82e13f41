"""Models behind one interface, one per file; `merbench.models._adapter` says what a model owes."""

from merbench.models._adapter import (
    UNRECORDED,
    Adapter,
    Answered,
    Differentiable,
    SplitAdapter,
    TensorMedia,
    TrainingRecord,
    Valued,
    Wants,
    models,
    scatter,
)

__all__ = [
    "UNRECORDED",
    "Adapter",
    "Answered",
    "Differentiable",
    "SplitAdapter",
    "TensorMedia",
    "TrainingRecord",
    "Valued",
    "Wants",
    "models",
    "scatter",
]
