"""Control socket: where `ftpd who`, `kick`, `slow`, `lock`, `unlock`, `reload`, `stop` and `status` reach the running server.

Apart from what is asked there (`requests`, `operator`), how it is written (`language`), and the single client (`conversation`).
"""

from __future__ import annotations

import errno
import os
import socket as sockets
import stat
import struct
from contextlib import suppress
from typing import Any, Final

from twisted.internet.address import UNIXAddress
from twisted.logger import Logger

from ftpd.listening import CannotListen
from ftpd.processes.conversation import Conversation, failed
from ftpd.processes.language import written_line
from ftpd.processes.operator import Operator, Refused
from ftpd.processes.shortpath import shortened
from ftpd.processes.status import ListenerStatus, Status, WorkerStatus
from ftpd.spi import DelayedCall
from ftpd.transfer.stream import Stream

__all__ = ["ControlSocket", "ListenerStatus", "Operator", "Refused", "Status", "WorkerStatus"]

_MOST_CLIENTS: Final = 16
_BACKLOG: Final = 16
_REST_SECONDS: Final = 1.0  # without a descriptor to spare
_CREDENTIALS: Final = struct.Struct("iII")  # struct ucred, unix(7): process, user, group
_NOBODY: Final = UNIXAddress(None)


class ControlSocket:
    """A Unix stream socket at *os_path*, mode 0660 and of *group*, a number (None: of the process's own), that asks *operator*.

    `ftpd stop` waits for the end of the process, or of its connection: close this last.
    """

    _log = Logger()

    def __init__(self, reactor: Any, os_path: str, operator: Operator, group: int | None = None) -> None:
        self._reactor = reactor
        self._os_path = os_path
        self._operator = operator
        self._group = group
        self._socket: sockets.socket | None = None
        self._identity: tuple[int, int] | None = None
        self._conversations: set[Conversation] = set()
        self._resting: DelayedCall | None = None

    def open(self) -> None:
        """Begin to listen; does nothing while it listens already.

        What a dead server left behind is replaced.  Raises `CannotListen` where a live one listens, where something else is in the way, or
        the directory does not let us.
        """
        if self._socket is not None:
            return
        socket = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
        try:
            _require_nobody(self._os_path)
            self._publish(socket)
        except OSError as error:
            socket.close()
            raise CannotListen(f"Cannot listen on {self._os_path}: {error.strerror or error}.") from error
        except CannotListen:
            socket.close()
            raise
        self._socket = socket
        self._reactor.addReader(self)

    def close(self) -> None:
        """Stop listening, drop the clients, and remove the socket where it is still ours.  May be called twice."""
        socket, self._socket = self._socket, None
        if socket is None:
            return
        if self._resting is not None:
            self._resting.cancel()
        else:
            self._reactor.removeReader(self)
        with suppress(OSError):  # gone already, or the directory is no longer ours to write
            if _identity(self._os_path) == self._identity:
                os.unlink(self._os_path)
        socket.close()
        for conversation in tuple(self._conversations):
            conversation.abort()

    # IReadDescriptor: what the reactor calls.

    def fileno(self) -> int:
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        return "control socket"

    def doRead(self) -> None:
        if self._socket is None:
            return
        try:
            socket, _ = self._socket.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                self._rest(error)
            return
        socket.setblocking(False)
        if len(self._conversations) >= _MOST_CLIENTS:
            _turn_away(socket)
        else:
            self._begin(socket)

    def connectionLost(self, reason: object) -> None:
        """The reactor dropped us: the socket is of no use any more."""
        self.close()

    def _publish(self, socket: sockets.socket) -> None:
        """Listen under another name, and take the right one when owner and mode are: nobody else gets in between, and what was there goes."""
        fresh = f"{self._os_path}.new"
        with suppress(FileNotFoundError):  # of a server that died between here and the rename
            os.unlink(fresh)
        os.fchmod(socket.fileno(), 0o600)  # Linux gives the name the mode of the socket
        with shortened(fresh) as address:
            socket.bind(address)
        try:
            if self._group is not None:
                os.chown(fresh, -1, self._group)
            os.chmod(fresh, 0o660)
            socket.setblocking(False)
            socket.listen(_BACKLOG)
            self._identity = _identity(fresh)
            os.rename(fresh, self._os_path)
        except OSError:
            with suppress(OSError):
                os.unlink(fresh)
            raise

    def _begin(self, socket: sockets.socket) -> None:
        _, uid, _ = _CREDENTIALS.unpack(socket.getsockopt(sockets.SOL_SOCKET, sockets.SO_PEERCRED, _CREDENTIALS.size))
        conversation = Conversation(self._reactor, self._operator, uid, self._conversations.discard)
        self._conversations.add(conversation)
        Stream(self._reactor, socket, conversation, _NOBODY, _NOBODY).start()

    def _rest(self, error: OSError) -> None:
        """Do not ask again and again for a descriptor that is not there."""
        self._log.warn("the control socket waits: {error}", error=error.strerror)
        self._reactor.removeReader(self)
        self._resting = self._reactor.callLater(_REST_SECONDS, self._resume)

    def _resume(self) -> None:
        self._resting = None
        self._reactor.addReader(self)


def _require_nobody(os_path: str) -> None:
    """Raises `CannotListen` where a server listens at *os_path*, or where something else has the name."""
    try:
        mode = os.lstat(os_path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise CannotListen(f"Cannot listen on {os_path}: there is a file of that name, which is no socket.")
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as probe, shortened(os_path) as address:
        probe.setblocking(False)
        try:
            probe.connect(address)
        except ConnectionRefusedError:
            return  # its server is dead
        except BlockingIOError:
            pass  # a server whose queue is full
    raise CannotListen(f"Cannot listen on {os_path}: another ftpd does.")


def _turn_away(socket: sockets.socket) -> None:
    with socket, suppress(OSError):
        socket.send(written_line(failed("busy", f"{_MOST_CLIENTS} others are using the control socket.")))


def _identity(os_path: str) -> tuple[int, int]:
    status = os.lstat(os_path)
    return status.st_dev, status.st_ino
