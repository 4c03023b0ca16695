"""Program: how the parent starts a process of ours, and how it says that one has ended.

Apart from the two kinds of them, the worker's and the examiner's.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.internet.error import ProcessDone, ProcessTerminated

__all__ = ["command", "ending", "environment"]


def command(module: str, *arguments: str) -> list[str]:
    """Return what runs *module* with *arguments*, on the Python that runs here."""
    return [sys.executable, "-P", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """Return what it inherits: it finds its modules where we have found ours."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def ending(value: Any) -> str:
    """Say, for the log, how a process has ended, of which Twisted tells by *value*."""
    if isinstance(value, ProcessDone):
        return "exit code 0"
    if isinstance(value, ProcessTerminated) and value.signal is not None:
        return f"signal {value.signal}"
    return f"exit code {value.exitCode}"
