"""Leaving: how a process of ours ends in which an extension may have left a thread running.

Apart, because the command and the workers both end so, and because the interpreter would wait for that thread for ever.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from typing import Final, NoReturn

__all__ = ["leave"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1)


def leave(code: int) -> NoReturn:
    """End this process with the exit *code*; to be called by its main thread, when all of ours that had to end has ended.

    Signals change nothing of it any more: the interpreter gives up their handlers before it is gone, and whoever presses Ctrl-C twice would kill it.
    """
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if any(thread is not threading.main_thread() and not thread.daemon for thread in threading.enumerate()):
        for stream in (sys.stdout, sys.stderr):
            with suppress(AttributeError, OSError, ValueError):  # None, or nobody reads it, or closed
                stream.flush()
        os._exit(code)
    sys.exit(code)
