"""The disk of each test: a store over a directory that is its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.storage.local.disk import Disk


@pytest.fixture
def top(tmp_path: Path) -> Path:
    found = tmp_path / "top"
    found.mkdir()
    return found


@pytest.fixture
def disk(top: Path) -> Disk:
    return Disk(top)
