"""merbench: how far a multimodal emotion recognition model can be trusted when the input is spoilt.

The same nouns as the command line::

    data = merbench.load_dataset("ravdess", root=Path("RAVDESS"))
    noise = merbench.parse_corruption("audio/urban_noise", {"noise_root": Path("UrbanSound8K")})
    plan = merbench.make_plan(data, [noise], severities=(1, 3, 5))   # a streamed suite
    suite = merbench.build_suite(plan, Path("suite"))                # the same on disk
    folder, result = merbench.evaluate(plan, "late-fusion", Path("run"))
    plan = merbench.plan_protocol(merbench.load_protocol("meld"))    # everything fixed by a protocol
    found = merbench.compare([Path("other-run"), folder])            # paired, clustered, in plain words
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from merbench.datasets import load_dataset as load_dataset
    from merbench.evaluation.run import evaluate as evaluate
    from merbench.models._load import load_model as load_model
    from merbench.protocols import load_protocol as load_protocol
    from merbench.statistics.compare import compare as compare
    from merbench.suites.build import build_suite as build_suite
    from merbench.suites.plan import make_plan as make_plan
    from merbench.suites.plan import parse_corruption as parse_corruption
    from merbench.suites.protocol import plan_protocol as plan_protocol

__version__ = "0.1.0"

_HOMES = {
    "load_dataset": "merbench.datasets",
    "load_model": "merbench.models._load",
    "load_protocol": "merbench.protocols",
    "make_plan": "merbench.suites.plan",
    "parse_corruption": "merbench.suites.plan",
    "plan_protocol": "merbench.suites.protocol",
    "build_suite": "merbench.suites.build",
    "evaluate": "merbench.evaluation.run",
    "compare": "merbench.statistics.compare",
}

__all__ = [
    "__version__",
    "build_suite",
    "compare",
    "evaluate",
    "load_dataset",
    "load_model",
    "load_protocol",
    "make_plan",
    "parse_corruption",
    "plan_protocol",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for, so that ``import merbench`` costs nothing."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'merbench' has no attribute '{name}'")
