"""Requests that follow each other from one port of the client, as firmware sends them, over real sockets.

The last acknowledgement goes to another port of ours than the next request, and what comes to two ports may be read in either order.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from twisted.cred.checkers import AllowAnonymousAccess
from twisted.cred.portal import Portal

from ftpd.accounts.realm import TransferRealm
from ftpd.events import DatagramTransferEnded
from ftpd.paths import ROOT
from ftpd.storage.memory import MemoryStore
from ftpd.testing.fakes import finish
from ftpd.tftp.server import TFTPServer
from ftpd.tftp.settings import TFTPListenSettings
from ftpd.tftp.wire.packets import ack, error
from ftpd.values import Account, Outcome, WriteMode
from tests.unit.tftp.exchanges import data
from tests.unit.tftp.loopback import turn_until
from tests.unit.tftp.scene import Accounts, read

SHORT = bytes(100)  # one block
LONG = bytes(512 * 40)  # by way of a socket of its own


class Client:
    """A socket that all requests come from."""

    def __init__(self, reactor: Any, server: TFTPServer) -> None:
        self._reactor = reactor
        self._server = server.address
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.heard: list[tuple[bytes, Any]] = []

    def ask(self, name: str) -> None:
        self.socket.sendto(read(name), self._server)

    def hear(self) -> bytes:
        """Return the next packet, and remember where it came from."""
        turn_until(self._reactor, self._has_heard)
        packet, self.source = self.heard.pop(0)
        return packet

    def _has_heard(self) -> bool:
        try:
            self.heard.append(self.socket.recvfrom(65536))
        except BlockingIOError:
            return False
        return True

    def acknowledge(self, number: int) -> None:
        self.socket.sendto(ack(number), self.source)


@pytest.fixture
def server(reactor: Any) -> Iterator[TFTPServer]:
    store = MemoryStore()
    files = finish(store.open(Account("x")))
    for name, content in (("short", SHORT), ("long", LONG)):
        upload = finish(files.open_write(ROOT.join(name), mode=WriteMode.REPLACE))
        finish(upload.write_at(0, content))
        finish(upload.commit())
    portal = Portal(TransferRealm(Accounts(), store), [AllowAnonymousAccess()])
    server = TFTPServer(portal, listen=TFTPListenSettings(port=0), reactor=reactor)
    server.listen()
    yield server
    server.close()
    server.close_sessions()


@pytest.fixture
def client(reactor: Any, server: TFTPServer) -> Iterator[Client]:
    client = Client(reactor, server)
    with closing(client.socket):
        yield client


@pytest.mark.parametrize(("first", "blocks"), [("short", 1), ("long", 41)])
@pytest.mark.parametrize("second", ["short", "long"])
def test_what_is_asked_for_behind_the_last_acknowledgement_is_answered_at_once(
    server: TFTPServer, client: Client, first: str, blocks: int, second: str
) -> None:
    ends: list[DatagramTransferEnded] = []
    server.events.add(lambda event: ends.append(event) if isinstance(event, DatagramTransferEnded) else None)
    client.ask(first)
    for number in range(1, blocks):
        client.hear()
        client.acknowledge(number)
    client.hear()
    client.acknowledge(blocks)
    client.ask(second)
    assert server._port is not None
    server._port.doRead()  # the request is read first
    assert client.hear() == data(1, SHORT if second == "short" else LONG[:512])
    assert [(end.outcome, end.cause) for end in ends] == [(Outcome.FINISHED, "")]


@pytest.mark.parametrize("has_come", [True, False])
def test_what_has_come_and_was_not_read_yet_is_no_silence(
    server: TFTPServer, client: Client, monkeypatch: pytest.MonkeyPatch, *, has_come: bool
) -> None:
    """Thousands at a time are read in turns (`crowd`), and one whose turn has yet to come is not sent its block again."""
    client.ask("long")
    assert client.hear() == data(1, LONG[:512])
    if has_come:
        client.acknowledge(1)
    monkeypatch.setattr(server.reactor, "seconds", lambda: time.time() + 60)
    server.reactor.runUntilCurrent()
    assert client.hear() == data(2 if has_come else 1, LONG[:512])
    assert [row.moved for row in server.rows()] == [512 if has_come else 0]


def test_client_that_has_gone_is_over_once_when_its_time_has_run_out(
    server: TFTPServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: list[DatagramTransferEnded] = []
    server.events.add(lambda event: ends.append(event) if isinstance(event, DatagramTransferEnded) else None)
    client.ask("long")
    client.hear()
    client.socket.sendto(error(0, "no more"), client.source)
    monkeypatch.setattr(server.reactor, "seconds", lambda: time.time() + 60)
    server.reactor.runUntilCurrent()
    assert [end.cause for end in ends] == ["The client gave up: error 0 no more"]
