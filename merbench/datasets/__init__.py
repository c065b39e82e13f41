"""Dataset readers, one per file; `merbench.datasets._base` says what a reader owes."""

from merbench.datasets._base import (
    Card,
    CheckReport,
    Dataset,
    Finding,
    datasets,
    default_root,
    load_dataset,
)

__all__ = ["Card", "CheckReport", "Dataset", "Finding", "datasets", "default_root", "load_dataset"]
