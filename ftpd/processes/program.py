"""Program: how the parent starts a process of ours, and how it says that one has ended.

Apart from the two kinds of them, the worker's and the examiner's.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from typing import Any, Final

from twisted.internet.error import ProcessDone, ProcessTerminated

__all__ = ["command", "ending", "environment", "leave_signals_to_parent", "started"]

# What is sent to all processes of the service at once, by a terminal or `systemctl kill`, and what only the parent knows the meaning of.
_OF_PARENT: Final = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


def started(reactor: Any, protocol: Any, files: Mapping[int, int | str], module: str, *arguments: str) -> Any:
    """Have *reactor* run *module* with *arguments*, for *protocol*, with the descriptors *files*, and return the process.  Raises `OSError`.

    The parent's signals wait from the first moment of the process, which is to call `leave_signals_to_parent`: an interpreter that is still reading its modules
    would die of them.
    """
    words = command(module, *arguments)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _OF_PARENT)
    try:
        return reactor.spawnProcess(protocol, words[0], words, environment(), childFDs=files)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def leave_signals_to_parent() -> None:
    """Ignore what is the parent's to heed, also what has come since this process was `started`."""
    for number in _OF_PARENT:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _OF_PARENT)


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
