"""TFTP with several workers: each answers on a socket of its own, and a reload, a death and a lock are as with FTP."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from ftpd.processes.asking import NotDone
from tests.integration.conftest import StartFleet
from tests.integration.fleet import Fleet, wait_for_end, wait_until
from tests.integration.live import Server
from tests.integration.tftp_wire import DATA, ERROR, Packet, TftpWire, ack

_LOOPBACK: Final = "127.0.0.1"
_CLIENTS: Final = 48  # so many, or the kernel's hash could give all of them to one worker by chance: 1 in 2**47
_CONTENT: Final = bytes(range(256)) * 40  # 20 blocks and an empty last one
Start = Callable[..., tuple[Fleet, int]]
_PROCESS: Final = '''"""Virtual files: `process` has the id of the process that is asked."""

import os

from zope.interface import implementer

from ftpd.interfaces import IVirtualFiles


@implementer(IVirtualFiles)
class Process:
    def __call__(self, request):
        return str(os.getpid()).encode() if request.path.name == "process" else None


PROCESS = Process()
'''


@pytest.fixture
def clients() -> Iterator[list[TftpWire]]:
    """Whoever is put in here is closed with the test."""
    with contextlib.ExitStack() as exits:
        clients: list[TftpWire] = []
        exits.callback(lambda: [client.socket.close() for client in clients])
        yield clients


@pytest.fixture
def start(fleet: StartFleet, tmp_path: Path) -> Start:
    """Start a server with workers that has `file` for anonymous clients, and `process`; return the UDP port as well."""
    (tmp_path / "virtual").mkdir()
    (tmp_path / "virtual" / "process.py").write_text(_PROCESS)

    def start_one(**listener: Any) -> tuple[Fleet, int]:
        server = fleet(settings(tmp_path, **listener))
        (server.root / "file").write_bytes(_CONTENT)
        return server, port_of(server)

    return start_one


def settings(folder: Path, **listener: Any) -> dict[str, Any]:
    return {
        "anonymous": {"enabled": True},
        "extensions": {"directories": [folder / "virtual"]},
        "tftp": {"listeners": [{"port": 0, **listener}]},
    }


def port_of(server: Fleet) -> int:
    return int(server.wait_for(r"answering TFTP requests on 127.0.0.1 port (\d+)")[1])


def client_of(port: int, clients: list[TftpWire]) -> TftpWire:
    clients.append(TftpWire((_LOOPBACK, port)))
    return clients[-1]


def fetched(client: TftpWire, name: str) -> bytes:
    """Return the file, asked for from the port that *client* has had all the time."""
    client.peer = None  # each transfer is answered from another port
    return client.fetch(name, retry_seconds=1)


def rest(client: TftpWire, number: int) -> bytes:
    """Acknowledge block *number* of a transfer under way, and return what follows it."""
    content = b""
    while True:
        client.send(ack(number))
        while (packet := client.receive()) != (DATA, number + 1, packet.content):
            assert packet.opcode == DATA, packet  # one that was repeated meanwhile
        content += packet.content
        number += 1
        if len(packet.content) < 512:
            client.send(ack(number))
            return content


def spread(port: int, clients: list[TftpWire]) -> dict[int, list[TftpWire]]:
    """Return many clients, by the process that serves each."""
    found: dict[int, list[TftpWire]] = {}
    for _ in range(_CLIENTS):
        client = client_of(port, clients)
        found.setdefault(int(fetched(client, "process")), []).append(client)
    return found


def pids(server: Fleet) -> set[int]:
    return {worker.pid for worker in server.workers()}


def test_a_file_is_served_by_each_of_the_workers(start: Start, clients: list[TftpWire]) -> None:
    server, port = start()
    served = spread(port, clients)
    assert served.keys() == pids(server)
    for [client, *_] in served.values():
        assert fetched(client, "file") == _CONTENT
    assert len(re.findall("answering TFTP requests", server.log)) == 1


def test_a_client_always_has_the_same_worker(start: Start, clients: list[TftpWire]) -> None:
    _, port = start()
    for process, those in spread(port, clients).items():
        for client in those[:5]:
            assert [fetched(client, "process") for _ in range(3)] == [str(process).encode()] * 3


def test_a_single_port_is_one_for_all_workers(start: Start, clients: list[TftpWire]) -> None:
    server, port = start(single_port=True)
    served = spread(port, clients)
    assert served.keys() == pids(server)
    for client in clients:
        assert fetched(client, "file") == _CONTENT
        assert client.peer == (_LOOPBACK, port)


def test_the_socket_of_a_killed_worker_is_its_successors(start: Start, clients: list[TftpWire]) -> None:
    _, port = start()
    served = spread(port, clients)
    [dead, alive] = served
    os.kill(dead, signal.SIGKILL)
    [successor] = {int(fetched(client, "process")) for client in served[dead]}
    assert successor not in (dead, alive)
    assert {int(fetched(client, "process")) for client in served[alive]} == {alive}


def test_a_request_that_came_while_nobody_was_there_is_the_successors(start: Start, clients: list[TftpWire]) -> None:
    server, port = start()
    served = spread(port, clients)
    [dead, _] = served
    os.kill(dead, signal.SIGSTOP)
    for client in served[dead]:
        client.peer = None
        client.read("process")  # once: it waits in the socket
    os.kill(dead, signal.SIGKILL)
    assert {client.receive().content for client in served[dead]} == {str(pid).encode() for pid in pids(server) - {*served}}


def test_a_reload_keeps_what_runs_and_serves_whoever_asks(start: Start, clients: list[TftpWire]) -> None:
    server, port = start()
    before = pids(server)
    running = client_of(port, clients)
    begun = running.ask_read("file").content
    server.reload()
    assert not before & pids(server)
    assert spread(port, clients).keys() == pids(server)
    assert begun + rest(running, 1) == _CONTENT
    wait_for_end(*before)


def test_a_reload_ends_what_needs_a_single_port_and_serves_whoever_asks(start: Start, clients: list[TftpWire]) -> None:
    server, port = start(single_port=True)
    before = pids(server)
    running = [client_of(port, clients) for _ in range(_CLIENTS)]
    for client in running:
        client.ask_read("file")
    server.reload()
    for client in running:
        wait_until(lambda client=client: client.receive().opcode == ERROR, "the client is told")  # type: ignore[misc]  # a client
    wait_for_end(*before)
    assert {fetched(client, "file") for client in running} == {_CONTENT}


@pytest.mark.parametrize("workers", [1, 3])
def test_a_reload_may_change_how_many_workers_there_are(
    start: Start, clients: list[TftpWire], workers: int, tmp_path: Path
) -> None:
    server, port = start()
    server.configure({**settings(tmp_path), "process": {"workers": workers}})
    server.reload()
    assert len(pids(server)) == workers
    assert spread(port, clients).keys() == pids(server)


def test_a_listener_that_a_reload_leaves_out_is_closed(start: Start, tmp_path: Path) -> None:
    server, port = start()
    before = pids(server)
    server.configure({**settings(tmp_path), "tftp": {}})
    server.reload()
    wait_for_end(*before)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((_LOOPBACK, port))


def test_a_reload_that_fails_leaves_everybody_served(start: Start, clients: list[TftpWire], tmp_path: Path) -> None:
    server, port = start()
    before = pids(server)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((_LOOPBACK, 0))
        taken = other.getsockname()[1]
        listeners = [{"port": 0}, {"port": taken}]
        server.configure({**settings(tmp_path), "process": {"workers": 3}, "tftp": {"listeners": listeners}})
        with pytest.raises(NotDone, match=f"Cannot listen on 127.0.0.1 port {taken}"):
            server.reload()
    assert spread(port, clients).keys() == before


def test_a_lock_holds_for_requests_and_not_for_what_runs(start: Start, clients: list[TftpWire]) -> None:
    server, port = start()
    running = client_of(port, clients)
    begun = running.ask_read("file").content
    with server.asked() as asked:
        asked.lock("back at six")
    late = client_of(port, clients)

    def is_refused() -> bool:  # workers hear of it one by one
        late.peer = None
        return late.ask_read("file") == Packet(ERROR, 0, b"back at six\0")

    wait_until(is_refused, "a request is refused")
    assert begun + rest(running, 1) == _CONTENT


def test_a_transfer_is_listed_and_ended_as_a_session(start: Start, clients: list[TftpWire]) -> None:
    server, port = start()
    running = client_of(port, clients)
    running.ask_read("file")
    wait_until(lambda: bool(server.who()), "the transfer is listed")
    [row] = server.who()
    assert (row.protocol, row.account, row.command, row.path, row.address) == ("tftp", "anonymous", "RRQ", "/file", _LOOPBACK)
    with server.asked() as asked:
        assert asked.kick("session", row.session) == 1
    wait_until(lambda: running.receive() == Packet(ERROR, 0, b"The operator has ended this session.\0"), "the client is told")


def test_status_has_the_port(start: Start) -> None:
    server, port = start()
    assert [(each.protocol, each.port) for each in server.status().listeners] == [("ftp", server.port), ("tftp", port)]
    assert f"127.0.0.1 port {port} (TFTP)" in server.command("status").stdout


def test_a_port_that_another_server_of_the_same_user_has_is_told(
    start: Start, launch: Callable[..., Server], tmp_path: Path
) -> None:
    server, port = start()
    server.configure({**settings(tmp_path, port=port), "process": {"directory": server.folder / "other"}})
    other = launch("-m", "ftpd", "serve", "--config", str(server.file))
    assert other.end() == 1
    assert (
        other.log == f"ftpd: Cannot listen on 127.0.0.1 port {port}: another program, perhaps another ftpd, listens there already."
    )


def test_a_map_file_with_a_mistake_is_told_with_its_line(start: Start, tmp_path: Path) -> None:
    server, _ = start()
    (server.folder / "map").write_text("r ^a b\nq ^a b\n")
    server.configure(settings(tmp_path, map_file=server.folder / "map"))
    finished: subprocess.CompletedProcess[str] = server.command("reload")
    assert finished.returncode == 2
    assert re.search(r"tftp\.listeners\[0\]\.map_file: .*map, line 2: ", finished.stderr)
