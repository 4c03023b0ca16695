"""Gate: a function of `os` within which a thread is kept as long as a test wants.

Apart from the pumps' contract, since tests of one pump alone want it too: what is "in the middle of a write" by chance on a busy machine is
so here for certain.
"""

from __future__ import annotations

import os
import threading
from types import TracebackType
from typing import Any, Final, Self
from unittest.mock import patch

__all__ = ["Gate"]

_AT_MOST_SECONDS: Final = 60.0


class Gate:
    """Keep the first thread that calls `os.name` for the time of the `with`, or until `open`; *skipped* calls before it pass.

    The thread that made the gate passes always.  What it is kept from is done as it leaves, or *error* is raised instead.
    """

    def __init__(self, name: str, skipped: int = 0, error: OSError | None = None) -> None:
        self._real = getattr(os, name)
        self._skipped = skipped
        self._error = error
        self._reached = threading.Event()
        self._opened = threading.Event()
        self._owner = threading.current_thread()
        self._patch = patch.object(os, name, self._pass)

    @property
    def is_reached(self) -> bool:
        """Whether a thread is within, or was."""
        return self._reached.is_set()

    def open(self) -> None:
        """Let it go on."""
        self._opened.set()

    def __enter__(self) -> Self:
        self._patch.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.open()
        self._patch.stop()

    def _pass(self, *arguments: Any, **named: Any) -> Any:
        if threading.current_thread() is not self._owner and not self.is_reached:
            if not self._skipped:
                return self._hold(arguments, named)
            self._skipped -= 1
        return self._real(*arguments, **named)

    def _hold(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        self._reached.set()
        assert self._opened.wait(_AT_MOST_SECONDS), "the gate was never opened"
        if self._error is not None:
            raise self._error
        return self._real(*arguments, **named)
