"""Order: what the parent tells a worker to be, as its first message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import attrs

from ftpd.config.source import Source

__all__ = ["BALANCE", "CHANNEL", "FIRST_LISTENER", "Order"]

CHANNEL = 3  # the descriptor of a worker's end of the channel
BALANCE = 4  # of the memory that tells how many sessions each worker has
FIRST_LISTENER = 5  # and of the first listening socket; the others follow, in the order of the configuration, UDP after TCP


@attrs.frozen
class Order:
    """Serve *source* as the worker called *name* in place *slot* of *places*; *state* is the path of the shared state.

    *ahead* is what the time since the epoch had, and the monotonic clock had not, when the parent began: see `state.sqlite`.  *locked* is the message of a locked server.  *forwards_logs*: lines go to the parent, who has a log of its own.  *succeeds*: the one before
    it died, and left behind what nobody else will clear away.  *is_tried*: that the stores are good has been found, or is for the worker in place 0 to find.  *waits*: another worker still reads its datagram sockets, until "answer" is said.
    """

    source: Source
    name: str
    slot: int
    places: int
    state: str
    ahead: float = 0.0
    locked: str | None = None
    forwards_logs: bool = False
    succeeds: bool = False
    is_tried: bool = False
    waits: bool = False

    def as_message(self) -> dict[str, Any]:
        """Return it as what JSON can carry."""
        return attrs.asdict(self)

    @classmethod
    def of_message(cls, message: Mapping[str, Any]) -> Self:
        """Return what `as_message` has turned into *message*."""
        return cls(**{**message, "source": Source.of_message(message["source"])})
