"""What an exchange has around it; and a reactor for tests of real sockets, checked to be empty after each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from ftpd.testing.reactors import private_reactor
from tests.unit.tftp.exchanges import FakeHome, FakeLine


@pytest.fixture
def home() -> FakeHome:
    return FakeHome()


@pytest.fixture
def line() -> FakeLine:
    return FakeLine()


@pytest.fixture
def reactor() -> Iterator[Any]:
    with private_reactor() as reactor:
        yield reactor


@pytest.fixture
def tidy(reactor: Any) -> Iterator[ExitStack]:
    """Close at the end, before the reactor is looked at."""
    with ExitStack() as stack:
        yield stack
