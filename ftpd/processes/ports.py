"""Ports: everything that the parent listens on, for TCP and for UDP, as one thing to claim, to keep and to close.

Apart from the fleet, which does so at a start, around a reload and at the end, and from the two kinds of sockets, which workers get in different ways.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable

import attrs
from twisted.logger import Logger

from ftpd.config.tree import Config
from ftpd.listening import CannotListen, tell_answering, tell_listening
from ftpd.processes.datagrams import DatagramSockets, Places
from ftpd.processes.sockets import Sockets

__all__ = ["Opened", "Ports", "tell_opened"]


@attrs.frozen
class Opened:
    """The sockets of one configuration: *streams*, one for each `[[listen]]`, and *datagrams*, for each `[[tftp.listeners]]` one for each worker."""

    streams: tuple[socket.socket, ...] = ()
    datagrams: tuple[Places, ...] = ()

    def of(self, slot: int) -> list[socket.socket]:
        """Return what the worker in place *slot* listens on, in the order of the configuration, TCP first."""
        return [*self.streams, *(places[slot] for places in self.datagrams)]


class Ports:
    """The listening sockets of this process, *given* ones included, which it owns from now on."""

    def __init__(self, given: Iterable[socket.socket] = ()) -> None:
        given = list(given)
        self._streams = Sockets(one for one in given if one.type == socket.SOCK_STREAM)
        self._datagrams = DatagramSockets(one for one in given if one.type == socket.SOCK_DGRAM)

    def claim(self, config: Config, workers: int) -> Opened:
        """Return the sockets for so many *workers* of *config*: those that are open already, and new ones; to be followed by `keep`.

        Raises `CannotListen`; `keep` of what was claimed before then makes everything as it was.
        """
        streams = self._streams.claim(config.listen)
        datagrams = self._datagrams.claim(config.tftp.listeners, workers)
        for listener, places in zip(config.tftp.listeners, datagrams, strict=True):
            if listener.single_port and len(set(places)) < len(places):
                raise CannotListen(
                    f"{listener.label} cannot be a single port: it needs a socket for each worker, and systemd has opened one for all; either"
                    " process.workers = 1, or the server opens the port itself."
                )
        return Opened(tuple(streams), tuple(datagrams))

    def keep(self, opened: Opened) -> None:
        """Close all but *opened*, and given ones, which systemd has open as well."""
        self._streams.keep(opened.streams)
        self._datagrams.keep(opened.datagrams)

    def close(self) -> None:
        """Close all; may be called twice."""
        self._streams.close()
        self._datagrams.close()


def tell_opened(log: Logger, config: Config, opened: Opened, before: Opened) -> None:
    """Tell *log* which ports of *opened*, for *config*, were not among those of *before*."""
    for settings, stream in zip(config.listen, opened.streams, strict=True):
        if stream not in before.streams:
            tell_listening(log, settings, stream)
    known = {places[0] for places in before.datagrams}
    for places in opened.datagrams:
        if places[0] not in known:
            tell_answering(log, places[0])
