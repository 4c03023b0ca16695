"""Asking: a running server is asked over its control socket, and waited for.

Apart from the other side, because it blocks: it is what the command line does, and knows nothing of Twisted, which takes longer to import than an
answer takes.
"""

from __future__ import annotations

import grp
import os
import select
import socket as sockets
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any, Final, TypeVar

import attrs

from ftpd.processes.language import PROTOCOL, Message, read_line, read_problem, read_row, read_status, written_line
from ftpd.processes.shortpath import shortened
from ftpd.processes.status import Status
from ftpd.schema import Problem
from ftpd.values import SessionRow

__all__ = ["CannotAsk", "NotDone", "Server", "asked_server"]

T = TypeVar("T")

_PATIENCE_SECONDS: Final = 10.0  # for an answer that needs no work
_RELOAD_SECONDS: Final = 300.0  # workers start, read certificates, open stores
_END_SECONDS: Final = 5.0  # to be gone, beyond what the server itself grants its sessions
_LOST: Final = "The server has ended the connection without an answer."
_CREDENTIALS: Final = struct.Struct("iII")  # struct ucred, unix(7): process, user, group


class CannotAsk(Exception):
    """The server cannot be asked, or its answer is not understood; the message is one sentence for the operator."""


class NotDone(Exception):
    """The server has not done what was asked: `kind` as the server called it; `problems` are those of a configuration."""

    def __init__(self, message: str, kind: str, problems: Sequence[Problem] = ()) -> None:
        self.kind = kind
        self.problems = tuple(problems)
        super().__init__(message)


class Server:
    """The server at the other end of *socket*.  Every call raises `CannotAsk` and `NotDone`."""

    def __init__(self, socket: sockets.socket, os_path: str) -> None:
        self._socket = socket
        self._lines = socket.makefile("rb")
        self._os_path = os_path

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def who(self) -> list[SessionRow]:
        """Return all sessions, oldest first."""
        return [_understood(read_row, part) for part in self._ask("who").parts]

    def kick(self, field: str, value: str) -> int:
        """End the sessions that *field*, one of `accounts.choice.FIELDS`, says are *value*; return how many they were."""
        return _understood(int, self._ask("kick", field=field, value=value).done)

    def slow(self, field: str, value: str, rate: int) -> int:
        """Hold those of them that are logged in to *rate* bytes a second each way; 0: no more; return how many they were."""
        return _understood(int, self._ask("slow", field=field, value=value, rate=rate).done)

    def lock(self, message: str) -> None:
        """Have new sessions refused with *message*; empty: in the server's own words."""
        self._ask("lock", message=message)

    def unlock(self) -> None:
        self._ask("unlock")

    def reload(self) -> None:
        """Have it serve what its configuration file says now, and wait until it does."""
        self._ask("reload", _RELOAD_SECONDS)

    def status(self) -> Status:
        return _understood(read_status, self._ask("status").done)

    def stop(self, now: bool) -> None:
        """Have it stop, at once where *now*, and wait until it is gone; `CannotAsk` also where that takes longer than it said."""
        with _end_of(self._socket) as gone:
            try:
                seconds = _understood(float, self._ask("stop", now=now).done)
            except _Lost:
                seconds = 0.0  # it was quicker than its answer
            if not gone.is_told_within(seconds + _END_SECONDS):
                raise CannotAsk(f"The server is still there after {seconds + _END_SECONDS:.0f} s.")

    def _ask(self, do: str, seconds: float = _PATIENCE_SECONDS, **fields: Any) -> _Answer:
        """Ask, and wait at most *seconds* for each line of the answer."""
        self._socket.settimeout(seconds)
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # it has turned us away; its reason can still be read
                self._socket.sendall(written_line({"protocol": PROTOCOL, "do": do, **fields}))
            return self._answer()
        except TimeoutError as error:
            raise CannotAsk(f"The server at {self._os_path} does not answer.") from error
        except ConnectionResetError as error:
            raise _Lost(_LOST) from error

    def _answer(self) -> _Answer:
        parts: list[Message] = []
        for line in self._lines:
            message = _understood(read_line, line)
            if "part" in message:
                parts.append(message["part"])
            elif "failed" in message:
                raise _failure(message, parts)
            else:
                return _Answer(message.get("done"), parts)
        raise _Lost(_LOST)


@contextmanager
def asked_server(os_paths: Sequence[str]) -> Iterator[Server]:
    """Connect to the first of *os_paths* where somebody listens.  Raises `CannotAsk`."""
    for os_path in os_paths:
        with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as socket:
            if _is_connected(socket, os_path):
                with closing(Server(socket, os_path)) as server:
                    yield server
                return
    raise CannotAsk(f"No ftpd with workers is running: nobody listens at {' or '.join(os_paths)}.")


@attrs.frozen
class _Answer:
    done: Any
    parts: list[Message]


class _Lost(CannotAsk):
    """The connection has ended before the answer."""


def _is_connected(socket: sockets.socket, os_path: str) -> bool:
    """Connect; return False where nobody listens."""
    socket.settimeout(_PATIENCE_SECONDS)
    try:
        with shortened(os_path) as address:
            socket.connect(address)
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    except PermissionError as error:
        raise CannotAsk(f"{os_path}: permission denied; {_who_may(os_path)}.") from error
    except (TimeoutError, BlockingIOError) as error:  # its queue is full
        raise CannotAsk(f"The server at {os_path} does not answer.") from error
    except OSError as error:
        raise CannotAsk(f"{os_path}: {error.strerror or error}.") from error
    return True


def _failure(message: Message, parts: Sequence[Message]) -> Exception:
    kind, words = str(message["failed"]), str(message.get("message"))
    if kind == "protocol":
        return CannotAsk(f"Server and command are of different releases ({words}); use the server's own command, or restart it.")
    return NotDone(words, kind, [_understood(read_problem, part) for part in parts])


def _who_may(os_path: str) -> str:
    """Say who may use the socket, as far as it can be seen."""
    for seen in (os_path, os.path.dirname(os_path)):
        with suppress(OSError, KeyError):
            return f"root may, and members of the group {grp.getgrgid(os.stat(seen).st_gid).gr_name}"
    return "root may, and the server's group"


def _understood(read: Callable[[Any], T], value: Any) -> T:
    try:
        return read(value)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise CannotAsk("The server's answer makes no sense to this release of ftpd.") from error


class _End:
    """Tells the end of a process by *descriptor*, which can be read from then on."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def is_told_within(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(seconds * 1000))


@contextmanager
def _end_of(socket: sockets.socket) -> Iterator[_End]:
    """Give what tells the end of the process that listens behind *socket*; where the kernel cannot, that of the connection: it closes it last."""
    pid, _, _ = _CREDENTIALS.unpack(socket.getsockopt(sockets.SOL_SOCKET, sockets.SO_PEERCRED, _CREDENTIALS.size))
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:  # Linux before 5.3, or a server outside of our PID namespace
        yield _End(socket.fileno())
        return
    try:
        yield _End(descriptor)
    finally:
        os.close(descriptor)
