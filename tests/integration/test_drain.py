"""A worker begins to drain in the midst of something: a handshake, a login, the end of an upload.  It ends in order, and holds nobody for ever.

Apart from `test_reload`, where sessions are idle or transfer.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.integration.conftest import StartFleet
from tests.integration.fleet import Fleet, process_of, wait_for_end, wait_until
from tests.integration.live import PASSWORD, SECONDS
from tests.integration.wire import Reply, Wire, connect

CONTENT: Final = bytes(range(256)) * 4096
RESTARTING: Final = Reply(421, "The server is restarting; please connect again.")
# A function of a module that workers call in a thread waits before it is called, as long as there is a gate; who is there says so.
WAITS: Final = """
import os, time
import {module}

def wait(*arguments, then={module}.{name}, **options):
    while os.path.exists({gate!r}):
        open({gate!r} + ".reached", "a").close()
        time.sleep(0.01)
    return then(*arguments, **options)

{module}.{name} = wait
"""


@pytest.fixture
def gated(fleet: StartFleet, tmp_path: Path) -> Iterator[Callable[..., tuple[Fleet, Path]]]:
    """Return what starts a server where a function of a module waits for the gate, and gives both."""
    gate = tmp_path / "gate"

    def start(module: str, name: str, settings: dict[str, object]) -> tuple[Fleet, Path]:
        extensions = tmp_path / "fleet0" / "extensions"
        extensions.mkdir(parents=True)
        (extensions / "waits.py").write_text(WAITS.format(module=module, name=name, gate=str(gate)))
        server = fleet(settings)
        gate.touch()
        return server, gate

    yield start
    gate.unlink(missing_ok=True)


def wait_for_it(gate: Path) -> None:
    wait_until(Path(f"{gate}.reached").exists, "somebody waits")


def is_refusing_new_sessions(server: Fleet, old: set[int]) -> bool:
    return all(worker.state == "draining" for worker in server.status().workers if worker.pid in old)


@pytest.fixture
def implicit(certificate: Path) -> dict[str, object]:
    """Settings of a server where TLS begins with the connection."""
    listen = [{"address": "127.0.0.1", "port": 0, "implicit_tls": True}]
    return {"listen": listen, "tls": {"certificates": [{"chain": certificate}]}}


def test_a_handshake_that_is_under_way_ends_and_the_login_follows(fleet: StartFleet, implicit: dict[str, object]) -> None:
    server = fleet(implicit)
    guest = server.add("ann")
    before = server.processes()
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing)
    with connect("127.0.0.1", server.port) as plain:
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        hello = outgoing.read()
        plain.sendall(hello[:100])  # the server waits for the rest
        wait_until(lambda: sum(row.address == "127.0.0.1" for row in server.who()) == 1, "the server has it")
        server.reload()
        assert is_refusing_new_sessions(server, before)
        plain.sendall(hello[100:])

        def exchanged(do: Callable[[], object]) -> object:
            while True:
                try:
                    done = do()
                except ssl.SSLWantReadError:
                    plain.sendall(outgoing.read())
                    incoming.write(plain.recv(65536))
                else:
                    plain.sendall(outgoing.read())
                    return done

        exchanged(tls.do_handshake)
        assert exchanged(lambda: tls.read(1000)) == b"220 ftpd ready.\r\n"
        for line, code in ((f"USER {guest.name}", b"331"), (f"PASS {PASSWORD}", b"230"), ("QUIT", b"221")):
            tls.write(f"{line}\r\n".encode())
            assert bytes(exchanged(lambda: tls.read(1000)))[:3] == code  # type: ignore[call-overload]
    wait_for_end(*before)


def test_a_handshake_that_never_ends_keeps_no_old_worker(fleet: StartFleet, implicit: dict[str, object]) -> None:
    server = fleet({**implicit, "process": {"drain_idle": 0.3}})
    before = server.processes()
    with connect("127.0.0.1", server.port) as plain:
        plain.sendall(b"\x16\x03\x01")
        wait_until(lambda: sum(row.address == "127.0.0.1" for row in server.who()) == 1, "the server has it")
        server.reload()
        wait_for_end(*before)
        plain.settimeout(SECONDS)
        assert plain.recv(1) == b""


@pytest.mark.parametrize("quiet", [0, 0.5])
def test_a_login_whose_password_is_being_checked_is_answered_where_quiet_is_granted(
    gated: Callable[..., tuple[Fleet, Path]], quiet: float
) -> None:
    server, gate = gated("bcrypt", "checkpw", {"process": {"drain_idle": quiet}})
    guest = server.add("ann")
    with Wire(guest.port) as wire:
        assert wire.reply().code == 220
        assert wire.ask("USER ann").code == 331
        wire.send(f"PASS {PASSWORD}\r\n")
        wait_for_it(gate)
        before = server.processes()
        server.reload()
        assert is_refusing_new_sessions(server, before)
        if quiet:
            gate.unlink()
            assert wire.reply().code == 230
            assert wire.reply() == RESTARTING
        else:
            assert wire.reply().code == 421
        assert wire.is_closed()
    gate.unlink(missing_ok=True)
    wait_for_end(*before)


def test_an_upload_that_is_being_stored_at_the_deadline_is_stored_and_said_to_be(
    gated: Callable[..., tuple[Fleet, Path]],
) -> None:
    settings = {"process": {"drain": 0, "drain_idle": 0}, "storage": {"local": {"durable": "file"}}}
    server, gate = gated("os", "fdatasync", settings)
    guest = server.add("ann")
    with Wire.of(guest) as wire, Wire.of(guest) as other:
        old = process_of(wire)
        with wire.data() as data:
            assert wire.ask("STOR file").code == 150
            data.sendall(CONTENT)
        wait_for_it(gate)
        before = server.processes()
        server.reload()
        assert other.reply() == RESTARTING
        wait_until(lambda: server.processes() & before == {old}, "the other old worker is gone")
        gate.unlink()
        assert wire.reply().code == 226
        assert wire.reply().code == 421
        assert wire.is_closed()
    assert (guest.home / "file").read_bytes() == CONTENT
    assert os.listdir(guest.home) == ["file"]
    wait_for_end(old)
