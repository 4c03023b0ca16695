"""Sessions that find every passive port taken wait for one: over real sockets, with a clock of the test's own."""

from __future__ import annotations

import socket as sockets
from contextlib import ExitStack, closing
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from ftpd.errors import DataConnectionFailed, NoFreePort
from ftpd.ftp.data.faults import DataFaults
from ftpd.ftp.data.passive import PassivePort
from ftpd.ftp.data.ports import DataPortFactory
from ftpd.spi import PatientDataPorts
from ftpd.testing.reactors import ClockedReactor
from tests.unit.ftp.data.loopback import DEADLINE, one_free_port, peer


@pytest.fixture
def ports(reactor: ClockedReactor, tidy: ExitStack, faults: DataFaults) -> DataPortFactory:
    """A range of one port."""
    number = one_free_port()
    return tidy.enter_context(closing(DataPortFactory(reactor, (number, number), DEADLINE, faults=faults)))


def outcome(waiting: Deferred[PassivePort]) -> list[Any]:
    found: list[Any] = []
    waiting.addCallback(found.append)
    waiting.addErrback(lambda failure: found.append(failure.value))
    return found


def test_the_factory_can_let_sessions_wait(ports: DataPortFactory) -> None:
    assert isinstance(ports, PatientDataPorts)


def test_who_waits_gets_the_port_once_it_is_free(reactor: ClockedReactor, ports: DataPortFactory) -> None:
    first = ports.listen(peer())
    found = outcome(ports.listen_soon(peer()))
    reactor.clock.advance(1)
    assert found == []
    first.close()
    reactor.clock.advance(0)
    assert [port.port for port in found] == [first.port]


def test_the_port_is_free_once_its_client_has_connected(reactor: ClockedReactor, ports: DataPortFactory, tidy: ExitStack) -> None:
    first = ports.listen(peer())
    found = outcome(ports.listen_soon(peer()))
    tidy.enter_context(sockets.create_connection((first.address, first.port)))
    opened: list[Any] = []
    first.open().addCallback(opened.append)
    reactor.clock.advance(0)
    assert [port.port for port in found] == [first.port]
    tidy.callback(opened[0].close)


def test_they_are_served_in_the_order_they_came(reactor: ClockedReactor, ports: DataPortFactory) -> None:
    first = ports.listen(peer())
    second, third = outcome(ports.listen_soon(peer())), outcome(ports.listen_soon(peer()))
    first.close()
    reactor.clock.advance(0)
    assert (len(second), len(third)) == (1, 0)
    second[0].close()
    reactor.clock.advance(0)
    assert len(third) == 1


def test_who_comes_when_somebody_waits_for_the_same_does_not_come_first(reactor: ClockedReactor, ports: DataPortFactory) -> None:
    first = ports.listen(peer())
    second = outcome(ports.listen_soon(peer()))
    first.close()
    with pytest.raises(NoFreePort):
        ports.listen(peer())
    third = outcome(ports.listen_soon(peer()))
    reactor.clock.advance(0)
    assert (len(second), len(third)) == (1, 0)


def test_who_finds_room_does_not_wait_for_who_does_not(reactor: ClockedReactor, ports: DataPortFactory) -> None:
    ports.listen(peer("127.0.0.2"))
    leaving = ports.listen(peer("127.0.0.3"))
    blocked = outcome(ports.listen_soon(peer("127.0.0.2")))
    served = outcome(ports.listen_soon(peer("127.0.0.3")))
    leaving.close()
    reactor.clock.advance(0)
    assert (len(blocked), len(served)) == (0, 1)


def test_a_port_for_anybody_waits_until_nobody_else_is_on_it(reactor: ClockedReactor, ports: DataPortFactory) -> None:
    others = [ports.listen(peer("127.0.0.2")), ports.listen(peer("127.0.0.3"))]
    found = outcome(ports.listen_soon(peer("127.0.0.4"), from_anywhere=True))
    others[0].close()
    reactor.clock.advance(0)
    assert found == []
    others[1].close()
    reactor.clock.advance(0)
    assert len(found) == 1


def test_after_ten_seconds_it_is_no_free_port_and_told(reactor: ClockedReactor, ports: DataPortFactory, told: list[Any]) -> None:
    ports.listen(peer())
    found = outcome(ports.listen_soon(peer()))
    reactor.clock.advance(9.9)
    assert found == []
    reactor.clock.advance(0.1)
    assert [type(error) for error in found] == [NoFreePort]
    assert [event.fault for event in told] == ["no-free-port"]


def test_a_wait_that_is_cancelled_takes_no_port(reactor: ClockedReactor, ports: DataPortFactory) -> None:
    first = ports.listen(peer())
    waiting = ports.listen_soon(peer())
    found = outcome(waiting)
    waiting.cancel()
    assert [type(error) for error in found] == [CancelledError]
    first.close()
    reactor.clock.advance(0)
    ports.listen(peer())


def test_closing_the_factory_ends_every_wait(ports: DataPortFactory) -> None:
    ports.listen(peer())
    found = outcome(ports.listen_soon(peer()))
    ports.close()
    assert [type(error) for error in found] == [DataConnectionFailed]


def test_where_the_machine_cannot_listen_the_wait_ends(
    reactor: ClockedReactor, ports: DataPortFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ports.listen(peer())
    found = outcome(ports.listen_soon(peer()))

    def bind(self: sockets.socket, address: Any) -> None:
        raise OSError(23, "Too many open files in system")

    monkeypatch.setattr(sockets.socket, "bind", bind)
    first.close()
    reactor.clock.advance(0)
    assert [type(error) for error in found] == [DataConnectionFailed]
