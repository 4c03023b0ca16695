"""StreamListener: a listening socket whose connections become `Stream`s.

Beside Twisted's listening ports for the service's own sockets, since it accepts in bursts, sets what every connection needs once, on the
listening socket, and turns nobody away in silence when the process has no descriptor left.
"""

from __future__ import annotations

import errno
import os
import socket as sockets
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IReadDescriptor
from twisted.logger import Logger
from zope.interface import implementer

from ftpd.spi import DelayedCall, Reactor
from ftpd.transfer.accept import accepted
from ftpd.transfer.stream import Stream

__all__ = ["StreamListener"]

_MOST_ACCEPTS: Final = 32  # in one turn of the reactor: a burst of clients must not stop those who are here
_KEEPALIVE: Final = [  # seconds of silence, seconds between two questions, questions without an answer: gone after two and a half minutes
    (getattr(sockets, name), value)
    for name, value in (("TCP_KEEPIDLE", 75), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 5))
    if hasattr(sockets, name)
]
_ANY: Final = ("0.0.0.0", "::")  # all addresses of the machine
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_WAY_SECONDS: Final = 0.003  # for another process to accept what is there, where a busy machine lets it; then we do
_MOST_AFTER_WAY: Final = 8  # accepted without another question then: that process may hang
_REST_SECONDS: Final = 0.2  # before the next try: the socket stays readable, and the reactor would ask without end
_QUIET_SECONDS: Final = 60.0  # between two complaints


@implementer(IReadDescriptor)
class StreamListener:
    """Own *socket*, bound and listening, and give its connections to the protocols that *factory* builds.

    *refusal* is sent to a client for whom there is no descriptor, before it is closed.  *gives_way* is asked before each connection is accepted, where
    other processes accept from the same socket: whether one of them should have it.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Reactor,
        socket: sockets.socket,
        factory: Any,
        refusal: bytes = b"",
        gives_way: Callable[[], bool] | None = None,
    ) -> None:
        self._reactor = reactor
        self._socket: sockets.socket | None = socket
        self._factory = factory
        self._refusal = refusal
        self._gives_way = gives_way
        self._has_given_way = False
        self.taken = 0  # connections
        self._quiet_until = 0.0
        self._resting: DelayedCall | None = None
        # Accepted sockets inherit these; docs/performance.md has what each is worth.  No delay: else a 226 waits for the acknowledgement of
        # the 150, 40 ms a file.  Urgent bytes stay in line, or Telnet's are lost.  Keepalive: a control connection is silent while a file
        # moves, and routers forget those that are silent for minutes; and a client that is gone is noticed, while Linux waits for two hours.
        socket.setblocking(False)
        socket.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
        socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            socket.setsockopt(sockets.IPPROTO_TCP, option, value)
        socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_OOBINLINE, 1)
        self._family = int(socket.family)
        self._spare = _open_spare()
        self.address = _address(socket.getsockname())
        self._has_one_address = self.address.host not in _ANY
        factory.doStart()
        reactor.addReader(self)

    def close(self) -> None:
        """Stop accepting; connections go on.  May be called twice."""
        socket, self._socket = self._socket, None
        if socket is None:
            return
        if self._resting is not None:
            self._resting.cancel()
        else:
            self._reactor.removeReader(self)
        socket.close()
        if self._spare is not None:
            os.close(self._spare)
        self._factory.doStop()

    # IReadDescriptor: what the reactor calls.

    def fileno(self) -> int:
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        return "listener"

    def doRead(self) -> None:
        unasked, self._has_given_way = _MOST_AFTER_WAY if self._has_given_way else 0, False
        for number in range(_MOST_ACCEPTS):
            if self._socket is None:
                return
            if self._gives_way is not None and number >= unasked and self._gives_way():
                self._has_given_way = True
                self._rest(_WAY_SECONDS)
                return
            try:
                socket, source = accepted(self._socket, self._family)
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._refuse(error)
                return  # nobody there, or gone again
            self._take(socket, source)

    def connectionLost(self, reason: object) -> None:
        """The reactor dropped us: the socket is of no use any more."""
        self.close()

    def _take(self, socket: sockets.socket, source: Any) -> None:
        try:
            host = self._local_address(socket)
        except OSError:  # gone already
            socket.close()
            return
        self.taken += 1
        peer = _address(source)
        protocol = self._factory.buildProtocol(peer)
        if protocol is None:
            socket.close()
        else:
            Stream(self._reactor, socket, protocol, host, peer).start()

    def _local_address(self, socket: sockets.socket) -> IAddress:
        """Return which of our addresses the client reached; it need not be asked for where there is only one."""
        return self.address if self._has_one_address else _address(socket.getsockname())

    def _refuse(self, error: OSError) -> None:
        """Turn one client away with the descriptor kept for that, then rest for a moment."""
        now = self._reactor.seconds()
        if now >= self._quiet_until:
            self._quiet_until = now + _QUIET_SECONDS
            self._log.error("clients are turned away: {error}", error=error.strerror)
        if self._spare is not None and self._socket is not None:
            os.close(self._spare)
            with suppress(OSError):
                socket, _ = accepted(self._socket, self._family)
                with socket, suppress(OSError):
                    socket.send(self._refusal)
            self._spare = _open_spare()
        self._rest(_REST_SECONDS)

    def _rest(self, seconds: float) -> None:
        self._reactor.removeReader(self)
        self._resting = self._reactor.callLater(seconds, self._resume)

    def _resume(self) -> None:
        self._resting = None
        if self._spare is None:
            self._spare = _open_spare()
        self._reactor.addReader(self)


def _open_spare() -> int | None:
    try:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _address(name: Any) -> IPv4Address | IPv6Address:
    if len(name) == 2:
        return IPv4Address("TCP", *name)
    return IPv6Address("TCP", *name)
