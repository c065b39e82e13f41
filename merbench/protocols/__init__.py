"""Evaluation protocols: what is scored, on what and how, as a committed TOML file each.

A protocol fixes dataset, merged classes, split or folds, corruptions and severities, noise folds, the unit
of analysis and the metric; `load_protocol` reads one, `Protocol.open` makes the dataset that it scores.
"""

from merbench.protocols._check import check_protocol
from merbench.protocols._protocol import PROTOCOLS, Protocol, load_protocol
from merbench.protocols._words import describe, primary_metric, tell_merge, tell_protocol

__all__ = [
    "PROTOCOLS",
    "Protocol",
    "check_protocol",
    "describe",
    "load_protocol",
    "primary_metric",
    "tell_merge",
    "tell_protocol",
]
