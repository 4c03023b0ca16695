"""A reactor with a clock of the test's own, checked to be empty after each test, and what the operator is told meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from ftpd.events import Events
from ftpd.ftp.data.faults import DataFaults
from ftpd.testing.reactors import ClockedReactor, private_reactor


@pytest.fixture
def reactor() -> Iterator[ClockedReactor]:
    with private_reactor(ClockedReactor) as reactor:
        yield reactor


@pytest.fixture
def tidy(reactor: ClockedReactor) -> Iterator[ExitStack]:
    """Close at the end, before the reactor is looked at."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def told() -> list[Any]:
    """What the operator is told of connections that do not come into being."""
    return []


@pytest.fixture
def faults(reactor: ClockedReactor, told: list[Any]) -> DataFaults:
    return DataFaults(Events([told.append]), reactor.seconds)
