"""TransferPort: a UDP port that several short downloads are answered from, each of another client.

Apart from lines with a socket of their own: to make, bind, connect, watch and close one is a sixth of a download of a few blocks (tests/bench:
tftp-tiny).  What comes is told apart by the client's address and port.  No client meets the same port of ours twice, so that nothing late
or repeated of one transfer can be taken for a part of the next (RFC 1350 4).
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IReadWriteDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpd.spi import DelayedCall, Reactor
from ftpd.tftp.endpoint import IS_LINUX, Address, bound_endpoint, family_of
from ftpd.tftp.line import LEAST_RECEIVED, Listener, offload
from ftpd.tftp.path import PathProbe
from ftpd.tftp.wire.packets import ErrorCode, error, is_of_transfer

__all__ = ["PortLine", "TransferPort", "TransferPorts"]

_SECONDS: Final = 1.0  # for so long, at most, a port takes new clients
_MOST_CLIENTS: Final = 64  # of one port: what was sent to those that are gone may stand in its buffer for seconds
_MOST_ADDRESSES: Final = 16  # of ours, that have a port which waits for clients
_ROOM: Final = (socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * 1024 * 1024)  # for that, as far as the system lets us
_UNKNOWN: Final = error(ErrorCode.UNKNOWN_TRANSFER_ID, "Unknown transfer ID")
_ERRORS_HEARD: Final = {  # IP_RECVERR, linux/in.h, and IPV6_RECVERR, linux/in6.h
    socket.AF_INET: (socket.IPPROTO_IP, 11),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 25),
}
_FROM_ERRORS: Final = getattr(socket, "MSG_ERRQUEUE", 0)  # Linux
_ERROR_ROOM: Final = 256  # of a sock_extended_err, linux/errqueue.h, and an address, as ancillary data
_ERROR_NUMBER: Final = struct.Struct("=I")  # its first member
_MOST_ERRORS: Final = 64  # heard in one turn of the reactor
_NO_ROOM: Final = frozenset((errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM))  # what a datagram meets itself, on its way out
_MOST_TRIES: Final = 8  # to send or to receive a datagram past the errors that others have met


@implementer(IReadWriteDescriptor)
class TransferPort:
    """A socket bound to the address of *local*, and to a port out of *ports* (0-0: any).  Raises `OSError` where there is none.

    It takes new clients until `retire`, and is closed with the last of its lines after that; one of a range is closed with the last of its
    lines in any case, for another listener or process may have to answer from it.
    """

    _log = Logger()

    def __init__(self, reactor: Reactor, local: Address, ports: tuple[int, int]) -> None:
        self._reactor = reactor
        self._socket: socket.socket | None = bound_endpoint(local, ports, [(*_ERRORS_HEARD[family_of(local)], 1), _ROOM])
        self._descriptor = self._socket.fileno()
        self._recvfrom = self._socket.recvfrom
        self.sendto = self._socket.sendto
        self.sendmsg = self._socket.sendmsg
        self._lines: dict[Address, PortLine] = {}
        self._met: set[Address] = set()  # the clients that it has, or has had
        self._awaiting: set[Address] = set()
        self._waits = not ports[1]  # for clients, when it has none
        reactor.addReader(self)

    @property
    def takes_clients(self) -> bool:
        """Whether it is open, has had fewer clients than one port may, and has room to send to another."""
        return self._socket is not None and len(self._met) < _MOST_CLIENTS and not self._awaiting

    def has_met(self, peer: Address) -> bool:
        """Whether it is *peer*'s already, or was."""
        return peer in self._met

    def enter(self, peer: Address, line: PortLine) -> None:
        """Have *line* told of what *peer* sends, whom it has not met."""
        self._met.add(peer)
        self._lines[peer] = line

    def leave(self, peer: Address) -> None:
        """Nobody hears *peer* any more; may be called twice."""
        self._lines.pop(peer, None)
        self._close_if_over()

    def await_room(self, peer: Address) -> None:
        """Tell the line of *peer* when there is room to send."""
        if not self._awaiting:
            self._reactor.addWriter(self)
        self._awaiting.add(peer)

    def retire(self) -> None:
        """Take no more clients; may be called twice."""
        self._waits = False
        self._close_if_over()

    def _close_if_over(self) -> None:
        if not self._waits and not self._lines:
            self._close()

    def _close(self) -> None:
        if self._socket is not None:
            self._reactor.removeReader(self)
            if self._awaiting:
                self._reactor.removeWriter(self)
            self._socket.close()
            self._socket = None
            self._descriptor = -1

    # IReadWriteDescriptor: what the reactor calls.

    def fileno(self) -> int:
        return self._descriptor

    def logPrefix(self) -> str:
        return "tftp"

    def doRead(self) -> None:
        """Take what is there, a datagram of each client at most: one alone is not asked for another, which is mostly not there.

        Errors that stand before it are passed by, `_MOST_TRIES` of them.
        """
        recvfrom = self._recvfrom
        for errors in range(_MOST_TRIES + 1):
            for turn in range(len(self._lines) or 1):
                if self._socket is None:
                    return
                try:
                    datagram, peer = recvfrom(LEAST_RECEIVED)
                except BlockingIOError:
                    if errors or not turn:
                        self._hear_errors()
                    return
                except OSError:  # what an answer met, told apart with a name; what has come is read at once, before another error
                    break
                line = self._lines.get(peer)
                if line is not None:
                    listener = line.listener
                    try:
                        listener.received(datagram)
                    except Exception as fault:  # not by `_tell`: a call more for each datagram (tests/bench: tftp-tiny)
                        self._failed(listener, fault)
                elif peer not in self._met and is_of_transfer(datagram):
                    self._turn_away(peer)
            else:
                if errors:
                    self._hear_errors()
                return
        self._hear_errors()

    def doWrite(self) -> None:
        self._reactor.removeWriter(self)
        awaiting, self._awaiting = self._awaiting, set()
        for peer in awaiting:
            line = self._lines.get(peer)
            if line is not None:
                self._tell(line.listener, line.listener.writable)

    def connectionLost(self, reason: Failure) -> None:
        """The reactor is at its end, or has let go of us over an error: mostly a client's port is closed, which ends that one's transfer only."""
        if reason.check(ConnectionLost):  # type: ignore[no-untyped-call]
            self._close()
        elif self._socket is not None:
            if not self._hear_errors():  # one that has no name is taken off all the same, or the reactor met it again at once
                self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self._go_on()

    def _go_on(self) -> None:
        if self._socket is not None:  # those who are gone may have been the last
            self._reactor.addReader(self)
            if self._awaiting:
                self._reactor.addWriter(self)

    def _tell(self, listener: Listener, told: Callable[..., None], *arguments: Any) -> None:
        try:
            told(*arguments)
        except Exception as fault:
            self._failed(listener, fault)

    def _failed(self, listener: Listener, fault: Exception) -> None:
        """A fault over what one client sent, or did not hear, is the end of its transfer, and of no other's."""
        self._log.failure("what a client of a shared port did was not dealt with")
        listener.fail(fault)

    def _turn_away(self, stranger: Address) -> None:
        """RFC 1350 4: an error for whoever sent it, and the transfers go on."""
        try:
            self.sendto(_UNKNOWN, stranger)
        except OSError:
            self._log.debug("a stranger was not told")

    def _hear_errors(self) -> int:
        """Tell the lines of clients that cannot be reached, and return how many errors there were."""
        for heard in range(_MOST_ERRORS):
            if self._socket is None:
                return heard
            try:
                _, ancillary, _, peer = self._socket.recvmsg(0, _ERROR_ROOM, _FROM_ERRORS)
            except OSError:
                return heard
            line = self._lines.get(peer)
            number = _ERROR_NUMBER.unpack_from(ancillary[0][2])[0] if ancillary else 0
            if line is not None and number == errno.ECONNREFUSED:  # others may pass, and its silence tells
                self._tell(line.listener, line.listener.broken, OSError(number, os.strerror(number)))
        return _MOST_ERRORS


class PortLine:
    """The way to *peer* by way of *port*, which has not met it; the path there is asked of *probe*."""

    __slots__ = ("_burst", "_local", "_peer", "_port", "_probe", "_sendto", "listener", "segments")

    listener: Listener

    def __init__(self, port: TransferPort, probe: PathProbe, local: Address, peer: Address) -> None:
        self._port = port
        self._probe = probe
        self._local = local
        self._peer = peer
        self._sendto = port.sendto
        self._burst: Any = []
        self.segments = 1
        port.enter(peer, self)

    def tell(self, listener: Listener) -> None:
        self.listener = listener

    def send(self, datagram: Any) -> object:
        sendto = self._sendto
        try:
            return sendto(datagram, self._peer)
        except OSError as error:
            return _sent_again(error, sendto, datagram, self._peer)

    def burst(self, pieces: Sequence[Any]) -> object:
        try:
            return self._port.sendmsg(pieces, self._burst, 0, self._peer)
        except OSError as error:
            return _sent_again(error, self._port.sendmsg, pieces, self._burst, 0, self._peer)

    def read(self) -> None:
        self._port.doRead()

    def await_room(self) -> None:
        self._port.await_room(self._peer)

    def cut_at(self, size: int, receives: int) -> None:
        self.segments, self._burst = offload(size, self._probe.path_block(self._local, self._peer))

    def close(self) -> None:
        """Leave the port; may be called twice."""
        self._port.leave(self._peer)
        if hasattr(self, "listener"):
            del self.listener  # it has us: without this each exchange would wait for the collector


class TransferPorts:
    """The ports that are open to new clients, one for each address of ours, out of the range *ports*."""

    def __init__(self, reactor: Reactor, ports: tuple[int, int], probe: PathProbe) -> None:
        self._reactor = reactor
        self._ports = ports
        self._probe = probe
        self._open: dict[Address, TransferPort] = {}
        self._retiring: DelayedCall | None = None

    def line(self, local: Address, peer: Address) -> PortLine | None:
        """Return a line from *local* to *peer*; None: it has to have a socket of its own.  Raises `OSError`."""
        if not IS_LINUX:  # nothing would tell of a client that is gone
            return None
        port = self._open.get(local)
        if port is not None and port.has_met(peer):
            return None
        if port is None or not port.takes_clients:
            port = self._another(local)
        return PortLine(port, self._probe, local, peer)

    def retire(self) -> None:
        """Have clients who come from now on meet other ports: those that nobody uses are closed."""
        if self._retiring is not None:
            self._retiring.cancel()
        self._retire()

    def _another(self, local: Address) -> TransferPort:
        if len(self._open) >= _MOST_ADDRESSES:
            self.retire()
        port = TransferPort(self._reactor, local, self._ports)
        old = self._open.get(local)
        if old is not None:
            old.retire()
        self._open[local] = port
        if self._retiring is None:
            self._retiring = self._reactor.callLater(_SECONDS, self._retire)
        return port

    def _retire(self) -> None:
        self._retiring = None
        every, self._open = self._open, {}
        for port in every.values():
            port.retire()


def _sent_again(met: OSError, send: Callable[..., object], *arguments: Any) -> object:
    """Call *send*, which has raised *met*, again: most likely a datagram to another client met that, and the kernel tells whoever comes next, once."""
    for _ in range(_MOST_TRIES):
        if met.errno in _NO_ROOM:
            break
        try:
            return send(*arguments)
        except OSError as error:
            met = error
    raise met
