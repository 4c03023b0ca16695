"""Operator: what can be asked of a running server over its control socket.

Apart from the socket, which knows lines and clients, and from the fleet, which does what is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ftpd.processes.status import Status
from ftpd.values import SessionRow

__all__ = ["Operator", "Refused"]


class Refused(Exception):
    """What was asked cannot be done now; the message is one sentence for the operator."""


class Operator(Protocol):
    """Who does what an operator wants.  Any call may raise `Refused`; what is awaited goes on when the client has gone."""

    async def who(self) -> Sequence[SessionRow]:
        """Return the sessions of all workers, oldest first."""

    async def kick(self, field: str, value: str) -> int:
        """End the sessions that *field*, "session", "account" or "address", says are *value*; return how many they were.

        An address is an IP address or a network, such as `192.0.2.0/24`; `ftpd.accounts.choice.chosen` tells which sessions are meant.
        """

    async def slow(self, field: str, value: str, rate: int) -> int:
        """Hold the sessions that `kick` would end, and that are logged in, to *rate* bytes a second each way; 0: no more.  Return how many they were."""

    def lock(self, message: str) -> None:
        """Refuse new sessions with *message*, one line; empty: in the server's own words.  What is locked takes the new message."""

    def unlock(self) -> None:
        """Let new sessions in again; does nothing where they are."""

    async def reload(self) -> None:
        """Serve what the configuration file says now; done when the new workers are ready.

        Raises `ConfigError`, `CannotListen` and `CannotServe`; then everything is as it was.
        """

    def stop(self, now: bool) -> float:
        """Begin to stop, at once where *now*; return the seconds that it may take at most, for who waits for it."""

    def status(self) -> Status: ...
