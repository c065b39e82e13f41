"""Fixtures for corruptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.corruptions import urban

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def urban_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A miniature UrbanSound8K."""
    return urban.write(tmp_path_factory.mktemp("urbansound8k"))
