"""Fixtures for corruptions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.corruptions import outside

if TYPE_CHECKING:
    from collections.abc import Callable

    from merbench.corruption import Corruption


@pytest.fixture(scope="session")
def from_outside(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[type[Corruption]], dict[str, Any]]:
    """The options that a corruption cannot do without: miniatures of noise banks and models."""
    return partial(outside.options, folder=tmp_path_factory.mktemp("outside"))
