"""Attacks on a model, one per file; `merbench.attacks._attack` says what an attack owes."""

from merbench.attacks._attack import (
    FAMILY,
    Attack,
    Budget,
    Target,
    Victims,
    asked,
    attacks,
    for_any_model,
    parse_attack,
)

__all__ = [
    "FAMILY",
    "Attack",
    "Budget",
    "Target",
    "Victims",
    "asked",
    "attacks",
    "for_any_model",
    "parse_attack",
]
