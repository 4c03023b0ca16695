"""Calls: those that are under way in threads when the interpreter ends, and that it has to let return first.

Apart from the hashing, whose bcrypt is written in Rust.  A thread that comes back to an interpreter which is ending is ended by it, and Rust makes that
the end of the process: "exception not rethrown", exit by SIGABRT (bcrypt 5.0, CPython 3.11 to 3.13).
"""

from __future__ import annotations

import atexit
import os
import threading
from types import TracebackType

__all__ = ["Calls"]


class Calls:
    """A context for each call, in any thread; `end` lets nobody in any more, and returns when nobody is in it.

    The interpreter says `end` when it ends, before it ends threads.
    """

    def __init__(self) -> None:
        self._begin()
        atexit.register(self.end)
        os.register_at_fork(after_in_child=self._begin)  # it has none of the threads that the calls were made in

    def _begin(self) -> None:
        self._count = 0
        self._is_over = False
        self._changed = threading.Condition()

    def __enter__(self) -> None:
        with self._changed:
            if self._is_over:
                raise RuntimeError("the interpreter ends")
            self._count += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def end(self) -> None:
        """Let nobody in any more, and wait for who is."""
        with self._changed:
            self._is_over = True
            self._changed.wait_for(lambda: self._count == 0)
