"""Trial of the log files: what a start would stumble over is told, and nothing is made."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ftpd.logs.settings import LogSettings, TargetSettings
from ftpd.logs.trial import unusable_logs
from ftpd.schema import FilePath


def told(*os_paths: Path, xferlog: str = "") -> list[str]:
    targets = tuple(TargetSettings(file=FilePath(str(one))) for one in os_paths)
    return list(map(str, unusable_logs(LogSettings(targets=targets, xferlog=FilePath(xferlog)))))


def test_file_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("line\n")
    assert told(tmp_path / "log") == []
    assert (tmp_path / "log").read_text() == "line\n"


def test_file_that_can_be_made_is_not_made(tmp_path: Path) -> None:
    assert told(tmp_path / "log") == []
    assert list(tmp_path.iterdir()) == []


def test_missing_directory_is_named_with_every_file(tmp_path: Path) -> None:
    lost = tmp_path / "none" / "log"
    assert told(Path("/dev/null"), lost, xferlog=str(lost)) == [
        f"log.targets[1]: cannot open {lost}: No such file or directory",
        f"log.xferlog: cannot open {lost}: No such file or directory",
    ]


def test_directory_is_no_log(tmp_path: Path) -> None:
    assert told(tmp_path) == [f"log.targets[0]: cannot open {tmp_path}: Is a directory"]


def test_file_in_the_place_of_the_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert told(tmp_path / "file" / "log") == [f"log.targets[0]: cannot open {tmp_path}/file/log: Not a directory"]


def test_socket_is_no_log(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "socket"))
    assert told(tmp_path / "socket") == [f"log.targets[0]: cannot open {tmp_path}/socket: No such device or address"]


def test_fifo_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert told(tmp_path / "fifo") == []


def test_link_to_a_file_that_can_be_made_is_good(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to("later")
    assert told(tmp_path / "log") == []


def test_directory_that_the_server_may_not_write_to_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *arguments, **options: False)  # root may write anywhere
    assert told(tmp_path / "log") == [f"log.targets[0]: cannot open {tmp_path / 'log'}: no file can be made in {tmp_path}"]


def test_syslog_and_standard_error_are_no_files() -> None:
    assert list(unusable_logs(LogSettings(targets=(TargetSettings(), TargetSettings(format="syslog"))))) == []
