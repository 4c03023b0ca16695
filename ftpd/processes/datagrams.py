"""Datagram sockets: for a UDP service, one socket on the same address and port for each worker.

Apart from the sockets of TCP, which workers share: there the kernel hands over a connection once, and here it chooses a socket for each packet,
always the same one for the same client (SO_REUSEPORT, socket(7)), as long as none of the sockets is closed.  So the parent keeps them, and
hands each to every successor in the same place: a client keeps its worker's place, and what it sends while nobody is there waits for the next.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from twisted.logger import Logger

from ftpd.binding import bound_to
from ftpd.config.addresses import Place
from ftpd.listening import CannotListen, cannot_listen
from ftpd.processes.sockets import matching

__all__ = ["DatagramSockets", "Places", "datagram_sockets"]

Places: TypeAlias = tuple[socket.socket, ...]  # the sockets of one listener: one for each worker, in the order of their slots


def datagram_sockets(address: str, port: int, places: int) -> list[socket.socket]:
    """Return a socket bound to *address* and *port* for each of *places* workers; port 0 is one free port for all.

    To be called before privileges are dropped: the kernel lets only sockets of one user share a port.  Raises `CannotListen`, also where
    that is another server of the same user.
    """
    bound: list[socket.socket] = []
    try:
        bound.append(bound_to(address, port, socket.SOCK_DGRAM))  # not shared: it would take part of another server's clients
        bound[0].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # Linux reads it when the next one is bound
        while len(bound) < places:
            bound.append(bound_to(address, bound[0].getsockname()[1], socket.SOCK_DGRAM, socket.SO_REUSEPORT))
    except OSError as error:
        _close(bound)
        raise cannot_listen(error, address, port) from error
    return bound


class DatagramSockets:
    """The datagram sockets of this process, *given* ones included, which it owns from now on.

    A given one is alone on its port: all workers read from it.
    """

    _log = Logger()

    def __init__(self, given: Iterable[socket.socket] = ()) -> None:
        self._given = list(given)
        self._open: list[Places] = []  # ours
        self._idle: list[socket.socket] = []  # given ones of which it was told that nobody serves them

    def claim(self, listeners: Sequence[Place], places: int) -> list[Places]:
        """Return a socket for each of *places* workers, for each of *listeners*: what is open already, or new; to be followed by `keep`.

        Port 0 keeps its port over a reload, as in `Sockets.claim`.  Raises `CannotListen`; then nothing has changed.
        """
        opened: list[socket.socket] = []
        claimed: list[Places] = []
        try:
            for listener, found in zip(listeners, self._found(listeners), strict=True):
                if len(found) == 1 and found[0] in self._given:
                    claimed.append(found * places)
                    continue
                more = _more(listener, found, places - len(found))
                opened += more
                claimed.append((*found[:places], *more))
        except BaseException:
            _close(opened)
            raise
        if opened:
            self._open.append(tuple(opened))
        return claimed

    def keep(self, claimed: Sequence[Places]) -> None:
        """Close all but *claimed*, and given ones, which systemd has open as well."""
        kept = {one for places in claimed for one in places}
        idle = [one for one in self._given if one not in kept]
        for one in idle:
            if one not in self._idle:
                host, port = one.getsockname()[:2]
                self._log.warn(
                    "no [[tftp.listeners]] names {address} port {port}, where systemd listens for this server: clients there wait in vain",
                    address=host,
                    port=port,
                )
        _close(one for places in self._open for one in places if one not in kept)
        self._open = [places for places in claimed if places[0] not in self._given]
        self._idle = idle

    def close(self) -> None:
        """Close all; may be called twice."""
        _close(one for places in self._open for one in places)
        _close(self._given)
        self._open = []

    def _found(self, listeners: Sequence[Place]) -> list[Places]:
        """Return what is open already for each of *listeners*; nothing is an empty tuple."""
        groups = [*((one,) for one in self._given), *self._open]
        found = matching(listeners, [group[0] for group in groups])
        return [() if one is None else next(group for group in groups if group[0] is one) for one in found]


def _more(listener: Place, found: Places, count: int) -> list[socket.socket]:
    """Open *count* further sockets beside those that were *found*."""
    if not found:
        return datagram_sockets(listener.address, listener.port, count)
    address, port = listener.address, found[0].getsockname()[1]
    opened: list[socket.socket] = []
    try:
        while len(opened) < count:
            opened.append(bound_to(address, port, socket.SOCK_DGRAM, socket.SO_REUSEPORT))
    except OSError as error:
        _close(opened)
        raise CannotListen(
            f"Cannot open {address} port {port} for more workers than before: {error.strerror}. With privileges that were given up, that needs a"
            " restart."
        ) from error
    return opened


def _close(some: Iterable[socket.socket]) -> None:
    for one in some:
        one.close()
