"""Listener: an address and port of the configuration, bound, and the factory that serves whoever connects.

Apart from the service, which knows what has to be made; here is only what can go wrong with a socket, in sentences for the operator.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from ftpd.binding import bound_to
from ftpd.config.tree import ListenSettings
from ftpd.ftp.data.active import forbidden_source_port, tell_of_source_port
from ftpd.ftp.factory import FTPFactory
from ftpd.transfer.listener import StreamListener

__all__ = [
    "CannotListen",
    "Listener",
    "bound_socket",
    "cannot_listen",
    "takes_ipv4_too",
    "tell_answering",
    "tell_listening",
    "tell_source_port",
]

_BACKLOG = 1024  # connections the kernel keeps until we accept: a burst of clients must not be dropped (Twisted's default is 50)


class CannotListen(Exception):
    """An address and port cannot be listened on; the message is one sentence for the operator."""


class Listener:
    """One listening socket and the factory that serves it.

    A *given* socket, bound and listening, is shared with other processes: who has opened it has told the log.  `gives_way` may be set before it
    listens; see `StreamListener`.
    """

    _log = Logger()

    def __init__(self, settings: ListenSettings, factory: FTPFactory, reactor: Any, given: socket.socket | None = None) -> None:
        self.settings = settings
        self.factory = factory
        self._given = given
        self._reactor = reactor
        self.gives_way: Callable[[], bool] | None = None
        self._port: StreamListener | None = None

    @property
    def address(self) -> tuple[str, int]:
        """IP address and port as bound, while it listens: the port of the settings may be 0."""
        if self._port is None:
            return self.settings.address, self.settings.port
        where: Any = self._port.address
        return where.host, where.port

    @property
    def taken(self) -> int:
        """How many connections it has accepted, while it listens."""
        return 0 if self._port is None else self._port.taken

    def listen(self) -> None:
        """Begin to accept; does nothing while it listens already.  Raises `CannotListen`."""
        if self._port is None:
            bound = self._given or bound_socket(self.settings)
            self._port = StreamListener(self._reactor, bound, self.factory, self.factory.refusal, self.gives_way)
            if self._given is None:
                tell_listening(self._log, self.settings, bound)

    def close(self) -> None:
        """Stop accepting; sessions go on.  May be called twice."""
        if self._port is not None:
            self._port.close()
            self._port = None


def tell_listening(log: Logger, settings: ListenSettings, bound: socket.socket) -> None:
    """Tell *log* that *bound* has been opened for *settings*."""
    host, port = bound.getsockname()[:2]
    both = " (IPv4 too)" if takes_ipv4_too(bound) else ""
    tls = " (implicit TLS)" if settings.implicit_tls else ""
    log.info("listening on {address} port {port}{both}{tls}", address=host, port=port, both=both, tls=tls)
    if settings.old_devices:
        log.warn("{listener} takes TLS 1.0 and weak ciphers, for old devices", listener=settings.label)


def tell_answering(log: Logger, bound: socket.socket) -> None:
    """Tell *log* that *bound* has been opened for requests by datagram."""
    host, port = bound.getsockname()[:2]
    both = " (IPv4 too)" if takes_ipv4_too(bound) else ""
    log.info("answering TFTP requests on {address} port {port}{both}", address=host, port=port, both=both)


def tell_source_port(log: Logger, port: int) -> None:
    """Tell *log* where this process, and what it starts, has no right to *port*, the source port of active mode."""
    error = forbidden_source_port(port)
    if error is not None:
        tell_of_source_port(log, port, error)


def takes_ipv4_too(bound: socket.socket) -> bool:
    """Whether IPv4 clients reach *bound* beside IPv6 ones: not ours, but systemd's, where its unit leaves BindIPv6Only= to the system."""
    is_every_ipv6 = bound.family == socket.AF_INET6 and bound.getsockname()[0] == "::"
    return is_every_ipv6 and not bound.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)


def bound_socket(settings: ListenSettings) -> socket.socket:
    """Bind and listen on a socket of our own: Twisted's leaves IPV6_V6ONLY to the system, where :: may take the port of 0.0.0.0 too.

    Raises `CannotListen`.
    """
    try:
        one = bound_to(settings.address, settings.port, socket.SOCK_STREAM, socket.SO_REUSEADDR)
    except OSError as error:
        raise cannot_listen(error, settings.address, settings.port) from error
    try:
        one.listen(_BACKLOG)
    except OSError as error:
        one.close()
        raise cannot_listen(error, settings.address, settings.port) from error
    return one


def cannot_listen(error: OSError, address: str, port: int) -> CannotListen:
    """Return what to raise where *error* has kept a socket from *address* and *port*."""
    reasons = {
        errno.EADDRINUSE: "another program, perhaps another ftpd, listens there already",
        errno.EACCES: "ports below 1024 need root or the capability CAP_NET_BIND_SERVICE, and where a reload names them a restart",
        errno.EADDRNOTAVAIL: "this machine does not have that address",
        errno.EAFNOSUPPORT: "this machine does not have that kind of address",
    }
    return CannotListen(f"Cannot listen on {address} port {port}: {reasons.get(error.errno or 0, error.strerror)}.")
