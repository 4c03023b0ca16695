"""Signals: what the operator's signals do, on the reactor's thread.

Apart from those who obey them: the server of one process, the parent of several, a worker, and the service under `twistd`.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import FrameType
from typing import Any

from twisted.application.service import Service
from twisted.internet.error import ReactorNotRunning

__all__ = ["Ending", "Signals"]


class Signals(Service):
    """While it runs, each signal of *actions* calls its function; with *chains*, whoever had the signal before is still told."""

    def __init__(self, reactor: Any, actions: Mapping[signal.Signals, Callable[[], object]], *, chains: bool = False) -> None:
        self._reactor = reactor
        self._actions = dict(actions)
        self._chains = chains
        self._former: dict[int, Any] = {}

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]  # Twisted's services have no annotations
        self._former = {number: signal.signal(number, self._act) for number in self._actions}

    def stopService(self) -> None:
        super().stopService()  # type: ignore[no-untyped-call]
        for number, former in self._former.items():
            signal.signal(number, former)

    def _act(self, number: int, frame: FrameType | None) -> None:
        self._reactor.callFromThread(
            self._actions[signal.Signals(number)]
        )  # a signal arrives anywhere; all else is of the reactor's thread
        former = self._former.get(number)  # nobody, for one that comes while we start
        if self._chains and callable(former):
            former(number, frame)


class Ending:
    """How a process of ours ends: in order, at once, or at once after all.

    *hurry* cuts short what the reactor's shutdown waits for.
    """

    def __init__(self, reactor: Any, hurry: Callable[[], object]) -> None:
        self._reactor = reactor
        self._hurry = hurry
        self._has_begun = False

    def begin(self) -> None:
        """End in order: transfers may finish."""
        if not self._has_begun:
            self._has_begun = True
            with suppress(ReactorNotRunning):  # somebody else has asked for it
                self._reactor.stop()

    def interrupt(self) -> None:
        """What Ctrl-C asks for: an end in order, and with the second one at once."""
        if self._has_begun:
            self._hurry()
        else:
            self.begin()

    def quit(self) -> None:
        """End at once."""
        self.begin()
        self._hurry()

    def actions(self) -> dict[signal.Signals, Callable[[], object]]:
        """What `Signals` takes."""
        return {signal.SIGTERM: self.begin, signal.SIGINT: self.interrupt, signal.SIGQUIT: self.quit}
