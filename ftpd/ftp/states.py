"""The few states of a session that are more than a value: representation and why a running command was stopped."""

from __future__ import annotations

import enum

__all__ = ["Representation", "Stop"]


class Representation(enum.Enum):
    """TYPE: how bytes stand for a file on the data connection (RFC 959 3.1.1)."""

    ASCII = "A"
    IMAGE = "I"

    @property
    def words(self) -> str:
        return "ASCII" if self is Representation.ASCII else "BINARY"


class Stop(enum.Enum):
    """Who stopped the running command; the first one counts.  The value is the text of the reply."""

    ABORTED = "Transfer aborted."
    DISCONNECTED = "The control connection is gone."
    SHUTDOWN = "The server is shutting down."
    TIMED_OUT = "Timeout."
    KICKED = "Ended by the operator."
