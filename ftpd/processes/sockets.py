"""Sockets: the listening sockets of the parent: opened, taken over from systemd, kept over a reload, closed.

Apart from the listeners, which accept from them in the workers, and from the datagram sockets, of which each worker has its own.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, MutableMapping, Sequence
from typing import Final

from twisted.logger import Logger

from ftpd.config.addresses import Place
from ftpd.config.tree import ListenSettings
from ftpd.listening import CannotListen, bound_socket, takes_ipv4_too

__all__ = ["Sockets", "inherited", "matching"]

_FIRST: Final = 3  # descriptor of the first socket that systemd hands over (sd_listen_fds(3))


def inherited(environ: MutableMapping[str, str], pid: int) -> list[socket.socket]:
    """Return the sockets that systemd has handed to the process *pid*, and take the variables that say so out of *environ*.

    None of them is inherited by other programs.  Raises `CannotListen` where one is neither a TCP socket that listens nor a UDP socket that is bound.
    """
    owner, count, names = (environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"))
    if owner != str(pid) or not count.isdecimal():
        return []
    labels = names.split(":") if names else []
    taken: list[socket.socket] = []
    try:
        for index in range(int(count)):
            taken.append(_taken_over(_FIRST + index, labels[index] if index < len(labels) else ""))
    except CannotListen:
        _close(taken)
        raise
    return taken


class Sockets:
    """The listening sockets of this process, *given* ones included, which it owns from now on."""

    _log = Logger()

    def __init__(self, given: Iterable[socket.socket] = ()) -> None:
        self._given = list(given)
        self._open = list(self._given)
        self._idle: list[socket.socket] = []  # given ones of which it was told that nobody serves them

    def claim(self, listeners: Sequence[ListenSettings]) -> list[socket.socket]:
        """Return a socket for each of *listeners*: one that is open already, or a new one; to be followed by `keep`.

        Port 0 is served by any port of its address that no other of them names, so that it keeps its port over a reload.  Raises `CannotListen`;
        then nothing has changed.
        """
        found = matching(listeners, self._open)
        opened: list[socket.socket] = []
        claimed: list[socket.socket] = []
        try:
            for settings, one in zip(listeners, found, strict=True):
                if one is None:
                    one = self._bound(settings)
                    opened.append(one)
                claimed.append(one)
        except BaseException:
            _close(opened)
            raise
        self._open += opened
        return claimed

    def keep(self, claimed: Sequence[socket.socket]) -> None:
        """Close all but *claimed*, and given ones: systemd has those open as well, so that a later claim could not bind their ports."""
        idle = [one for one in self._given if one not in claimed]
        for one in idle:
            if one not in self._idle:
                host, port = one.getsockname()[:2]
                self._log.warn(
                    "no [[listen]] names {address} port {port}, where systemd listens for this server: clients there wait in vain",
                    address=host,
                    port=port,
                )
        _close(one for one in self._open if one not in claimed and one not in idle)
        self._open = [*claimed, *idle]
        self._idle = idle

    def close(self) -> None:
        """Close all; may be called twice."""
        _close(self._open)
        self._open = []

    def _bound(self, settings: ListenSettings) -> socket.socket:
        if ":" not in settings.address and any(takes_ipv4_too(one) and one.getsockname()[1] == settings.port for one in self._open):
            raise CannotListen(
                f"Cannot listen on {settings.address} port {settings.port}: the socket that systemd has opened for :: takes IPv4 clients"
                " too; either its unit has to say BindIPv6Only=ipv6-only, or the [[listen]] for :: is enough."
            )
        return bound_socket(settings)


def matching(listeners: Sequence[Place], available: Iterable[socket.socket]) -> list[socket.socket | None]:
    """Return which of *available* is bound for each of *listeners*, each once, those that name their port first."""
    found: list[socket.socket | None] = [None] * len(listeners)
    free = list(available)
    for index, settings in sorted(enumerate(listeners), key=lambda entry: entry[1].port == 0):
        one = next((one for one in free if _serves(one, settings)), None)
        if one is not None:
            free.remove(one)
            found[index] = one
    return found


def _taken_over(descriptor: int, name: str) -> socket.socket:
    where = f"Descriptor {descriptor} ({name})" if name else f"Descriptor {descriptor}"
    try:
        os.set_inheritable(descriptor, False)
        taken = socket.socket(fileno=descriptor)
    except OSError as error:
        raise CannotListen(f"{where}, handed over by systemd, is no socket: {error.strerror}.") from error
    if not _can_serve(taken):
        taken.close()
        raise CannotListen(
            f"{where}, handed over by systemd, listens neither for TCP nor for UDP: its unit needs ListenStream= and Accept=no, or ListenDatagram=."
        )
    return taken


def _can_serve(one: socket.socket) -> bool:
    if one.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    if one.type == socket.SOCK_DGRAM:
        return bool(one.getsockname()[1])
    return one.type == socket.SOCK_STREAM and bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _serves(one: socket.socket, settings: Place) -> bool:
    """Whether *one* is bound to what *settings* say; any port will do for port 0."""
    host, port, *scope = one.getsockname()
    return settings.port in (0, port) and _bound_name(settings.address) == (host, *scope)


def _bound_name(address: str) -> tuple[object, ...]:
    """Return what getsockname says of a socket bound to *address*, but for the port: the shortest form, and the number of its scope."""
    try:
        [(*_, (host, _, *scope))] = socket.getaddrinfo(address, 0, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:  # a scope that this machine does not have; bind says it better
        return ()
    return (host, *scope)


def _close(some: Iterable[socket.socket]) -> None:
    for one in some:
        one.close()
