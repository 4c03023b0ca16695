"""Reload: new settings for who comes, no harm to who is there, and nothing at all where the configuration is broken."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import indent
from typing import Any, Final

import pytest

from ftpd.testing.certificates import Identity, make_certificate
from tests.integration.conftest import StartFleet
from tests.integration.fleet import Fleet, process_of, wait_for_end, wait_until
from tests.integration.live import CHECKOUT, PASSWORD, SECONDS, merged
from tests.integration.wire import Reply, Wire

RESTARTING: Final = Reply(421, "The server is restarting; please connect again.")
CONTENT: Final = bytes(range(256)) * 4096
DIES: Final = """
import os, sys
if sys.modules["__main__"].__spec__.name == "ftpd.processes.worker":
    os._exit(9)
"""

WAITS: Final = """
import os, sys, time
while sys.modules["__main__"].__spec__.name == "ftpd.processes.worker" and os.path.exists({gate!r}):
    time.sleep(0.01)
"""

UNTOLD: Final = """
import sys
if sys.modules["__main__"].__spec__.name == "ftpd.__main__":  # the parent
    from ftpd.processes.process import WorkerProcess
    tell = WorkerProcess.tell

    def tell_others(self, deed, **more):
        if deed != "look" or not self.is_ending:
            tell(self, deed, **more)

    WorkerProcess.tell = tell_others
"""

STORE: Final = """
import attrs
from zope.interface import implementer
from ftpd.interfaces import IStoreKind
from ftpd.schema import FilePath, setting
from ftpd.storage.local import LocalSettings, LocalStore

@attrs.frozen
class Settings:
    root: FilePath = setting(FilePath(""), help="Where it is.")
    {more}

@implementer(IStoreKind)
class Kind:
    name = "mine"
    settings = Settings

    def make(self, settings, threads):
        return LocalStore(LocalSettings(root=settings.root), threads)

KIND = Kind()
"""


@pytest.fixture
def mirror() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start clients that mirror, in a process of their own."""
    started: list[subprocess.Popen[str]] = []

    def start(port: int, account: str, clients: int) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.integration.mirror", str(port), account, str(clients)],
                cwd=CHECKOUT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def greeted(server: Fleet) -> Wire:
    wire = Wire(server.port)
    assert wire.reply().code == 220
    return wire


def greeting(server: Fleet, port: int | None = None) -> str:
    with Wire(port or server.port) as wire:
        return wire.reply().text


def test_reloads_under_100_mirroring_clients_fail_no_transfer(
    fleet: StartFleet, mirror: Callable[..., subprocess.Popen[str]]
) -> None:
    server = fleet({})
    mirrors = [mirror(server.port, server.add(f"account{number}").name, 50) for number in range(2)]

    def wait_for(word: str) -> None:
        for process in mirrors:
            assert process.stdout is not None
            assert process.stdout.readline() == f"{word}\n"

    wait_for("ready")
    before = {worker.pid for worker in server.workers()}
    for number in range(2):
        server.configure({"ftp": {"greeting": f"Configuration {number}."}})
        server.reload()
        for process in mirrors:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        wait_for("lapped")
    results = [json.loads(process.communicate(timeout=SECONDS)[0]) for process in mirrors]
    assert [result["failures"] for result in results] == [[], []]
    assert all(result["transfers"] >= 500 for result in results), results
    assert " 421 " not in server.log
    assert "-> 4" not in server.log
    assert "-> 5" not in server.log
    wait_for_end(*before)
    wait_until(lambda: len(server.processes()) == 2, "only the newest workers are left")
    assert greeting(server) == "Configuration 1."


def test_session_goes_on_with_the_old_settings_and_the_next_has_the_new_ones(fleet: StartFleet) -> None:
    server = fleet({"ftp": {"greeting": "old"}})
    with Wire.of(server.add("ann")) as wire:
        old = process_of(wire)
        server.configure({"ftp": {"greeting": "new", "deny_commands": ["DELE"]}})
        server.reload()
        assert greeting(server) == "new"
        assert process_of(wire) == old
        assert wire.store("STOR file", CONTENT).code == 226
        assert wire.fetch("RETR file") == CONTENT
        assert wire.ask("DELE file").code == 250
        assert [worker.state for worker in server.status().workers if worker.pid == old] == ["draining"]
        assert wire.ask("QUIT").code == 221
    wait_for_end(old)


def test_transfer_that_is_under_way_finishes_in_the_old_worker(fleet: StartFleet) -> None:
    server = fleet({"process": {"drain_idle": 0.2}})
    guest = server.add("ann")
    with Wire.of(guest) as wire:
        with wire.data() as data:
            assert wire.ask("STOR file").code == 150
            data.sendall(CONTENT)
            server.reload()
            data.sendall(CONTENT)
        assert wire.reply().code == 226
        assert (guest.home / "file").read_bytes() == CONTENT * 2
        assert wire.reply() == RESTARTING
        assert wire.is_closed()


def test_sighup_reloads(fleet: StartFleet) -> None:
    server = fleet({})
    server.configure({"ftp": {"greeting": "new"}})
    server.send(signal.SIGHUP)
    server.wait_for("configuration reloaded")
    assert greeting(server) == "new"


def test_quiet_session_is_told_421(fleet: StartFleet) -> None:
    server = fleet({"process": {"drain_idle": 0.3}})
    with Wire.of(server.add("ann")) as wire:
        old = process_of(wire)
        server.reload()
        assert wire.reply() == RESTARTING
        assert wire.is_closed()
    wait_for_end(old)


def test_transfer_is_cut_at_the_deadline(fleet: StartFleet) -> None:
    server = fleet({"process": {"drain": 0.5}, "storage": {"local": {"cut_upload": "discard"}}})
    guest = server.add("ann")
    with Wire.of(guest) as wire, wire.data() as data:
        old = process_of(wire)
        assert wire.ask("STOR file").code == 150
        data.sendall(CONTENT)
        server.reload()
        assert wire.reply().code == 426
        assert wire.reply().code == 421
        assert wire.is_closed()
    wait_for_end(old)
    assert os.listdir(guest.home) == []


def test_certificate_of_the_new_configuration_is_shown(
    fleet: StartFleet, authority: Identity, certificate: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(make_certificate(authority, ["other.example"]).pem)
    (tmp_path / "authority.pem").write_bytes(authority.certificate)
    listen = {"listen": [{"address": "127.0.0.1", "port": 0, "implicit_tls": True}]}
    server = fleet({**listen, "tls": {"certificates": [{"chain": certificate}]}})
    assert "localhost" in names_shown(server.port, tmp_path / "authority.pem")
    server.configure({**listen, "tls": {"certificates": [{"chain": other}]}})
    server.reload()
    assert names_shown(server.port, tmp_path / "authority.pem") == ["other.example"]


def names_shown(port: int, authority: Path) -> list[str]:
    """The names in the certificate that the server shows."""
    context = ssl.create_default_context(cafile=str(authority))
    context.check_hostname = False
    with socket.create_connection(("127.0.0.1", port), SECONDS) as plain, context.wrap_socket(plain) as tls:
        found: Any = tls.getpeercert()
        return [name for kind, name in found["subjectAltName"] if kind == "DNS"]


def test_new_listener_opens_and_a_removed_one_closes(fleet: StartFleet) -> None:
    first, second = ({"address": f"127.0.0.{number}", "port": 0} for number in (1, 2))
    server = fleet({"listen": [first]})
    with Wire.of(server.add("ann")) as wire:
        server.configure({"listen": [second]})
        server.reload()
        [listener] = server.status().listeners
        assert listener.address == "127.0.0.2"
        with Wire(listener.port, "127.0.0.2") as other:
            assert other.reply().code == 220
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), SECONDS)
        assert wire.store("STOR file", CONTENT).code == 226  # whoever is there stays
        server.configure({"listen": [first, second]})
        server.reload()
        assert server.status().listeners[1] == listener  # it has stayed open


def test_reload_is_done_when_nobody_meets_the_old_settings_any_more(fleet: StartFleet) -> None:
    server = fleet({"ftp": {"greeting": "old"}})
    slow = server.workers()[0].pid
    server.configure({"ftp": {"greeting": "new"}})
    os.kill(slow, signal.SIGSTOP)
    try:
        with server.commanded("reload") as reload:
            wait_until(
                lambda: {worker.state for worker in server.status().workers if worker.generation == 1} == {"draining"},
                "the old workers were told",
            )
            server.status()
            assert reload.poll() is None
            os.kill(slow, signal.SIGCONT)
            assert reload.wait(SECONDS) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(slow, signal.SIGCONT)
    assert {greeting(server) for _ in range(20)} == {"new"}


def test_changed_limit_is_in_force(fleet: StartFleet) -> None:
    limits = {"account": {"home": "/{name}", "max_sessions": 2}}
    server = fleet({})
    guest = server.add("ann")
    with Wire.of(guest), Wire.of(guest):
        server.configure(limits)
        server.reload()
        with Wire(server.port) as wire:  # those of the old workers count
            wire.reply()
            assert wire.asks("USER ann", f"PASS {PASSWORD}") == [331, 421]


def test_number_of_workers_changes(fleet: StartFleet) -> None:
    server = fleet({"process": {"drain_idle": 0.1}})
    for count in (3, 1):
        server.configure({"process": {"drain_idle": 0.1, "workers": count}})
        server.reload()
        wait_until(lambda count=count: len(server.processes()) == count, "the old ones are gone")  # type: ignore[misc]
        assert [worker.slot for worker in server.workers()] == list(range(count))
        assert greeting(server) == "ftpd ready."


def test_sessions_of_old_workers_are_seen_and_can_be_kicked(fleet: StartFleet) -> None:
    server = fleet({})
    with Wire.of(server.add("ann")) as old:
        server.reload()
        with Wire.of(server.add("bob")) as new:
            wait_until(lambda: sorted(row.account for row in server.who()) == ["ann", "bob"], "both are seen")
            with server.asked() as asked:
                assert asked.kick("account", "ann") == 1
            assert old.reply() == Reply(421, "The operator has ended this session.")
            assert new.ask("NOOP").code == 200


def test_session_that_is_kicked_is_counted_where_its_worker_ends_with_it_before_it_is_told_to_look(
    fleet: StartFleet, tmp_path: Path
) -> None:
    """It finds in its report of the second what is asked, and has nobody else to serve."""
    extensions = tmp_path / "fleet0" / "extensions"
    extensions.mkdir(parents=True)
    (extensions / "untold.py").write_text(UNTOLD)
    server = fleet({})
    with Wire.of(server.add("ann")) as old:
        server.reload()
        with server.asked() as asked:
            assert asked.kick("account", "ann") == 1
        assert old.reply() == Reply(421, "The operator has ended this session.")


def test_listener_of_ipv6_stays_open(fleet: StartFleet, has_ipv6: bool) -> None:
    if not has_ipv6:
        pytest.skip("machine: no IPv6 on loopback")
    listen = [{"address": "127.0.0.1", "port": 0}, {"address": "0:0:0:0:0:0:0:1", "port": 0}]
    server = fleet({"listen": listen})
    before = server.status().listeners
    server.reload()
    assert server.status().listeners == before
    with Wire(before[1].port, "::1") as wire:
        assert wire.reply().code == 220


# What cannot be used.


def broken_syntax(server: Fleet) -> str:
    server.file.write_text("[ftp\n")
    return "not TOML"


def broken_name(server: Fleet) -> str:
    server.configure({"ftp": {"greting": "new"}})
    return r"ftp\.greting: no such setting; did you mean greeting\?"


def broken_certificate(server: Fleet) -> str:
    server.configure({"tls": {"certificates": [{"chain": server.folder / "missing.pem"}]}})
    return r"missing\.pem: No such file or directory"


def other_directory(server: Fleet) -> str:
    server.configure({"process": {"directory": server.folder / "elsewhere"}})
    return r"process\.directory: changed from .* this needs a restart"


def other_user(server: Fleet) -> str:
    server.configure({"process": {"user": "nobody"}})
    return r"process\.user: changed from '' to 'nobody'; this needs a restart"


def no_workers(server: Fleet) -> str:
    server.configure({"process": {"workers": 0}})
    return r"process\.workers: changed to none; this needs a restart"


def other_store(server: Fleet) -> str:
    server.configure({"storage": {"local": {"root": "missing"}}})
    return r"storage\.local: cannot be opened"


@pytest.mark.parametrize(
    "change", [broken_syntax, broken_name, broken_certificate, other_directory, other_user, no_workers, other_store]
)
def test_configuration_that_cannot_be_used_changes_nothing(shared_fleet: Fleet, change: Callable[[Fleet], str]) -> None:
    server = shared_fleet
    before = server.processes()
    reason = change(server)
    told = server.command("reload")
    assert (told.returncode, told.stdout) == (2, "")
    assert re.search(reason, told.stderr), told.stderr
    server.wait_for(f"configuration not reloaded, the old one stays in use: .*{reason}")
    assert server.processes() == before
    assert greeting(server) == "ftpd ready."


def test_store_of_an_extension_that_has_changed_takes_the_settings_that_are_new(fleet: StartFleet, tmp_path: Path) -> None:
    extensions = tmp_path / "fleet0" / "extensions"
    extensions.mkdir(parents=True)
    (extensions / "mine.py").write_text(STORE.format(more=""))
    before = {"storage": {"kind": "mine", "mine": {"root": "root"}}}
    server = fleet(before)
    (extensions / "mine.py").write_text(STORE.format(more="depth: int = setting(0, help='How deep.')"))
    server.configure(merged(before, {"storage": {"mine": {"depth": 3}}}))
    server.reload()
    with Wire.of(server.add("ann")) as wire:
        assert wire.ask("PWD").code == 257


def test_port_of_another_program_changes_nothing(shared_fleet: Fleet) -> None:
    server = shared_fleet
    before = server.processes()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        listen = [{"address": "127.0.0.1", "port": 0}, {"address": "127.0.0.3", "port": 0}, {"address": "127.0.0.1", "port": port}]
        server.configure({"listen": listen})
        told = server.command("reload")
    sentence = f"Cannot listen on 127.0.0.1 port {port}: another program, perhaps another ftpd, listens there already."
    assert (told.returncode, told.stderr) == (1, f"ftpd: {sentence}\n")
    server.wait_for(f"configuration not reloaded, the old one stays in use: {sentence}")
    assert server.processes() == before
    assert len(server.status().listeners) == 1
    assert greeting(server) == "ftpd ready."


def test_workers_that_die_at_their_start_leave_the_old_ones(fleet: StartFleet) -> None:
    server = fleet({})
    before = server.processes()
    extensions = server.folder / "extensions"
    (extensions / "dies.py").write_text(DIES)
    told = server.command("reload")
    assert told.returncode == 1
    assert "Workers died at their start" in told.stderr
    server.wait_for("worker-died|worker . .process .*. died: exit code 9")
    wait_until(lambda: server.processes() == before, "the old workers are the only ones")
    assert greeting(server) == "ftpd ready."
    (extensions / "dies.py").unlink()
    server.configure({"ftp": {"greeting": "new"}})
    server.reload()
    assert greeting(server) == "new"


def test_session_of_a_new_worker_outlives_the_reload_that_failed(fleet: StartFleet) -> None:
    server = fleet({})
    before = server.processes()
    gate = server.folder / "gate"
    gate.touch()
    (server.folder / "extensions" / "waits.py").write_text(
        f"import sys\nif sys.argv[-1:] == ['1']:\n{indent(WAITS.format(gate=str(gate)), '    ')}"
    )
    with contextlib.ExitStack() as exits, server.commanded("reload") as reload:
        wait_until(
            lambda: any(worker.generation == 2 and worker.state == "ready" for worker in server.status().workers), "one is new"
        )
        [new] = [worker.pid for worker in server.status().workers if worker.generation == 2 and worker.state == "ready"]
        wire = next(wire for wire in iter(lambda: exits.enter_context(greeted(server)), None) if process_of(wire) == new)
        [late] = server.processes() - before - {new}
        os.kill(late, signal.SIGKILL)
        assert reload.wait(SECONDS) == 1
        assert wire.ask("NOOP").code == 200
        assert process_of(wire) == new


def test_sighups_during_a_reload_are_one_reload_more(fleet: StartFleet) -> None:
    server = fleet({"process": {"drain_idle": 0.1}})
    gate = server.folder / "gate"
    gate.touch()
    (server.folder / "extensions" / "waits.py").write_text(WAITS.format(gate=str(gate)))
    server.send(signal.SIGHUP)
    wait_until(lambda: len(server.processes()) == 4, "the new workers have been started")
    for _ in range(6):
        server.send(signal.SIGHUP)
        server.status()  # it has seen the signal
    gate.unlink()
    server.reload()
    assert {worker.generation for worker in server.workers()} == {4}


def test_sighup_during_the_start_does_not_tell_systemd_that_the_server_is_ready(
    fleet: StartFleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    extensions = tmp_path / "fleet0" / "extensions"
    extensions.mkdir(parents=True)
    (extensions / "waits.py").write_text(WAITS.format(gate=str(gate)))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        server = fleet({}, is_awaited=False)
        server.send(signal.SIGHUP)
        server.wait_for("The server is starting or stopping; there is nothing to reload")
        systemd.setblocking(False)
        with pytest.raises(BlockingIOError):
            systemd.recv(4096)
        gate.unlink()
        systemd.setblocking(True)
        systemd.settimeout(SECONDS)
        assert [systemd.recv(4096) for _ in range(3)] == [
            b"STATUS=starting: 1 of 2 workers serve\nEXTEND_TIMEOUT_USEC=90000000",
            b"STATUS=starting: 2 of 2 workers serve\nEXTEND_TIMEOUT_USEC=90000000",
            b"READY=1",
        ]


def test_two_reloads_at_once_come_one_after_the_other(fleet: StartFleet) -> None:
    server = fleet({"process": {"drain_idle": 0.1}})
    before = server.processes()
    server.configure({"ftp": {"greeting": "new"}})
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(server.reload) for _ in range(2)]:
            done.result()
    assert greeting(server) == "new"
    wait_for_end(*before)
    wait_until(lambda: {worker.generation for worker in server.status().workers} == {3}, "only the third generation is left")
    assert len(server.processes()) == 2
