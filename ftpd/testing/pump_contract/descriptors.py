"""How many descriptors this process has, and may have.

Apart from the tests that count them.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["count_descriptors", "many_descriptors"]


@contextmanager
def many_descriptors(count: int) -> Iterator[None]:
    """Let this process have *count* descriptors more, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, count_descriptors() + count)), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def count_descriptors() -> int:
    """Return how many are open."""
    return len(os.listdir("/proc/self/fd"))
