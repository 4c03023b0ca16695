"""Why a running command was stopped: the one state of a session that is more than a value."""

from __future__ import annotations

import enum

__all__ = ["Stop"]


class Stop(enum.Enum):
    """Who stopped the running command; the first one counts.  The value is the text of the reply."""

    ABORTED = "Transfer aborted."
    DISCONNECTED = "The control connection is gone."
    SHUTDOWN = "The server is shutting down."
    TIMED_OUT = "Timeout."
    KICKED = "Ended by the operator."
