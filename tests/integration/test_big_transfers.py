"""ABOR, STAT and NOOP while a transfer flows as fast as it can, so that a thread of the server carries it.

Apart from the other tests of these commands, whose transfers stand still when the command comes.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.live import SECONDS, Guest
from tests.integration.secure_wire import SecureWire
from tests.integration.wire import Wire

LARGE = 64 * 1024**3  # sparse, and never sent to its end
QUESTIONS = 1000  # at most, until something has changed


class Flow:
    """A client's thread that reads or writes as fast as it can until the server ends the connection; `moved` is in bytes."""

    def __init__(self, data: socket.socket, *, is_upload: bool) -> None:
        self.moved = 0
        self._data = data
        self._step = self._write if is_upload else self._read
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def join(self) -> None:
        self._thread.join(SECONDS)
        assert not self._thread.is_alive(), "the server does not end the data connection"

    def _run(self) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while moved := self._step():
                self.moved += moved

    def _read(self) -> int:
        return len(self._data.recv(1024 * 1024))

    def _write(self) -> int:
        return self._data.send(b"data" * 65_536)


Flowing = Callable[[str], contextlib.AbstractContextManager[tuple[Wire, Flow]]]


@pytest.fixture(params=["clear", "tls"])
def flowing(request: pytest.FixtureRequest) -> tuple[Flowing, Guest]:
    """Return what begins `RETR large` or `STOR new`, and whose home it is in."""
    is_secure = request.param == "tls"
    guest: Guest = request.getfixturevalue("secure_guest" if is_secure else "guest")
    with (guest.home / "large").open("wb") as file:
        file.truncate(LARGE)

    @contextlib.contextmanager
    def begin(line: str) -> Iterator[tuple[Wire, Flow]]:
        with SecureWire.of(guest) if is_secure else Wire.of(guest) as wire:
            plain = wire.data()
            assert wire.ask(line).code == 150
            data: Any = wire.secured(plain) if isinstance(wire, SecureWire) else plain
            with data:
                flow = Flow(data, is_upload=line.startswith("STOR"))
                yield wire, flow
                flow.join()

    return begin, guest


def moved(wire: Wire) -> int:
    """Return how many bytes STAT says."""
    reply = wire.ask("STAT")
    found = re.search(r"(?:RETR|STOR) \S+\n (\d+)", reply.text)
    assert reply.code == 211
    assert found is not None, reply
    return int(found[1])


def grows(wire: Wire, above: int) -> int:
    """Ask until STAT says more than *above*, and return what it says."""
    return next(count for count in (moved(wire) for _ in range(QUESTIONS)) if count > above)


@pytest.mark.parametrize("line", ["RETR large", "STOR new"])
def test_stat_shows_a_growing_count_and_noop_is_answered_meanwhile(flowing: tuple[Flowing, Guest], line: str) -> None:
    begin, _ = flowing
    with begin(line) as (wire, flow):
        first = grows(wire, 0)
        assert wire.ask("NOOP").code == 200
        second = grows(wire, first)
        assert wire.ask("NOOP").code == 200
        assert first < second
        assert wire.ask("ABOR").code == 426
        assert wire.reply().code == 226
    assert flow.moved > 0


@pytest.mark.parametrize("line", ["RETR large", "STOR new"])
def test_abor_stops_it_and_the_session_works_on(flowing: tuple[Flowing, Guest], line: str) -> None:
    begin, guest = flowing
    (guest.home / "small").write_bytes(b"small")
    with begin(line) as (wire, flow):
        grows(wire, 0)
        wire.send("ABOR\r\n")
        assert wire.replies(2) == [426, 226]
        flow.join()
        assert wire.fetch("RETR small") == b"small"


def test_abor_publishes_nothing(flowing: tuple[Flowing, Guest]) -> None:
    begin, guest = flowing
    with begin("STOR new") as (wire, flow):
        grows(wire, 1024 * 1024)
        wire.send("ABOR\r\n")
        assert wire.replies(2) == [426, 226]
        flow.join()
        assert not (guest.home / "new").exists()
        assert wire.store("STOR new", b"whole").code == 226
    assert (guest.home / "new").read_bytes() == b"whole"


def test_client_that_goes_away_publishes_nothing(flowing: tuple[Flowing, Guest]) -> None:
    begin, guest = flowing
    with begin("STOR new") as (wire, _):
        grows(wire, 1024 * 1024)
        wire.control.close()
    assert not (guest.home / "new").exists()
