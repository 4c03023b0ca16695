"""The data path: ports, the connections that come of them, pumps, and what changes or holds back the bytes between.

Apart from stores and sessions, of which a pump knows nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import attrs
from twisted.internet.defer import Deferred

from ftpd.values import Mark, Peer, TransferResult

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["Conversion", "DataConnection", "DataPort", "DataPorts", "Pace", "PatientDataPorts", "Pump", "Wanted"]


class DataConnection(Protocol):
    """An open data connection.  Pumps with a fast path take `socket`; the copy pump uses the rest.

    Errors are `OSError`s, as of the socket calls; a fault of the peer is told from others by the pump.
    """

    @property
    def socket(self) -> socket.socket | None:
        """The non-blocking socket in clear, or None: then only `send` and `receive` fit."""

    def send(self, data: ReadableBuffer) -> Awaitable[None]:
        """Done when the connection can take more; at most one call at a time."""

    def receive(self, most: int = 256 * 1024) -> Awaitable[bytes]:
        """Return some bytes, *most* or fewer, `b""` at a truthful end; at most one call at a time."""

    def finish(self) -> Awaitable[None]:
        """Close the sending side and wait until the peer has taken everything; the caller bounds the time."""

    def unacknowledged(self) -> int:
        """Bytes sent that the peer's kernel has not acknowledged; 0 where nobody can say."""

    def close(self) -> None:
        """Free it at once; may be called twice."""


class DataPort(Protocol):
    """One data connection of one session, announced or targeted: one peer, one use, one deadline."""

    @property
    def address(self) -> str:
        """The local address it listens on, or the address it will connect to."""

    @property
    def port(self) -> int: ...
    def open(self) -> Awaitable[DataConnection]:
        """Return the connection, waiting for it until the deadline; then `DataConnectionFailed`, with the reason for the client."""

    def close(self) -> None:
        """Stop listening or connecting; a connection already handed over is its taker's.  May be called twice."""


class DataPorts(Protocol):
    """Where data ports come from; the real one is `ftp.data.ports.DataPortFactory`."""

    def listen(self, peer: Peer, *, from_anywhere: bool = False) -> DataPort:
        """Wait for a connection from *peer*'s address (from any, for FXP) on the local address *peer* reached.

        Raises `DataConnectionFailed`: `NoFreePort` where no port is free.
        """

    def target(self, peer: Peer, address: str, port: int) -> DataPort:
        """Prepare to connect to *address*; nothing is sent before `open`.  Whether that is allowed was the caller's question."""

    def close(self) -> None:
        """Give every port back; may be called twice."""


@runtime_checkable
class PatientDataPorts(Protocol):
    """What `DataPorts` may be able to do beside: let a session wait until a port is free."""

    def listen_soon(self, peer: Peer, *, from_anywhere: bool = False) -> Awaitable[DataPort]:
        """Do what `listen` does, once that is possible; raises `NoFreePort` where it is not for some seconds.  The wait may be cancelled."""


class Pace(Protocol):
    """The rate a transfer is held to.  Asked on the reactor thread only, before bytes move, by whatever pump moves them."""

    def take(self, most: int) -> int:
        """Return how many of *most* bytes may move now, and count them as moved; 0: ask again after `pause` seconds."""

    def give_back(self, count: int) -> None:
        """Of what was taken, *count* bytes did not move."""

    def pause(self) -> float:
        """Return the seconds after which `take` has something worth a system call."""


class Conversion(Protocol):
    """Turns the bytes of one transfer into others, a piece at a time: TYPE, STRU and MODE are conversions.  Made anew for each transfer.

    What it yields are pieces of some 256 KiB at most, however little goes in.  `TransferCut`, with words for the client, is raised for bytes
    that cannot be.
    """

    @property
    def is_costly(self) -> bool:
        """Whether it computes for so long that it belongs in a thread: one call of it at a time."""

    @property
    def is_complete(self) -> bool:
        """Whether the stream itself has said that it ends here; nothing more is to be read."""

    def convert(self, piece: bytes) -> Iterator[bytes | Mark]: ...
    def end(self) -> Iterator[bytes | Mark]:
        """Yield what is left once the source has ended.  Called once, unless `is_complete`; a stream that is not whole is `TransferCut`."""


@attrs.frozen
class Wanted:
    """What a transfer shall move; every pump honours all of it.

    `start` is the first byte's offset in the file, `end` the offset behind the last byte of a download, None for its size.  `ceiling` is
    the most bytes that an upload may add to its file before it is :class:`~ftpd.errors.OverQuota`.  `conversion` stands between the file and
    the wire; `mark` is told each restart marker of an upload, and the offset in the file up to which all is stored.
    `stall_seconds`: with no byte moved for so long, the peer is at fault.  `pace` holds the transfer to a rate.
    """

    start: int = 0
    end: int | None = None
    ceiling: int | None = None
    conversion: Conversion | None = None
    mark: Callable[[Mark, int], None] | None = None
    stall_seconds: float = 0.0
    pace: Pace | None = None


class Pump(Protocol):
    """Moves one file over one data connection."""

    @property
    def moved(self) -> int:
        """Payload bytes so far; may be read at any time."""

    def start(self) -> TransferResult | Deferred[TransferResult]:
        """Begin; the result, where nothing has to be waited for.

        The Deferred never fails: faults are in the result.  Cancelling it stops the transfer: the result is then CANCELLED.

        The pump does not close the connection or the file; nor may anybody else before it has ended, since a thread may be at work on them.
        A cancel waits for that, for one step at most on a disk that answers.
        """

    def hold_to(self, pace: Pace) -> None:
        """Hold what is left to *pace*, where nothing held it so far."""
