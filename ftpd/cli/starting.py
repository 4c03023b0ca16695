"""Starting: what signals mean to `ftpd serve` until the server has its own meanings for them.

Apart from both, because it has to hold while everything else is imported.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import Final

__all__ = ["starting"]

# Python's SIGINT is an exception, raised in whatever runs; what loads plugins and extensions catches it, and the server would start all the same.
_MEANINGS: Final = MappingProxyType({signal.SIGINT: signal.SIG_DFL, signal.SIGHUP: signal.SIG_IGN, signal.SIGUSR1: signal.SIG_IGN})


@contextmanager
def starting() -> Iterator[None]:
    """Have SIGINT end the process as SIGTERM does, by the signal, and nothing be lost by SIGHUP and SIGUSR1, which ask for what is done anyway."""
    former = {number: signal.signal(number, meaning) for number, meaning in _MEANINGS.items()}
    try:
        yield
    finally:
        for number, action in former.items():
            signal.signal(number, action)
