"""A whole server without a socket: its port is a stand-in, and all its clients share it.

Apart so that what a server does with a datagram, and what it opens, are tested with the same one.  Time is Twisted's test clock.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.cred.checkers import AllowAnonymousAccess
from twisted.cred.portal import Portal
from twisted.internet.task import Clock

from ftpd.accounts.realm import TransferRealm
from ftpd.events import DatagramTransferEnded
from ftpd.paths import ROOT
from ftpd.storage.memory import MemoryStore
from ftpd.testing.fakes import SlowStore, finish
from ftpd.tftp import server as server_module
from ftpd.tftp.logins import LIFETIME_SECONDS
from ftpd.tftp.server import TFTPServer
from ftpd.tftp.settings import TFTPListenSettings
from ftpd.values import Account, Permission, Rule, WriteMode
from tests.unit.tftp.exchanges import pattern

CLIENT, OTHER = ("10.0.0.7", 2070), ("10.0.0.8", 2070)
ARRIVAL: Any = (("127.0.0.1", 69), [])
CONTENT = pattern(1300)


class FakePort:
    """A `RequestPort` without a socket: `sent` are the packets and whom they went to."""

    address = ("127.0.0.1", 69)

    def __init__(self, reactor: Any, bound: Any, received: Any, writable: Any) -> None:
        self.received = received
        self.writable = writable
        self.sent: list[tuple[bytes, Any]] = []
        self.is_closed = False

    def sendmsg(self, buffers: Any, ancillary: Any, flags: int, peer: Any) -> None:
        if self.is_closed:
            raise OSError(9, "Bad file descriptor")
        self.sent.append((b"".join(map(bytes, buffers)), peer))

    def send(self, datagram: bytes, peer: Any, ancillary: Any) -> None:
        self.sendmsg((datagram,), ancillary, 0, peer)

    def close(self) -> None:
        self.is_closed = True

    def says(self, datagram: bytes, source: Any = CLIENT) -> list[bytes]:
        """Have *datagram* come in; return what its sender is answered at once."""
        self.received(datagram, source, ARRIVAL)
        return self.taken(source)

    def taken(self, source: Any = CLIENT) -> list[bytes]:
        answers = [packet for packet, peer in self.sent if peer == source]
        self.sent = [(packet, peer) for packet, peer in self.sent if peer != source]
        return answers


class Accounts:
    def __init__(self, **limits: Any) -> None:
        self.limits = limits

    async def account(self, avatar_id: Any) -> Account:
        return Account("anonymous", is_anonymous=True, rules=(Rule(ROOT, Permission.ALL),), **self.limits)


class Scene:
    """A server, its port, its files, and what its observers were told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
        monkeypatch.setattr(server_module, "RequestPort", FakePort)
        self.clock = Clock()
        self.memory = MemoryStore()
        self.store: Any = SlowStore(self.memory) if options.pop("is_slow", False) else self.memory
        self.realm = TransferRealm(Accounts(**options.pop("account", {})), self.store)
        listen = TFTPListenSettings(**{"single_port": True, "write": "any", **options.pop("listen", {})})
        portal = options.pop("portal", None) or Portal(self.realm, [AllowAnonymousAccess()])
        self.server = TFTPServer(portal, listen=listen, reactor=self.clock, **options)
        self.server.listen(object())  # type: ignore[arg-type]
        self.port: Any = self.server._port
        self.events: list[Any] = []
        self.server.events.add(self.events.append)
        self.put("kernel", CONTENT)

    def put(self, name: str, content: bytes) -> None:
        files = finish(self.memory.open(Account("x")))
        path = ROOT.join(name)
        if not path.parent.is_root and path.parent.name not in self.memory._top.entries:
            finish(files.make_directory(path.parent))
        upload = finish(files.open_write(path, mode=WriteMode.REPLACE))
        finish(upload.write_at(0, content))
        finish(upload.commit())

    def content(self, name: str) -> bytes:
        files = finish(self.memory.open(Account("x")))
        file = finish(files.open_read(ROOT.join(name)))
        return finish(file.read_at(0, 1 << 30))

    def wait(self, seconds: float) -> None:
        self.clock.pump([0.025] * round(seconds / 0.025))

    def is_clean(self) -> bool:
        """Whether nothing is left of anybody: no exchange, no place, no timer; and no login, once those that are handed on are too old."""
        self.wait(0.05 + LIFETIME_SECONDS)
        return not self.server._exchanges and not self.server._visits._sessions and not self.clock.getDelayedCalls()

    @property
    def ends(self) -> list[DatagramTransferEnded]:
        return [event for event in self.events if isinstance(event, DatagramTransferEnded)]


def read(name: str = "kernel", **options: str) -> bytes:
    return request(1, name, options)


def write(name: str = "new", **options: str) -> bytes:
    return request(2, name, options)


def request(opcode: int, name: str, options: dict[str, str], mode: str = "octet") -> bytes:
    asked = "".join(f"{option}\0{value}\0" for option, value in options.items())
    return bytes((0, opcode)) + f"{name}\0{mode}\0{asked}".encode()
