"""Stop: transfers finish, whoever is idle is told so, and no process is left over; and what the other signals do.

Apart from the start of single processes (`test_processes`); here it is the same for a server with workers, for one without, and for a directory.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from ftpd.storage.names import is_staging
from tests.integration.conftest import Serve, StartFleet
from tests.integration.fleet import process_of, wait_for_end, wait_until
from tests.integration.live import SECONDS, TWIST, TWISTD, Guest, Server
from tests.integration.wire import Reply, Wire

STOPPING: Final = Reply(421, "The server is shutting down; closing.")
CONTENT: Final = bytes(range(256)) * 4096
WAITS: Final = """
import os, sys, time
while sys.modules["__main__"].__spec__.name == "ftpd.processes.worker" and os.path.exists({gate!r}):
    time.sleep(0.01)
"""
HURRIES: Final = """
import sys
if fleet := sys.modules.get("ftpd.processes.fleet"):  # not in a worker
    fleet._GRACE_SECONDS = 0.1
"""
CHECKS: Final = """
import threading
import attrs
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from zope.interface import implementer
from ftpd.interfaces import ILoginKind
from ftpd.login.turn import in_turn

@attrs.frozen
class Settings:
    pass

@implementer(ICredentialsChecker)
class Checker:
    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, threads):
        self.threads = threads

    def requestAvatarId(self, credentials):
        return in_turn(self.threads, self.check)

    def check(self):
        with open({begun!r}, "a") as file:
            file.write("begun\\n")
        threading.Event().wait()

@implementer(ILoginKind)
class Kind:
    name = "for ever"
    settings = Settings

    def make(self, settings, threads):
        return Checker(threads)

KIND = Kind()
"""
NEVER: Final = {"process": {"stop": 3600}, "storage": {"local": {"cut_upload": "discard"}}}


@pytest.fixture(params=["two workers", "no workers"])
def begin(request: pytest.FixtureRequest) -> StartFleet | Serve:
    """Start a server of either kind with settings of the test's own."""
    chosen: StartFleet | Serve = request.getfixturevalue("fleet" if request.param == "two workers" else "serve")
    return chosen


@contextlib.contextmanager
def uploading(guest: Guest) -> Iterator[tuple[Wire, socket.socket]]:
    """Give a session in mid upload: CONTENT has been sent, and the server has some of it."""
    with Wire.of(guest) as wire, wire.data() as data:
        assert wire.ask("STOR file").code == 150
        data.sendall(CONTENT)
        assert any(f"{len(CONTENT)} bytes" in wire.ask("STAT").text for _ in range(2000))
        yield wire, data


def is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), SECONDS).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # it has closed in between
        pass
    return False


def assert_finished(server: Server, wire: Wire, data: socket.socket, guest: Guest) -> None:
    """Let the upload finish: it is stored, its session ends, and then the server."""
    data.sendall(CONTENT)
    data.close()
    assert wire.reply().code == 226
    assert wire.reply() == STOPPING
    assert wire.is_closed()
    assert (guest.home / "file").read_bytes() == CONTENT * 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_transfer_finishes_the_idle_go_and_nobody_comes_in(begin: Serve, number: signal.Signals) -> None:
    server = begin(NEVER)
    guest = server.add("ann")
    with Wire.of(guest) as idle, Wire(server.port) as stranger, uploading(guest) as (wire, data):
        assert stranger.reply().code == 220
        server.process.send_signal(number)
        assert idle.reply() == STOPPING
        assert stranger.reply() == STOPPING
        wait_until(lambda: is_refused(server.port), "connections are refused")
        assert_finished(server, wire, data, guest)
    assert server.end() == 0
    assert server.is_gone()


@pytest.mark.parametrize("launcher", [(), TWISTD], ids=["ftpd", "twistd"])
def test_password_checks_hold_up_nobody(begin: Serve, launcher: tuple[str, ...], tmp_path: Path) -> None:
    extensions, begun = tmp_path / "extensions", tmp_path / "begun"
    extensions.mkdir()
    begun.touch()
    (extensions / "checks.py").write_text(CHECKS.format(begun=str(begun)))
    own = {"login": [{"kind": "for ever"}], "extensions": {"directories": [extensions]}, "log": {"targets": []}}
    server = begin({**NEVER, **own}, launcher=launcher)
    at_once = os.cpu_count() or 1  # in each process
    with contextlib.ExitStack() as exits:
        wires = [exits.enter_context(Wire(server.port)) for _ in range(2 * at_once + 2)]
        for wire in wires:
            assert wire.reply().code == 220
            assert wire.ask("USER ann").code == 331
            wire.send("PASS x\r\n")
        wait_until(lambda: len(begun.read_text().split()) >= at_once, "some are under way, and others wait for them")
        server.process.terminate()
        assert [wire.reply().code for wire in wires] == [421] * len(wires)
        assert all(wire.is_closed() for wire in wires)
    assert server.end() == (-signal.SIGTERM if launcher else 0)
    assert server.is_gone()


def test_download_finishes(begin: Serve) -> None:
    server = begin(NEVER)
    guest = server.add("ann")
    content = CONTENT * 32  # more than any socket buffer
    (guest.home / "file").write_bytes(content)
    with Wire.of(guest) as idle, Wire.of(guest) as wire, wire.data() as data:
        assert wire.ask("RETR file").code == 150
        first = data.recv(65536)
        server.process.terminate()
        assert idle.reply() == STOPPING
        assert first + b"".join(iter(lambda: data.recv(262144), b"")) == content
        assert wire.replies(2) == [226, 421]
    assert server.end() == 0


def test_command_that_is_sent_after_the_last_transfer_is_not_lost_without_a_word(begin: Serve) -> None:
    server = begin(NEVER)
    guest = server.add("ann")
    with uploading(guest) as (wire, data):
        wire.send("NOOP\r\nNLST\r\n")
        server.process.terminate()
        wait_until(lambda: is_refused(server.port), "connections are refused")
        data.close()
        assert wire.replies(3) == [200, 226, 425]
        assert wire.reply() == STOPPING
    assert server.end() == 0


def test_transfer_is_cut_at_the_deadline(begin: Serve) -> None:
    server = begin({"process": {"stop": 0.3}, "storage": {"local": {"cut_upload": "discard"}}})
    guest = server.add("ann")
    with uploading(guest) as (wire, _):
        server.process.terminate()
        assert wire.replies(2) == [426, 421]
        assert wire.is_closed()
    assert server.end() == 0
    assert os.listdir(guest.home) == []


def test_second_sigint_is_at_once(begin: Serve) -> None:
    server = begin(NEVER)
    guest = server.add("ann")
    with Wire.of(guest) as idle, uploading(guest) as (wire, _):
        server.process.send_signal(signal.SIGINT)
        assert idle.reply() == STOPPING  # the first has been heard
        server.process.send_signal(signal.SIGINT)
        assert wire.replies(2) == [426, 421]
        assert wire.is_closed()
    assert server.end() == 0
    assert server.is_gone()
    assert os.listdir(guest.home) == []


def test_sigterm_twice_still_lets_the_transfer_finish(begin: Serve) -> None:
    server = begin(NEVER)
    guest = server.add("ann")
    with Wire.of(guest) as idle, uploading(guest) as (wire, data):
        server.process.terminate()
        assert idle.reply() == STOPPING
        server.process.terminate()
        assert_finished(server, wire, data, guest)
    assert server.end() == 0


def test_sigquit_is_at_once(begin: Serve) -> None:
    server = begin(NEVER)
    guest = server.add("ann")
    with uploading(guest) as (wire, _):
        server.process.send_signal(signal.SIGQUIT)
        assert wire.replies(2) == [426, 421]
        assert wire.is_closed()
    assert server.end() == 0
    assert server.is_gone()
    assert os.listdir(guest.home) == []


def test_signal_during_the_start_ends_it(fleet: StartFleet, tmp_path: Path) -> None:
    server = fleet({}, is_awaited=False)
    server.process.terminate()
    assert server.end() == 0
    assert server.is_gone()


def test_ctrl_c_while_workers_start_is_a_clean_end(fleet: StartFleet) -> None:
    server = fleet({}, is_awaited=False)
    os.killpg(server.process.pid, signal.SIGINT)
    assert server.end() == 0
    assert "KeyboardInterrupt" not in server.log
    assert "died" not in server.log
    assert server.is_gone()


def test_thread_that_an_extension_has_left_running_keeps_no_process(fleet: StartFleet, tmp_path: Path) -> None:
    extensions = tmp_path / "fleet0" / "extensions"
    extensions.mkdir(parents=True)
    (extensions / "stays.py").write_text("import threading\nthreading.Thread(target=threading.Event().wait).start()\n")
    server = fleet({})
    assert server.stop() == 0
    assert "signal 9" not in server.log
    assert server.is_gone()


def test_old_workers_end_as_well(fleet: StartFleet) -> None:
    server = fleet(NEVER)
    guest = server.add("ann")
    with Wire.of(guest) as idle, uploading(guest) as (wire, data):
        server.reload()
        server.process.terminate()
        assert idle.reply() == STOPPING
        assert_finished(server, wire, data, guest)
    assert server.end() == 0


def test_old_workers_have_as_long_as_the_new_settings_say(fleet: StartFleet) -> None:
    server = fleet(NEVER)
    with uploading(server.add("ann")) as (wire, _):
        server.configure({**NEVER, "process": {"stop": 0}})
        server.reload()
        server.process.terminate()
        assert wire.replies(2) == [426, 421]
    assert server.end() == 0


def test_reload_that_is_under_way_does_not_keep_it(fleet: StartFleet, tmp_path: Path) -> None:
    server = fleet(NEVER)
    gate = tmp_path / "gate"
    gate.touch()
    (server.folder / "extensions" / "waits.py").write_text(WAITS.format(gate=str(gate)))
    with Wire.of(server.add("ann")) as idle, server.commanded("reload") as reload:
        wait_until(lambda: len(server.processes()) == 4, "the new workers have been started")
        server.process.terminate()
        assert idle.reply() == STOPPING
        gate.unlink()
        assert server.end() == 0
        assert reload.wait(SECONDS) == 1
    assert server.is_gone()


def test_worker_that_hangs_is_killed_and_nothing_is_left(fleet: StartFleet) -> None:
    server = fleet({"process": {"stop": 0}})
    (server.folder / "extensions" / "hurries.py").write_text(HURRIES)
    server.reload()
    os.kill(server.workers()[0].pid, signal.SIGSTOP)
    server.process.terminate()
    assert server.end() == 0
    assert "Unhandled" not in server.log
    assert not os.path.exists(server.control)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT, signal.SIGKILL])
def test_of_many_uploads_what_was_answered_with_226_is_there_and_nothing_by_halves(
    fleet: StartFleet, number: signal.Signals
) -> None:
    server = fleet({"process": {"stop": 3600}})
    guest = server.add("ann")
    workers = server.processes()
    stored: set[str] = set()
    is_begun = threading.Barrier(21, timeout=SECONDS)

    def store(client: int) -> None:
        with contextlib.suppress(OSError, EOFError, AssertionError), Wire.of(guest) as wire:  # until the server ends
            for file in range(1000):
                if wire.store(f"STOR {client}.{file}", CONTENT[: 1 << 18]).code == 226:
                    stored.add(f"{client}.{file}")
                if file == 1:
                    is_begun.wait()

    with ThreadPoolExecutor(20) as threads:
        for client in range(20):
            threads.submit(store, client)
        is_begun.wait()
        for pid in workers if number == signal.SIGKILL else ():
            os.kill(pid, number)
        server.send(number)
    server.end()
    wait_for_end(*workers)
    found = {file.name for file in guest.home.iterdir() if not is_staging(file.name)}
    assert stored <= found
    assert all((guest.home / name).read_bytes() == CONTENT[: 1 << 18] for name in found)


# By command.


def test_command_stop_waits_for_the_transfer(fleet: StartFleet) -> None:
    server = fleet(NEVER)
    guest = server.add("ann")
    with Wire.of(guest) as idle, uploading(guest) as (wire, data), server.commanded("stop") as stop:
        assert idle.reply() == STOPPING
        assert stop.poll() is None
        assert_finished(server, wire, data, guest)
        assert stop.wait(SECONDS) == 0
    assert server.process.poll() is not None  # the command comes back when the server is gone
    assert server.end() == 0


def test_command_stop_now_cuts_it(fleet: StartFleet) -> None:
    server = fleet(NEVER)
    guest = server.add("ann")
    with uploading(guest) as (wire, _):
        assert server.command("stop", "--now").returncode == 0
        assert wire.replies(2) == [426, 421]
    assert server.end() == 0
    assert os.listdir(guest.home) == []


# The server of a directory, and Twisted's own commands.


@pytest.fixture
def directory(launch: Callable[..., Server], tmp_path: Path) -> tuple[Server, Guest]:
    """`ftpd serve DIRECTORY` and its account; the password is this run's."""
    home = tmp_path / "served"
    home.mkdir()
    server = launch("-m", "ftpd", "serve", "served", "--listen", "127.0.0.1:0", "--user", "ann")
    port = int(server.wait_for(r"URL +ftp://127\.0\.0\.1:(\d+)/")[1])
    return server, Guest("ann", home, port)


def logged_in(server: Server, guest: Guest) -> Wire:
    password = server.wait_for(r"Password +(\S+)")[1]
    wire = Wire(guest.port)
    assert wire.reply().code == 220
    assert wire.asks(f"USER {guest.name}", f"PASS {password}", "TYPE I") == [331, 230, 200]
    return wire


def test_served_directory_lets_a_transfer_finish(directory: tuple[Server, Guest]) -> None:
    server, guest = directory
    with logged_in(server, guest) as idle, logged_in(server, guest) as wire, wire.data() as data:
        assert wire.ask("STOR file").code == 150
        data.sendall(CONTENT)
        server.process.terminate()
        assert idle.reply() == STOPPING
        assert_finished(server, wire, data, guest)
    assert server.end() == 0


def test_served_directory_ends_at_once_at_the_second_sigint(directory: tuple[Server, Guest]) -> None:
    server, guest = directory
    with logged_in(server, guest) as idle, logged_in(server, guest) as wire, wire.data() as data:
        assert wire.ask("STOR file").code == 150
        data.sendall(CONTENT)
        server.process.send_signal(signal.SIGINT)
        assert idle.reply() == STOPPING
        server.process.send_signal(signal.SIGINT)
        assert wire.replies(2) == [426, 421]
    assert server.end() == 0
    assert not (guest.home / "file").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_twistd_lets_a_transfer_finish_and_dies_by_the_signal(fleet: StartFleet, number: signal.Signals) -> None:
    server = fleet(NEVER, launcher=TWISTD)
    guest = server.add("ann")
    with Wire.of(guest) as idle, uploading(guest) as (wire, data):
        server.process.send_signal(number)
        assert idle.reply() == STOPPING
        assert_finished(server, wire, data, guest)
    assert server.end() == -number
    assert server.is_gone()


def test_twist_serves_with_workers(fleet: StartFleet) -> None:
    server = fleet(NEVER, launcher=TWIST)
    with Wire.of(server.add("ann")) as wire:
        assert process_of(wire) in server.processes()
        assert wire.store("STOR file", CONTENT).code == 226


# Logs.


def test_sigusr1_reopens_every_log_in_every_worker(fleet: StartFleet, tmp_path: Path) -> None:
    names = ("ftpd.json", "ftpd.log", "xferlog")
    files = {name: tmp_path / name for name in names}
    targets = [{"level": "debug"}, {"format": "json", "file": files["ftpd.json"]}, {"file": files["ftpd.log"]}]
    server = fleet({"log": {"targets": targets, "xferlog": files["xferlog"]}})
    guest = server.add("ann")
    with contextlib.ExitStack() as exits:
        wires = server.on_each(guest, exits)
        for pid, wire in wires.items():
            assert wire.store(f"STOR before{pid}", b"content").code == 226
            assert wire.ask("NOOP").code == 200  # lines are written after the reply that they tell of
        for file in files.values():
            file.rename(f"{file}.1")
        server.send(signal.SIGUSR1)
        server.wait_for("(?s)(?:log files opened anew.*?){3}")  # the parent's and the workers'
        for pid, wire in wires.items():
            assert wire.store(f"STOR after{pid}", b"content").code == 226
            assert wire.ask("NOOP").code == 200
    for file in files.values():
        old, new = Path(f"{file}.1").read_text(), file.read_text()
        for pid in wires:
            assert (f"/before{pid}" in old, f"/after{pid}" in old) == (True, False)
            assert (f"/before{pid}" in new, f"/after{pid}" in new) == (False, True)
    rows = [json.loads(line) for line in files["ftpd.json"].read_text().splitlines()]
    assert {row["path"] for row in rows if row.get("event") == "transfer-ended"} == {f"/after{pid}" for pid in wires}
