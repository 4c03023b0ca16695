"""Listener: an address and port of the configuration, bound, and the factory that serves whoever connects.

Apart from the service, which knows what has to be made; here is only what can go wrong with a socket, in sentences for the operator.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import Any

from twisted.logger import Logger

from ftpd.config.tree import ListenSettings
from ftpd.ftp.factory import FTPFactory
from ftpd.transfer.listener import StreamListener

__all__ = ["CannotListen", "Listener"]

_BACKLOG = 1024  # connections the kernel keeps until we accept: a burst of clients must not be dropped (Twisted's default is 50)


class CannotListen(Exception):
    """An address and port cannot be listened on; the message is one sentence for the operator."""


class Listener:
    """One listening socket and the factory that serves it."""

    _log = Logger()

    def __init__(self, settings: ListenSettings, factory: FTPFactory, reactor: Any) -> None:
        self.settings = settings
        self.factory = factory
        self._reactor = reactor
        self._port: StreamListener | None = None

    @property
    def address(self) -> tuple[str, int]:
        """IP address and port as bound, while it listens: the port of the settings may be 0."""
        if self._port is None:
            return self.settings.address, self.settings.port
        where: Any = self._port.address
        return where.host, where.port

    def listen(self) -> None:
        """Begin to accept; does nothing while it listens already.  Raises `CannotListen`."""
        if self._port is None:
            self._port = StreamListener(self._reactor, _bound_socket(self.settings), self.factory, self.factory.refusal)
            host, port = self.address
            tls = " (implicit TLS)" if self.settings.implicit_tls else ""
            self._log.info("listening on {address} port {port}{tls}", address=host, port=port, tls=tls)
            if self.settings.old_devices:
                self._log.warn("{listener} takes TLS 1.0 and weak ciphers, for old devices", listener=self.settings.label)

    def close(self) -> None:
        """Stop accepting; sessions go on.  May be called twice."""
        if self._port is not None:
            self._port.close()
            self._port = None


def _bound_socket(settings: ListenSettings) -> socket.socket:
    """Bind and listen on a socket of our own: Twisted's leaves IPV6_V6ONLY to the system, where :: may take the port of 0.0.0.0 too."""
    address = ipaddress.ip_address(settings.address)
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((settings.address, settings.port))
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise CannotListen(_why_not(error, settings)) from error
    return bound


def _why_not(error: OSError, settings: ListenSettings) -> str:
    where = f"{settings.address} port {settings.port}"
    reasons = {
        errno.EADDRINUSE: "another program, perhaps another ftpd, listens there already",
        errno.EACCES: "ports below 1024 need root or the capability CAP_NET_BIND_SERVICE",
        errno.EADDRNOTAVAIL: "this machine does not have that address",
        errno.EAFNOSUPPORT: "this machine does not have that kind of address",
    }
    return f"Cannot listen on {where}: {reasons.get(error.errno or 0, error.strerror)}."
