"""What a run was made with: kept with its figures, for they may depend on it."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_TOOLS = ("merbench", "numpy", "torch", "onnxruntime", "pyarrow", "scikit-learn", "transformers")


def environment(device: str) -> dict[str, Any]:
    """Return what the figures were made with: versions, processor, cores, and the model's `device`."""
    tools: dict[str, str | None] = {}
    for tool in _TOOLS:
        try:
            tools[tool] = version(tool)
        except PackageNotFoundError:
            tools[tool] = None
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        "device": device if device == "cpu" else _card(device),
        "tools": tools,
    }


def _card(device: str) -> str:
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})"
