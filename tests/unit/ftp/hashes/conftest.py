"""The file that these tests ask digests of, the clock they go by, and what is read meanwhile."""

from __future__ import annotations

import pytest

from ftpd.testing.fakes import ThreadedClock
from tests.unit.ftp.hashes.asker import CONTENT, Reads


@pytest.fixture
def clock():
    return ThreadedClock()


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def reads(monkeypatch):
    return Reads(monkeypatch)
