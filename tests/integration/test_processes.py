"""The server as a process: `ftpd serve`, `twistd ftpd`, the examples in docs; how each starts, logs and ends."""

from __future__ import annotations

import ftplib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.integration.tftp_wire import TftpWire

TOP = Path(__file__).parents[2]
TWISTD_COMMAND = (sys.executable, "-c", "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(TOP), "PYTHONUNBUFFERED": "1"}


class Process:
    """A started server; `wait_for` reads its output up to a line that matches."""

    def __init__(self, arguments, directory):
        self.output = []
        # A shell starts what runs in the background with SIGINT ignored, and children inherit that: not so a server under test.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._process = subprocess.Popen(
            list(map(str, arguments)),
            cwd=directory,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        # A server that says nothing must not hold up the test for ever.
        self._deadline = threading.Timer(60, self._process.kill)
        self._deadline.start()

    def wait_for(self, pattern):
        for line in self._process.stdout:
            self.output.append(line)
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"no line matched {pattern!r}:\n{''.join(self.output)}")

    def send(self, number):
        self._process.send_signal(number)

    def end(self, number=signal.SIGTERM):
        """Send the signal, return the exit code; -15 is an end by SIGTERM."""
        self.send(number)
        return self.ended()

    def ended(self):
        """Wait for the end, return the exit code."""
        self.output += self._process.stdout.readlines()
        code = self._process.wait()
        self._process.stdout.close()
        self._deadline.cancel()
        return code


@pytest.fixture
def start(tmp_path):
    started = []

    def begin(*arguments):
        started.append(Process(arguments, tmp_path))
        return started[-1]

    yield begin
    for process in started:
        if not process._process.stdout.closed:
            process.end(signal.SIGKILL)


@pytest.fixture
def served(tmp_path):
    directory = tmp_path / "served"
    directory.mkdir()
    (directory / "hello.txt").write_text("hello")
    return directory


def serve(start, *arguments):
    return start(sys.executable, "-m", "ftpd", "serve", *arguments)


def fetch(port, user="anonymous", password="me@"):
    with ftplib.FTP() as client:
        client.connect("127.0.0.1", int(port), timeout=30)
        client.login(user, password)
        lines = []
        client.retrlines("RETR hello.txt", lines.append)
    return "".join(lines)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_with_0_at_a_signal(start, served, number):
    process = serve(start, served, "--listen", "127.0.0.1:0")
    process.wait_for("^Password")
    assert process.end(number) == 0


def test_what_serve_prints_lets_one_in(start, served):
    process = serve(start, served, "--listen", "127.0.0.1:0", "--user", "ann")
    port = process.wait_for(r"^URL +ftp://127\.0\.0\.1:(\d+)/")[1]
    account = process.wait_for(r"^Account +(\S+)")[1]
    password = process.wait_for(r"^Password +(\S+)")[1]
    assert fetch(port) == "hello"
    assert fetch(port, account, password) == "hello"
    with ftplib.FTP() as client:
        client.connect("127.0.0.1", int(port), timeout=30)
        client.login(account, password)
        client.storbinary("STOR new.txt", io.BytesIO(b"hello"))
    assert process.end() == 0
    assert (served / "new.txt").read_text() == "hello"


def test_the_generated_password_stands_in_the_output_once(start, served):
    process = serve(start, served, "--listen", "127.0.0.1:0", "--log-level", "debug")
    port = process.wait_for(r"^URL +ftp://127\.0\.0\.1:(\d+)/")[1]
    password = process.wait_for(r"^Password +(\S+)")[1]
    fetch(port, "ftpd", password)
    process.end()
    assert "".join(process.output).count(password) == 1


def test_a_read_only_server_refuses_an_upload(start, served):
    process = serve(start, served, "--listen", "127.0.0.1:0", "--read-only")
    port = process.wait_for(r"^URL +ftp://127\.0\.0\.1:(\d+)/")[1]
    password = process.wait_for(r"^Password +(\S+)")[1]
    with ftplib.FTP() as client:
        client.connect("127.0.0.1", int(port), timeout=30)
        client.login("ftpd", password)
        with pytest.raises(ftplib.error_perm, match=r"^553"):
            client.storbinary("STOR new.txt", io.BytesIO(b"hello"))


def test_a_busy_port_is_one_sentence_and_exit_code_1(start, served):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = serve(start, served, "--listen", f"127.0.0.1:{port}")
        assert process.ended() == 1
    assert "".join(process.output) == (
        f"ftpd: Cannot listen on 127.0.0.1 port {port}: another program, perhaps another ftpd, listens there already.\n"
    )


def test_a_wrong_configuration_is_exit_code_2(start, tmp_path):
    (tmp_path / "ftpd.toml").write_text("[ftp]\ngreting = 1\n")
    process = serve(start, "--config", "ftpd.toml")
    assert process.ended() == 2
    assert process.output == ["ftpd: ftpd.toml: ftp.greting: no such setting; did you mean greeting?\n"]


def test_json_lines_and_xferlog_are_written_and_opened_anew_at_sigusr1(start, tmp_path, served):
    (tmp_path / "ftpd.toml").write_text(
        f"""
        [[listen]]
        port = 0
        [anonymous]
        enabled = true
        [storage.local]
        root = "{served}"
        [log]
        xferlog = "xferlog"
        [[log.targets]]
        [[log.targets]]
        format = "json"
        file = "ftpd.json"
        """
    )
    process = serve(start, "--config", "ftpd.toml")
    port = process.wait_for(r"listening on 127\.0\.0\.1 port (\d+)")[1]
    fetch(port)
    for name in ("xferlog", "ftpd.json"):
        (tmp_path / name).rename(tmp_path / f"{name}.1")
    process.send(signal.SIGUSR1)
    process.wait_for("log files opened anew")
    fetch(port)
    assert process.end() == 0
    for name in ("xferlog.1", "xferlog"):
        (line,) = (tmp_path / name).read_text().splitlines()
        assert line.split()[8:] == ["/hello.txt", "a", "_", "o", "a", "anonymous", "ftp", "0", "*", "c"]
    for name in ("ftpd.json.1", "ftpd.json"):
        rows = [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        (transfer,) = [row for row in rows if row.get("event") == "transfer-ended"]
        assert (transfer["path"], transfer["bytes"], transfer["result"]) == ("/hello.txt", 5, "finished")


@pytest.mark.parametrize("source", ["root", "config"])
def test_twistd_serves(start, tmp_path, served, source):
    (tmp_path / "ftpd.toml").write_text(f'[[listen]]\nport = 0\n[anonymous]\nenabled = true\n[storage.local]\nroot = "{served}"\n')
    arguments = {
        "root": ["--root", served, "--port", "0", "--auth", "anonymous"],
        "config": ["--config", "ftpd.toml"],
    }[source]
    process = start(*TWISTD_COMMAND, "-n", "ftpd", *arguments)
    assert fetch(process.wait_for(r"listening on 127\.0\.0\.1 port (\d+)")[1]) == "hello"
    assert process.end() == -signal.SIGTERM  # twistd ends itself with the signal it was sent


def test_a_usage_error_of_twistd_is_no_traceback(start):
    process = start(*TWISTD_COMMAND, "-n", "ftpd", "--root", "/")
    process.wait_for("nobody could log in: give at least one --auth")
    assert process.ended() != 0
    assert "Traceback" not in "".join(process.output)


def test_the_tac_of_the_docs_runs(start, tmp_path, served):
    (tmp_path / "ftpd.toml").write_text(f'[[listen]]\nport = 0\n[anonymous]\nenabled = true\n[storage.local]\nroot = "{served}"\n')
    process = start(*TWISTD_COMMAND, "-ny", TOP / "docs" / "ftpd.tac")
    assert fetch(process.wait_for(r"listening on 127\.0\.0\.1 port (\d+)")[1]) == "hello"
    assert process.end() == -signal.SIGTERM


def test_the_embedding_example_of_the_docs_runs(start, served):
    process = start(sys.executable, TOP / "docs" / "embed.py", served, 0)
    assert fetch(process.wait_for(r"listening on port (\d+)")[1], "ann", "secret") == "hello"
    assert process.end() == 0


def test_the_tftp_embedding_example_of_the_docs_runs(start, served):
    process = start(sys.executable, TOP / "docs" / "embed_tftp.py", served, 0)
    port = int(process.wait_for(r"listening on port (\d+)")[1])
    for name, content in (("hello", b"Hello 127.0.0.1\n"), ("hello.txt", b"hello")):
        with TftpWire(("127.0.0.1", port)) as client:
            assert client.fetch(name) == content
    assert process.end() == 0
