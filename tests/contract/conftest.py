"""The reactor of the contracts that really wait."""

from __future__ import annotations

import pytest
from twisted.internet.epollreactor import EPollReactor


@pytest.fixture(scope="module")
def reactor() -> EPollReactor:
    """One for all: each holds descriptors to the end, for a thread may still wake it."""
    return EPollReactor()  # type: ignore[no-untyped-call]
