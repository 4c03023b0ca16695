"""`ftpd who` and its like against a real process with a control socket, whose operator does as it is told.

Apart from the tests of workers: here no worker runs, and what is wrong is wrong with the socket or the commands.
"""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.live import CHECKOUT, SECONDS, Server, is_readable

Start = Callable[..., Server]
Run = Callable[..., subprocess.CompletedProcess[str]]
NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "control")


@pytest.fixture
def start(launch: Callable[..., Server], path: str) -> Start:
    """Start a server with *count* sessions."""

    def begin(count: int = 1, reload: str = "done", at: str = path, is_ready: bool = True) -> Server:
        server = launch(str(CHECKOUT / "tests" / "fake_operator.py"), at, str(count), reload)
        if is_ready:
            server.wait_for("ready")
        return server

    return begin


@pytest.fixture
def run(path: str) -> Run:
    """Run `ftpd` with these arguments against the server."""

    def command(*arguments: str, at: str = path) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "ftpd", *arguments, "--socket", at]
        environment = {"PYTHONPATH": str(CHECKOUT), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=SECONDS)

    return command


def test_sessions_are_listed(start: Start, run: Run) -> None:
    start(3)
    done = run("who", "--json")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["session"] for line in done.stdout.splitlines()] == [f"{number:016}" for number in range(3)]
    assert len(run("who").stdout.splitlines()) == 4


def test_a_change_is_logged_with_its_user(start: Start, run: Run) -> None:
    server = start()
    assert run("lock", "Back at noon.").returncode == 0
    assert run("kick", "ann").stdout == "1 session ended\n"
    server.wait_for(f"uid {os.getuid()} asked for: lock Back at noon.\n.*uid {os.getuid()} asked for: kick account ann")


@pytest.mark.parametrize(
    ("reload", "code", "words"),
    [
        ("done", 0, []),
        ("refused", 1, ["ftpd: Not now."]),
        ("broken", 2, ["ftpd: ftpd.toml: ftp.greting: no such setting; did you mean greeting?", "ftpd: ftpd.toml: a: b"]),
    ],
)
def test_the_exit_code_says_how_a_reload_went(start: Start, run: Run, reload: str, code: int, words: list[str]) -> None:
    start(reload=reload)
    done = run("reload")
    assert (done.returncode, done.stderr.splitlines()) == (code, words)


def test_stop_returns_when_the_process_is_gone(start: Start, run: Run, path: str) -> None:
    server = start()
    done = run("stop")
    assert done.returncode == 0, done.stderr
    assert server.process.wait(0) == 0  # it is there to be collected, and not waited for
    assert not os.path.lexists(path)


def test_where_no_server_is_the_path_is_named(run: Run, path: str) -> None:
    done = run("who")
    assert (done.returncode, done.stderr) == (1, f"ftpd: No ftpd with workers is running: nobody listens at {path}.\n")


def test_a_dead_servers_socket_is_replaced_and_a_live_ones_is_not(start: Start, run: Run, path: str) -> None:
    dead = start()
    dead.process.kill()
    dead.end()
    assert run("unlock").returncode == 1
    start()
    second = start(is_ready=False)
    assert second.end() == 1
    assert f"Cannot listen on {path}: another ftpd does." in second.log
    assert run("unlock").returncode == 0


def test_a_path_beyond_107_bytes_works(start: Start, run: Run, tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    start(at=str(folder / "control"))
    assert run("unlock", at=str(folder / "control")).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="machine: only root can become somebody else")
def test_others_are_told_who_may(start: Start) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        control = os.path.join(folder, "control")
        server = start(at=control)
        done = subprocess.run(
            [sys.executable, "-c", ASK_AS_NOBODY, control],
            env={"PYTHONPATH": str(CHECKOUT)},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.stdout == f"{control}: permission denied; root may, and members of the group root.\n", done.stderr
        server.stop()


# Modules are imported before the user changes, who may perhaps not read them.
ASK_AS_NOBODY = f"""
import os, sys
from ftpd.processes.asking import CannotAsk, asked_server
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
try:
    with asked_server(sys.argv[1:]):
        pass
except CannotAsk as error:
    print(error)
"""


def test_clients_that_do_not_read_take_no_memory(start: Start, run: Run, path: str) -> None:
    server = start(20_000)
    assert run("who").returncode == 0  # what is made once is made
    before = resident_bytes(server.process.pid)
    clients = [socket.socket(socket.AF_UNIX) for _ in range(10)]
    try:
        for client in clients:
            client.connect(path)
            client.sendall(b'{"protocol":1,"do":"who"}\n' * 100)
        assert run("unlock").returncode == 0
        assert resident_bytes(server.process.pid) - before < 8 * 1024 * 1024  # of 10 * 100 * 10 MB that were asked for
    finally:
        for client in clients:
            client.close()


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_noise_harms_nothing(start: Start, run: Run, path: str) -> None:
    start()
    for noise in (os.urandom(100_000), b"\0" * 100_000, b"\n" * 10_000, b'{"protocol":1,' * 1000, b"GET / HTTP/1.1\r\n\r\n"):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(SECONDS)
            client.connect(path)
            try:
                client.sendall(noise)
                client.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it has heard enough
            assert b'"failed":"request"' in client.recv(1000)
    assert run("unlock").returncode == 0


def test_watching_redraws_in_place_until_ctrl_c(start: Start, path: str) -> None:
    start(2)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ftpd", "who", "--watch", "0.1", "--socket", path],
        env={"PYTHONPATH": str(CHECKOUT), "TERM": "xterm", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    os.close(theirs)
    seen = b""
    while seen.count(b"2 sessions") < 3:
        assert is_readable(ours), seen
        seen += os.read(ours, 65536)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=SECONDS)
    os.close(ours)
    assert (process.returncode, said) == (0, b"")
    assert seen.count(b"\x1b[2J") == 1
    assert seen.count(b"\x1b[H") >= 3
