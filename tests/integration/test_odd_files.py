"""Files that a configuration names and that are none: whoever reads it says so in a sentence each, and waits for nobody.

Apart from the rooms that open them: here it is the commands, with everything that can be named.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from ftpd.processes.asking import NotDone
from tests.integration.conftest import Run, StartFleet
from tests.integration.live import TWISTD, Server, defaults, merged, toml

Launch = Callable[..., Server]
KIND: Final = "it is a FIFO, not a regular file"
MISSING_ROOT: Final = "ftpd.toml: tftp.listeners[0].root: found '/boot': No such file or directory; a directory in the files of the listener's account"


def with_fifo(fifo: str) -> dict[str, Any]:
    """Return settings in which every file is *fifo*."""
    return {
        "login": [{"kind": "password_file", "path": fifo}],
        "tls": {
            "certificates": [{"chain": fifo, "key": fifo, "passphrase_file": fifo}],
            "clients": {"certificates": "requested", "authorities": fifo, "revoked": fifo},
        },
        "tftp": {"listeners": [{"address": "127.0.0.1", "port": 0, "map_file": fifo}]},
        "anonymous": {"enabled": True},
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration whose files are all one FIFO."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "root").mkdir()
    (tmp_path / "ftpd.toml").write_text(toml(merged(defaults(), with_fifo("fifo"))))
    return tmp_path / "ftpd.toml"


def test_check_names_every_one(run: Run, file: Path) -> None:
    done = run("check", "ftpd.toml")
    assert done.returncode == 2
    fifo = file.parent / "fifo"
    assert sorted(done.stderr.splitlines()) == [
        f"ftpd: ftpd.toml: login[0].path: cannot read {fifo}: {KIND}; a password file; ftpd passwd FILE USER makes one",
        f"ftpd: ftpd.toml: tftp.listeners[0].map_file: {fifo}: {KIND}",
        f"ftpd: ftpd.toml: tls.certificates[0].chain: cannot read {fifo}: {KIND}",
        f"ftpd: ftpd.toml: tls.certificates[0].key: cannot read {fifo}: {KIND}",
        f"ftpd: ftpd.toml: tls.clients.authorities: cannot read {fifo}: {KIND}",
        f"ftpd: ftpd.toml: tls.clients.revoked: cannot read {fifo}: {KIND}",
    ]


def test_check_warns_of_what_a_server_would_write_into_its_log(run: Run, file: Path) -> None:
    (file.parent / "extensions").mkdir()
    os.mkfifo(file.parent / "extensions" / "pipe.py")
    (file.parent / "passwords").touch(mode=0o644)
    (file.parent / "passwords").chmod(0o644)  # whatever the umask
    file.write_text(toml(merged(defaults(), {"extensions": {"directories": ["extensions"]}})))
    done = run("check", "ftpd.toml")
    assert (done.returncode, done.stderr.splitlines()) == (
        0,
        [
            f"warning: extension {file.parent}/extensions/pipe.py is left out: {KIND}",
            f"warning: password file {file.parent}/passwords is open to others than its owner (mode 0644); 0600 is enough",
        ],
    )


def test_check_refuses_a_directory_of_extensions_that_is_not_there(run: Run, file: Path) -> None:
    (file.parent / "passwords").touch(mode=0o600)
    file.write_text(toml(merged(defaults(), {"extensions": {"directories": ["none"]}})))
    done = run("check", "ftpd.toml")
    lost = f"{file.parent}/none"
    said = f"ftpd: ftpd.toml: extensions.directories[0]: cannot read {lost}: No such file or directory; a directory of Python files"
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == said


@pytest.mark.parametrize("workers", [0, 1])
def test_a_start_names_them_and_ends(launch: Launch, file: Path, workers: int) -> None:
    settings = {"process": {"workers": workers, "directory": "run"}, "login": []}
    file.write_text(toml(merged(merged(defaults(), with_fifo("fifo")), settings)))
    server = launch("-m", "ftpd", "serve", "--config", "ftpd.toml")
    assert server.end() == 2
    assert f"ftpd.toml: tls.certificates[0].chain: cannot read {file.parent / 'fifo'}: {KIND}" in server.log


def test_a_reload_names_them_and_goes_on(fleet: StartFleet) -> None:
    server = fleet({})
    os.mkfifo(server.folder / "fifo")
    server.configure({"tls": {"certificates": [{"chain": "fifo"}]}})
    with pytest.raises(NotDone) as refused:
        server.reload()
    chain = f"tls.certificates[0].chain: cannot read {server.folder / 'fifo'}: {KIND}"
    assert [str(problem) for problem in refused.value.problems] == [f"{server.file}: {chain}"]
    assert len(server.workers()) == 2


def without_boot(**more: Any) -> str:
    listeners = [{"address": "127.0.0.1", "port": 0, "root": "/boot"}]
    return toml(merged(defaults(), {"anonymous": {"enabled": True}, "tftp": {"listeners": listeners}, **more}))


def test_check_refuses_a_root_of_tftp_that_is_not_there(run: Run, file: Path) -> None:
    (file.parent / "passwords").touch(mode=0o600)
    file.write_text(without_boot())
    done = run("check", "ftpd.toml")
    assert (done.returncode, done.stderr) == (2, f"ftpd: {MISSING_ROOT}\n")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_start_refuses_it_in_the_same_words(launch: Launch, file: Path, workers: int) -> None:
    (file.parent / "passwords").touch(mode=0o600)
    file.write_text(without_boot(process={"workers": workers, "directory": "run"}))
    server = launch("-m", "ftpd", "serve", "--config", "ftpd.toml")
    assert server.end() == 2
    assert MISSING_ROOT in server.log


@pytest.mark.parametrize("workers", [0, 1])
def test_twistd_refuses_it_in_the_same_words(launch: Launch, file: Path, workers: int) -> None:
    (file.parent / "passwords").touch(mode=0o600)
    file.write_text(without_boot(process={"workers": workers, "directory": "run"}))
    server = launch(*TWISTD, "--config", "ftpd.toml")
    assert server.end() == 1
    assert MISSING_ROOT in server.log


@pytest.mark.parametrize("workers", [0, 1])
def test_files_that_are_not_there_yet_are_told_and_the_server_starts(launch: Launch, file: Path, workers: int) -> None:
    (file.parent / "passwords").touch(mode=0o600)
    settings = {"storage": {"local": {"root": "later"}}, "process": {"workers": workers, "directory": "run"}}
    file.write_text(toml(merged(defaults(), settings)))
    server = launch("-m", "ftpd", "serve", "--config", "ftpd.toml")
    server.wait_for("storage.local: cannot be opened: No such file or directory; until it is there, each login is told so")
    server.addresses()
    assert server.stop() == 0


def test_a_reload_that_names_a_log_that_cannot_be_is_refused(fleet: StartFleet) -> None:
    server = fleet({})
    server.configure({"log": {"targets": [{"level": "debug"}, {"file": "none/log"}]}})
    with pytest.raises(NotDone) as refused:
        server.reload()
    lost = server.folder / "none" / "log"
    assert [str(problem) for problem in refused.value.problems] == [
        f"{server.file}: log.targets[1]: cannot open {lost}: No such file or directory"
    ]


def test_a_reload_that_names_a_fifo_for_a_log_is_refused_and_the_parent_goes_on(fleet: StartFleet) -> None:
    server = fleet({})
    os.mkfifo(server.folder / "fifo")
    server.configure({"log": {"targets": [{"level": "debug"}, {"file": "fifo"}]}})
    with pytest.raises(NotDone) as refused:
        server.reload()
    assert f"log.targets[1]: cannot open {server.folder / 'fifo'}: No such device or address" in str(refused.value.problems[0])
    assert len(server.workers()) == 2


def test_what_has_gone_since_the_start_keeps_no_successor_from_serving(fleet: StartFleet, tmp_path: Path) -> None:
    listeners = [{"address": "127.0.0.1", "port": 0, "root": "/boot"}]
    settings = {"anonymous": {"enabled": True}, "tftp": {"listeners": listeners}}
    boot = tmp_path / "fleet0" / "root" / "boot"
    boot.mkdir(parents=True)
    server = fleet(settings)
    boot.rmdir()
    first = min(server.workers(), key=lambda worker: worker.slot)
    os.kill(first.pid, signal.SIGKILL)
    server.wait_for(f"(?s)worker 0 .process {first.pid}. died.*worker 0 .* serves")
