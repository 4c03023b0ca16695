"""The server under Twisted's own commands: every login plugin really lets curl in, and says so at start where it cannot.

Apart from `ftpd serve`, whose process is ours; here Twisted owns it.
"""

from __future__ import annotations

import importlib.util
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.integration.conftest import Serve
from tests.integration.live import TWIST, TWISTD, Server
from tests.integration.tftp_wire import TftpWire
from tests.integration.wire import Wire

Program = Callable[[str], str]
Launch = Callable[..., Server]
DAEMON: Final = tuple(word for word in TWISTD if word != "-n")
DENIED: Final = 67  # curl's exit code for a login that was refused


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "hello").write_bytes(b"hello\n")
    return folder


@pytest.fixture
def curl(program: Program) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    def run(port: int, *options: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([program("curl"), "-sS", *options, f"ftp://127.0.0.1:{port}/hello"], capture_output=True, timeout=60)

    return run


Curl = Callable[..., subprocess.CompletedProcess[bytes]]


def test_tftp_is_served_beside_ftp(launch: Launch, root: Path) -> None:
    server = launch(*TWISTD, "--root", str(root), "--port", "0", "--auth", "anonymous", "--tftp", "0")
    port = int(server.wait_for(r"answering TFTP requests on 127.0.0.1 port (\d+)")[1])
    with TftpWire(("127.0.0.1", port)) as wire:
        assert wire.fetch("hello", retry_seconds=1) == b"hello\n"


@pytest.mark.parametrize("command", [TWISTD, TWIST], ids=["twistd", "twist"])
def test_memory_lets_its_user_in(launch: Launch, curl: Curl, root: Path, command: tuple[str, ...]) -> None:
    port = launch(*command, "--root", str(root), "--port", "0", "--auth", "memory:ann:secret").addresses()["127.0.0.1"]
    assert curl(port, "-u", "ann:secret").stdout == b"hello\n"
    assert curl(port, "-u", "ann:wrong").returncode == DENIED


def test_memory_user_may_write(launch: Launch, curl: Curl, root: Path, tmp_path: Path) -> None:
    port = launch(*TWISTD, "--root", str(root), "--port", "0", "--auth", "memory:ann:secret").addresses()["127.0.0.1"]
    (tmp_path / "new").write_bytes(b"new\n")
    assert curl(port, "-u", "ann:secret", "-T", str(tmp_path / "new")).returncode == 0
    assert (root / "hello").read_bytes() == b"new\n"


def test_file_lets_its_users_in(launch: Launch, curl: Curl, root: Path, tmp_path: Path) -> None:
    (tmp_path / "users").write_text("ann:secret\nbob:pass word\n")
    port = launch(*TWISTD, "--root", str(root), "--port", "0", "--auth", f"file:{tmp_path}/users").addresses()["127.0.0.1"]
    assert curl(port, "-u", "ann:secret").stdout == b"hello\n"
    assert curl(port, "-u", "bob:pass word").stdout == b"hello\n"
    assert curl(port, "-u", "ann:pass word").returncode == DENIED


def test_anonymous_lets_everybody_read(launch: Launch, curl: Curl, root: Path, tmp_path: Path) -> None:
    port = launch(*TWISTD, "--root", str(root), "--port", "0", "--auth", "anonymous").addresses()["127.0.0.1"]
    assert curl(port).stdout == b"hello\n"
    assert curl(port, "-T", __file__).returncode != 0
    assert curl(port, "-u", "ann:secret").returncode == DENIED


def test_two_plugins_together(launch: Launch, curl: Curl, root: Path) -> None:
    options = ("--auth", "anonymous", "--auth", "memory:ann:secret")
    port = launch(*TWISTD, "--root", str(root), "--port", "0", *options).addresses()["127.0.0.1"]
    assert curl(port).stdout == b"hello\n"
    assert curl(port, "-u", "ann:secret").stdout == b"hello\n"


def test_unix_serves_or_says_why_it_cannot(launch: Launch, curl: Curl, root: Path) -> None:
    server = launch(*TWISTD, "--root", str(root), "--port", "0", "--auth", "unix")
    if all(importlib.util.find_spec(module) for module in ("crypt", "spwd")):
        assert curl(server.addresses()["127.0.0.1"], "-u", "nobody-of-that-name:secret").returncode == DENIED
    else:
        server.wait_for("this Python has no (crypt|spwd) module")
        assert server.end() == 1


def test_missing_file_is_told_at_start(launch: Launch, root: Path, tmp_path: Path) -> None:
    server = launch(*TWISTD, "--root", str(root), "--port", "0", "--auth", f"file:{tmp_path}/missing")
    server.wait_for("cannot read .*/missing: No such file or directory")
    assert server.end() == 1


def test_unknown_plugin_is_told_at_start(launch: Launch, root: Path) -> None:
    server = launch(*TWISTD, "--root", str(root), "--auth", "nonsense:x")
    server.wait_for("no such login plugin is installed")
    assert server.end() == 1


def test_root_without_auth_is_told_at_start(launch: Launch, root: Path) -> None:
    server = launch(*TWISTD, "--root", str(root))
    server.wait_for("nobody could log in")
    assert server.end() == 1


def test_password_given_to_the_command_stays_out_of_the_log(launch: Launch, curl: Curl, root: Path) -> None:
    server = launch(*TWISTD, "--root", str(root), "--port", "0", "--auth", "memory:ann:very-Secret")
    curl(server.addresses()["127.0.0.1"], "-u", "ann:very-Secret")
    assert server.stop() != 1
    assert "very-Secret" not in server.log


def test_configuration_file_serves_its_accounts(serve: Serve) -> None:
    server = serve({}, launcher=TWISTD)
    guest = server.add("ann")
    with Wire.of(guest) as wire:
        assert wire.store("STOR file", b"content").code == 226
    assert (guest.home / "file").read_bytes() == b"content"


@pytest.mark.parametrize("command", [TWISTD, TWIST], ids=["twistd", "twist"])
def test_busy_port_is_one_sentence(launch: Launch, root: Path, command: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        server = launch(*command, "--root", str(root), "--port", str(port), "--auth", "anonymous")
        assert server.end() == 1
    assert server.log.count("Cannot listen") == 1
    assert server.lines[-1].endswith(
        f"Cannot listen on 127.0.0.1 port {port}: another program, perhaps another ftpd, listens there already."
    )


def test_busy_port_leaves_no_pid_file(launch: Launch, root: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        server = launch(*TWISTD, "--root", str(root), "--port", str(busy.getsockname()[1]), "--auth", "anonymous")
        assert server.end() == 1
    assert not (tmp_path / "twistd.pid").exists()


def test_daemon_tells_of_a_busy_port_where_it_was_started_and_in_its_log(launch: Launch, root: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        server = launch(*DAEMON, "--root", str(root), "--port", str(port), "--auth", "anonymous")
        assert server.end() == 1
    assert f"Cannot listen on 127.0.0.1 port {port}" in server.log
    log = (tmp_path / "twistd.log").read_text()
    assert log.count(f"Cannot listen on 127.0.0.1 port {port}: another program, perhaps another ftpd, listens there already.") == 1
    assert "Traceback" not in log


@pytest.mark.parametrize("command", [TWISTD, TWIST], ids=["twistd", "twist"])
def test_what_is_found_at_the_start_ends_it_with_a_failure(launch: Launch, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "run").mkdir(mode=0o777)
    (tmp_path / "run").chmod(0o777)  # whatever the umask
    (tmp_path / "ftpd.toml").write_text(
        '[[listen]]\nport = 0\n[process]\nworkers = 1\ndirectory = "run"\n[[login]]\nkind = "password_file"\npath = "none"\n'
    )
    server = launch(*command, "--config", "ftpd.toml")
    assert server.end() == 1
    assert "others than" in server.lines[-1]
    assert not any("Traceback" in line for line in server.lines)
    (tmp_path / "run").chmod(0o700)
    server = launch(*command, "--config", "ftpd.toml")
    assert server.end() == 1
    server.wait_for("ftpd.toml: login.0..path: cannot read .*/none: No such file or directory")
