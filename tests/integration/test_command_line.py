"""The `ftpd` command as an operator types it: `check`, `passwd`, what they print, and the exit codes.

Apart from the serving processes: these commands come back by themselves.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.conftest import Run, Serve
from tests.integration.live import Server, defaults, merged, toml
from tests.integration.tftp_wire import Refused, TftpWire
from tests.integration.wire import Wire


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    (tmp_path / "passwords").touch(mode=0o600)
    file = tmp_path / "ftpd.toml"
    file.write_text(toml(defaults()))
    return file


def test_check_prints_the_settings_in_effect(run: Run, config: Path) -> None:
    done = run("check", str(config))
    assert done.returncode == 0, done.stderr
    assert 'home = "/{name}"' in done.stdout
    assert "idle = " in done.stdout


def test_check_names_every_problem_at_once(run: Run, config: Path) -> None:
    wrong = {"ftp": {"greting": "x", "timeouts": {"idle": -1}}, "limits": {"sessions": "many"}}
    config.write_text(toml(merged(defaults(), wrong)))
    done = run("check", str(config))
    assert done.returncode == 2
    assert "ftp.greting: no such setting; did you mean greeting?" in done.stderr
    assert "ftp.timeouts.idle: " in done.stderr
    assert "limits.sessions: " in done.stderr
    assert "Traceback" not in done.stderr


def test_check_names_a_root_that_is_not_set(run: Run, config: Path) -> None:
    config.write_text(toml({**defaults(), "storage": {"local": {"root": ""}}}))
    done = run("check", str(config))
    assert done.returncode == 2
    assert "storage.local.root: not set" in done.stderr


@pytest.mark.parametrize(
    "text", ["listen = [", "", "\0", "x" * 100_000, "a = " + "[" * 5000], ids=["cut", "empty", "NUL", "long", "deep"]
)
def test_check_survives_any_file(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "odd.toml").write_text(text)
    done = run("check", "odd.toml")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_check_of_a_missing_file_is_2(run: Run) -> None:
    done = run("check", "missing.toml")
    assert done.returncode == 2
    assert "missing.toml: cannot be read: No such file or directory" in done.stderr


def test_passwd_makes_a_line_that_only_the_owner_can_read(run: Run, tmp_path: Path) -> None:
    done = run("passwd", "users", "ann", "--stdin", input="secret\n")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "users").read_text().startswith("ann:$2")
    assert stat.S_IMODE((tmp_path / "users").stat().st_mode) == 0o600


def test_passwd_generates_a_password_that_logs_in(run: Run, serve: Serve, tmp_path: Path) -> None:
    server = serve({})
    password = run("passwd", str(server.root.parent / "passwords"), "ann", "--generate").stdout.strip()
    (server.root / "ann").mkdir()
    with Wire(server.port) as wire:
        wire.reply()
        assert wire.asks("USER ann", f"PASS {password}") == [331, 230]


def test_passwd_changes_one_line_and_keeps_the_others(run: Run, tmp_path: Path) -> None:
    for name, password in (("ann", "one"), ("bob", "two"), ("ann", "three")):
        assert run("passwd", "users", name, "--stdin", input=password).returncode == 0
    names = [line.partition(":")[0] for line in (tmp_path / "users").read_text().splitlines()]
    assert names == ["ann", "bob"]


@pytest.mark.parametrize("password", ["x" * 73, ""], ids=["73 bytes", "empty"])
def test_passwd_refuses_what_bcrypt_cannot_tell_apart(run: Run, tmp_path: Path, password: str) -> None:
    done = run("passwd", "users", "ann", "--stdin", input=password + "\n")
    assert done.returncode == 2
    assert not (tmp_path / "users").exists()


def test_passwd_in_a_missing_directory_is_1(run: Run) -> None:
    done = run("passwd", "missing/users", "ann", "--stdin", input="secret\n")
    assert done.returncode == 1
    assert "No such file or directory" in done.stderr


def test_wrong_command_line_is_2(run: Run) -> None:
    assert [run(*arguments).returncode for arguments in (("serve",), ("nonsense",), ("serve", "/", "--listen", "x"))] == [2, 2, 2]


@pytest.mark.parametrize("workers", [0, 2])
def test_serve_says_in_one_sentence_that_it_may_open_too_few_files(config: Path, tmp_path: Path, workers: int) -> None:
    config.write_text(toml(merged(defaults(), {"process": {"workers": workers, "directory": "run"}})))
    server = Server(["-m", "ftpd", "serve", "--config", str(config)], folder=tmp_path, prefix=["prlimit", "--nofile=17"])
    assert server.end() == 1
    assert server.lines == ["ftpd: The system lets this process open 17 files; it needs 64 at least (ulimit -Hn, LimitNOFILE=)."]


def test_serve_says_a_busy_address_in_one_sentence(launch: Callable[..., Server], serve: Serve, tmp_path: Path) -> None:
    port = serve({}).port
    second = launch("-m", "ftpd", "serve", str(tmp_path), "--listen", f"127.0.0.1:{port}")
    second.wait_for(f"Cannot listen on 127.0.0.1 port {port}: another program, perhaps another ftpd, listens there already.")
    assert second.end() == 1


def test_transfer_that_goes_on_for_too_long_is_cut_by_sigterm_with_exit_code_0(serve: Serve) -> None:
    server = serve({"process": {"stop": 0}})
    guest = server.add("ann")
    with Wire.of(guest) as wire, wire.data() as data:
        assert wire.ask("STOR file").code == 150
        data.sendall(b"part")
        assert server.stop() == 0
        assert not (guest.home / "file").exists()


def test_clients_hear_421_at_the_end(serve: Serve) -> None:
    server = serve({})
    with Wire.of(server.add("ann")) as wire:
        assert server.stop() == 0
        assert wire.reply().code == 421
        assert wire.is_closed()


# TFTP from the command line.


def fetched(port: int, name: str) -> bytes:
    with TftpWire(("127.0.0.1", port)) as wire:
        return wire.fetch(name, retry_seconds=1)


def test_a_directory_is_served_by_tftp_too_and_both_are_announced(launch: Callable[..., Server], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"hello")
    server = launch("-m", "ftpd", "serve", str(tmp_path), "--listen", "127.0.0.1:0", "--tftp", "0")
    server.wait_for("Password ")
    assert re.findall(r"(?m)^URL +(\w+)://127.0.0.1:\d+/  \((.*)\)$", server.log) == [
        ("ftp", "anonymous: read only"),
        ("tftp", "no password: read only"),
    ]
    port = int(server.wait_for(r"tftp://127.0.0.1:(\d+)/")[1])
    assert fetched(port, "file") == b"hello"
    with TftpWire(("127.0.0.1", port)) as wire, pytest.raises(Refused):
        wire.store("new", b"x")
    assert server.stop() == 0


@pytest.mark.parametrize("workers", [0, 1])
def test_a_configuration_is_served_by_tftp_too(launch: Callable[..., Server], config: Path, tmp_path: Path, workers: int) -> None:
    (tmp_path / "root" / "file").write_bytes(b"hello")
    process = {"workers": workers, "directory": tmp_path / "run"}
    config.write_text(toml(merged(defaults(), {"anonymous": {"enabled": True}, "process": process})))
    server = launch("-m", "ftpd", "serve", "--config", str(config), "--tftp", "0")
    port = int(server.wait_for(r"answering TFTP requests on 127.0.0.1 port (\d+)")[1])
    assert fetched(port, "file") == b"hello"
    assert server.stop() == 0


@pytest.mark.parametrize("workers", [0, 1])
def test_tftp_for_nobody_is_a_wrong_configuration(run: Run, config: Path, tmp_path: Path, workers: int) -> None:
    config.write_text(toml(merged(defaults(), {"process": {"workers": workers, "directory": tmp_path / "run"}})))
    done = run("serve", "--config", str(config), "--tftp", "0")
    assert done.returncode == 2
    assert "tftp.listeners[0].account: empty, which is the anonymous account, and there is none" in done.stderr
