"""The operator's commands against two workers with live sessions: what they show, and what they do to the clients."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from typing import Any, Final

import pytest

from tests.integration.conftest import StartFleet
from tests.integration.fleet import Fleet, wait_until
from tests.integration.live import Guest
from tests.integration.wire import Reply, Wire, read_all

CONTENT: Final = bytes(range(256)) * 4096
KICKED: Final = Reply(421, "The operator has ended this session.")


def sessions(server: Fleet) -> dict[str, dict[str, Any]]:
    """What `ftpd who --json` says, by the name of the file that moves, "" for none."""
    told = server.command("who", "--json")
    assert (told.returncode, told.stderr) == (0, "")
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    return {row["path"]: row for row in rows}


@pytest.fixture
def server(shared_fleet: Fleet) -> Fleet:
    """The server, when nobody is there any more."""
    wait_until(lambda: not shared_fleet.who(), "those of the last test are gone")
    return shared_fleet


@pytest.fixture(scope="module")
def ann(shared_fleet: Fleet) -> Guest:
    return shared_fleet.add("ann")


@pytest.fixture(scope="module")
def bob(shared_fleet: Fleet) -> Guest:
    return shared_fleet.add("bob")


def test_who_shows_the_transfers_of_both_workers_as_they_grow(server: Fleet, ann: Guest) -> None:
    (ann.home / "large").write_bytes(CONTENT * 32)
    with contextlib.ExitStack() as exits:
        uploader, downloader = server.on_each(ann, exits).values()
        upload, download = (exits.enter_context(wire.data()) for wire in (uploader, downloader))
        assert uploader.ask("STOR new").code == 150
        assert downloader.ask("RETR large").code == 150
        upload.sendall(CONTENT)
        wait_until(lambda: len({row.path for row in server.who() if row.moved}) == 2, "both transfers are seen")
        rows = sessions(server)
        first, second = rows["/new"], rows["/large"]
        assert (first["account"], first["address"], first["command"], first["direction"]) == ("ann", "127.0.0.1", "STOR", "upload")
        assert (first["size"], first["moved"]) == (None, len(CONTENT))
        assert (second["command"], second["size"]) == ("RETR", len(CONTENT) * 32)
        assert first["worker"] != second["worker"]
        upload.sendall(CONTENT)
        wait_until(lambda: sessions(server)["/new"]["moved"] == 2 * len(CONTENT), "more bytes are seen")
        table = server.command("who").stdout
        assert "STOR /new" in table
        assert "RETR /large" in table
        while download.recv(1 << 20):
            pass
        upload.close()
        assert uploader.reply().code == downloader.reply().code == 226
        wait_until(lambda: list(sessions(server)) == [""], "nothing moves")


def test_who_shows_everybody_once(server: Fleet, ann: Guest) -> None:
    with contextlib.ExitStack() as exits:
        for _ in range(60):
            exits.enter_context(Wire.of(ann))
        wait_until(lambda: len(server.who()) == 60, "all are seen")
        rows = [json.loads(line) for line in server.command("who", "--json").stdout.splitlines()]
        assert len({row["session"] for row in rows}) == 60
        assert {row["account"] for row in rows} == {"ann"}
    wait_until(lambda: not server.who(), "all are gone")


@pytest.mark.parametrize("field", ["session", "account", "address"])
def test_kick_ends_those_who_are_meant_on_both_workers(server: Fleet, ann: Guest, bob: Guest, field: str) -> None:
    with contextlib.ExitStack() as exits:
        wires = list(server.on_each(ann, exits).values())
        other = exits.enter_context(Wire.of(bob, source="127.0.0.7"))
        wait_until(lambda: len({row.worker for row in server.who() if row.account == "ann"}) == 2, "all are seen")
        meant = [row for row in server.who() if row.account == "ann"]
        names = {getattr(row, field) for row in meant}
        upload = exits.enter_context(wires[0].data())
        assert wires[0].ask("STOR file").code == 150
        upload.sendall(CONTENT)
        told = [server.command("kick", name) for name in names]
        assert [each.returncode for each in told] == [0] * len(names)
        assert [each.stdout for each in told] == (["1 session ended\n"] * 2 if field == "session" else ["2 sessions ended\n"])
        assert wires[0].reply().code == 426
        assert [wire.reply() for wire in wires] == [KICKED, KICKED]
        assert all(wire.is_closed() for wire in wires)
        assert other.ask("NOOP").code == 200
        again = server.command("kick", names.pop())
        assert (again.returncode, again.stdout) == (1, "")
    assert not (ann.home / "file").exists()


def test_slow_holds_transfers_under_way_on_both_workers_until_taken_back(server: Fleet, ann: Guest, bob: Guest) -> None:
    content = bytes(64 << 20)
    (ann.home / "large").write_bytes(content)
    with contextlib.ExitStack() as exits:
        wires = list(server.on_each(ann, exits).values())
        other = exits.enter_context(Wire.of(bob))
        downloads = [exits.enter_context(wire.data()) for wire in wires]
        assert [wire.ask("RETR large").code for wire in wires] == [150, 150]
        told = server.command("slow", "ann", "1")
        assert (told.returncode, told.stdout, told.stderr) == (0, "2 sessions slowed to 1 B/s\n", "")
        counts = [read_until_it_rests(download) for download in downloads]
        assert all(0 < count < len(content) for count in counts)
        assert other.store("STOR file", CONTENT).code == 226
        assert server.command("slow", "--account", "ann", "0").stdout == "2 sessions slowed no more\n"
        assert [count + len(read_all(download)) for count, download in zip(counts, downloads, strict=True)] == [len(content)] * 2
        assert [wire.reply().code for wire in wires] == [226, 226]


def read_until_it_rests(data: socket.socket) -> int:
    """Read what the server does not hold back, which is at an end when nothing comes for a quarter of a second; return how much that was."""
    count = 0
    patience = data.gettimeout()
    data.settimeout(0.25)
    with contextlib.suppress(TimeoutError):
        while received := len(data.recv(1 << 20)):
            count += received
    data.settimeout(patience)
    return count


def test_lock_refuses_who_comes_until_unlock(fleet: StartFleet) -> None:
    server = fleet({})
    guest = server.add("ann")
    closed = Reply(421, "Back at noon.")
    with contextlib.ExitStack() as exits:
        wires = server.on_each(guest, exits)
        assert server.command("lock", "Back at noon.").returncode == 0
        assert greetings(server) == {closed}
        assert [wire.store("STOR file", CONTENT).code for wire in wires.values()] == [226, 226]
        assert server.status().locked == "Back at noon."
        victim = next(iter(wires))
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: victim not in server.processes() and len(server.workers()) == 2, "there is a successor")
        wait_until(lambda: all(worker.state == "ready" for worker in server.workers()), "it serves")
        assert greetings(server) == {closed}
        server.reload()
        assert greetings(server) == {closed}  # by the new workers, too
        assert server.command("unlock").returncode == 0
        assert greetings(server) == {Reply(220, "ftpd ready.")}


def greetings(server: Fleet) -> set[Reply]:
    """What clients are told who come to any worker."""
    found = set()
    for _ in range(40):
        with Wire(server.port) as wire:
            found.add(wire.reply())
    return found


def test_status_tells_of_the_workers(server: Fleet, ann: Guest) -> None:
    with Wire.of(ann):
        wait_until(lambda: sum(worker.sessions for worker in server.workers()) == 1, "the session is counted")
        told = server.command("status", "--json")
        assert told.returncode == 0
        status = json.loads(told.stdout)
        assert status["pid"] == server.process.pid
        assert [(worker["slot"], worker["state"], worker["generation"]) for worker in status["workers"]] == [
            (0, "ready", 1),
            (1, "ready", 1),
        ]
        assert [(listener["address"], listener["port"]) for listener in status["listeners"]] == [("127.0.0.1", server.port)]
