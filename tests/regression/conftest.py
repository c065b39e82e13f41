"""Runs to hold against each other."""

from __future__ import annotations

from tests.leaderboard.conftest import answered

__all__ = ["answered"]
