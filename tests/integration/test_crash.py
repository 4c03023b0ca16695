"""Crash: a process that dies takes along what it was doing itself, and nothing else; and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from tests.integration.conftest import StartFleet
from tests.integration.fleet import Fleet, process_of, wait_for_end, wait_until
from tests.integration.live import PASSWORD, Guest
from tests.integration.wire import Reply, Wire, free_port

CONTENT: Final = bytes(range(256)) * 4096


def begin_upload(wire: Wire, name: str = "file") -> socket.socket:
    """Begin an upload of which the server has CONTENT; return its data connection."""
    data = wire.data()
    assert wire.ask(f"STOR {name}").code == 150
    data.sendall(CONTENT)
    assert any(f"{len(CONTENT)} bytes" in wire.ask("STAT").text for _ in range(2000))
    return data


def kill(server: Fleet, pid: int) -> None:
    """Kill a worker, and wait until its successor serves."""
    before = len(server.lines)
    os.kill(pid, signal.SIGKILL)
    server.wait_for(rf"worker . \(process {pid}\) died: signal 9")
    wait_until(lambda: any(" serves" in line for line in server.lines[before:]), "a successor serves")


def can_log_in(guest: Guest) -> bool:
    with Wire(guest.port) as wire:
        return wire.reply().code == 220 and wire.asks(f"USER {guest.name}", f"PASS {PASSWORD}")[-1] == 230


@pytest.mark.parametrize("cut_upload", ["keep", "discard", "publish"])
def test_upload_of_a_killed_worker_is_not_published_and_leaves_nothing(fleet: StartFleet, cut_upload: str) -> None:
    server = fleet({"storage": {"local": {"cut_upload": cut_upload}}})
    guest = server.add("ann")
    (guest.home / "old").write_bytes(b"old content")
    with Wire.of(guest) as wire, begin_upload(wire, "old"), Wire.of(guest) as other, begin_upload(other, "new"):
        for pid in server.processes():
            kill(server, pid)
        assert wire.is_closed()
    wait_until(lambda: os.listdir(guest.home) == ["old"], "what the upload left is removed")
    assert (guest.home / "old").read_bytes() == b"old content"


def test_sessions_of_the_other_worker_go_on(fleet: StartFleet) -> None:
    server = fleet({})
    guest = server.add("ann")
    with contextlib.ExitStack() as exits:
        wires = server.on_each(guest, exits)
        (victim, lost), (survivor, wire) = wires.items()
        with begin_upload(wire) as data:
            kill(server, victim)
            data.sendall(CONTENT)
        assert wire.reply().code == 226
        assert (guest.home / "file").read_bytes() == CONTENT * 2
        assert wire.fetch("RETR file") == CONTENT * 2
        assert lost.is_closed()
        assert process_of(wire) == survivor
        assert victim not in server.on_each(guest, exits)  # and the successor accepts
        restarts = {worker.pid: worker.restarts for worker in server.workers()}
        assert restarts.pop(survivor) == 0
        assert list(restarts.values()) == [1]


def test_rows_and_counts_of_a_killed_worker_are_free_again(fleet: StartFleet) -> None:
    server = fleet({"account": {"home": "/{name}", "max_sessions": 1}, "limits": {"sessions": 2}})
    ann, bob = server.add("ann"), server.add("bob")
    with Wire.of(ann) as wire, Wire.of(bob) as other:
        wait_until(lambda: sorted(row.account for row in server.who()) == ["ann", "bob"], "both are seen")
        assert not can_log_in(ann)
        victims = {process_of(wire), process_of(other)}
        for pid in victims:
            kill(server, pid)
        wait_until(lambda: can_log_in(ann) and can_log_in(bob), "both may come in again")
        wait_until(lambda: not server.who(), "nobody is there")


def test_worker_that_is_killed_again_and_again_is_started_again_and_again(fleet: StartFleet) -> None:
    server = fleet({"process": {"workers": 1}}, is_awaited=False)
    server.wait_for("worker 0 .* serves")
    guest = server.add("ann")
    for number in range(3):
        [worker] = server.workers()
        assert worker.restarts == number
        kill(server, worker.pid)
        with Wire.of(guest) as wire:
            assert wire.store(f"STOR file{number}", CONTENT).code == 226


def test_signals_to_all_processes_of_the_service_end_no_worker(shared_fleet: Fleet) -> None:
    with Wire(shared_fleet.port) as wire:
        assert wire.reply().code == 220
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGINT):
            os.kill(process_of(wire), number)
        assert wire.ask("NOOP").code == 200


def test_worker_that_hangs_keeps_nobody_from_the_other(fleet: StartFleet) -> None:
    server = fleet({})
    guest = server.add("ann")
    hung = server.workers()[0].pid
    os.kill(hung, signal.SIGSTOP)
    try:
        with contextlib.ExitStack() as exits:
            wires = [exits.enter_context(Wire.of(guest)) for _ in range(40)]
            assert hung not in set(map(process_of, wires))
            assert wires[-1].store("STOR file", CONTENT).code == 226
            assert wires[0].fetch("RETR file") == CONTENT
    finally:
        os.kill(hung, signal.SIGCONT)


def test_old_worker_that_is_killed_has_no_successor_and_leaves_nothing(fleet: StartFleet) -> None:
    server = fleet({"account": {"home": "/{name}", "max_sessions": 1}})
    guest = server.add("ann")
    with Wire.of(guest) as wire:
        old = process_of(wire)
        data = begin_upload(wire)
        server.reload()
        os.kill(old, signal.SIGKILL)
        server.wait_for(rf"worker . \(process {old}\) died: signal 9")
        assert wire.is_closed()
        data.close()
    wait_until(lambda: os.listdir(guest.home) == [], "what the upload left is removed")
    wait_until(lambda: can_log_in(guest), "its place is free")
    wait_until(lambda: len(server.processes()) == 2, "only the new workers are left")
    assert {worker.generation for worker in server.status().workers} == {2}


def test_limit_is_exact_after_workers_were_killed_amid_logins(fleet: StartFleet) -> None:
    server = fleet({"limits": {"sessions": 12}})
    guest = server.add("ann")
    is_over = threading.Event()

    def come_and_go() -> None:
        while not is_over.is_set():
            with contextlib.suppress(OSError, EOFError, AssertionError):  # its worker is killed, or there is no room
                Wire.of(guest).control.close()

    with ThreadPoolExecutor(8) as threads:
        for _ in range(8):
            threads.submit(come_and_go)
        for pid in server.processes():
            kill(server, pid)
        is_over.set()
    wait_until(lambda: not server.who(), "all are gone")
    with contextlib.ExitStack() as exits:
        for _ in range(12):
            exits.enter_context(Wire.of(guest))
        assert not can_log_in(guest)


# The parent.


def test_workers_whose_parent_is_killed_finish_and_end(fleet: StartFleet) -> None:
    server = fleet({"process": {"drain_idle": 0.2}})
    guest = server.add("ann")
    workers = server.processes()
    with Wire.of(guest) as idle, Wire.of(guest) as wire, begin_upload(wire) as data:
        server.process.kill()
        assert idle.reply() == Reply(421, "The server is restarting; please connect again.")
        data.sendall(CONTENT)
        data.close()
        assert wire.replies(2) == [226, 421]
        assert wire.is_closed()
        assert (guest.home / "file").read_bytes() == CONTENT * 2
    wait_for_end(*workers)


def test_server_that_follows_a_killed_one_has_its_port_while_old_sessions_go_on(fleet: StartFleet, tmp_path: Path) -> None:
    port = free_port()
    settings = {"listen": [{"address": "127.0.0.1", "port": port}], "process": {"directory": tmp_path / "run"}}
    server = fleet(settings)
    guest = server.add("ann")
    workers = server.processes()
    with Wire.of(guest) as wire, begin_upload(wire) as data:
        server.process.kill()
        follower = fleet(settings)
        other = follower.add("bob")
        with Wire.of(other) as new:
            assert process_of(new) not in workers
            assert new.store("STOR file", CONTENT).code == 226
        data.sendall(CONTENT)
        data.close()
        assert wire.reply().code == 226
        assert wire.ask("QUIT").code == 221
    assert (guest.home / "file").read_bytes() == CONTENT * 2
    wait_for_end(*workers)
