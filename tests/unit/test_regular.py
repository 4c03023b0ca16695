"""Regular files: what is opened, and in which words everything else is refused."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from ftpd.regular import NotRegular, open_regular


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def test_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    with open_regular(tmp_path / "file") as file:
        assert file.read() == b"content"


def test_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    with open_regular(str(tmp_path / "link")) as file:
        assert file.read() == b"content"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_fifo, "it is a FIFO, not a regular file"),
        (Path.mkdir, "it is a directory, not a regular file"),
        (_socket, "it is a socket, not a regular file"),
        (_device, "it is a device, not a regular file"),
    ],
)
def test_anything_else_is_refused_at_once(tmp_path: Path, make: Callable[[Path], None], words: str) -> None:
    make(tmp_path / "odd")
    with pytest.raises(NotRegular) as caught:
        open_regular(tmp_path / "odd")
    assert caught.value.strerror == words
    assert caught.value.filename == str(tmp_path / "odd")


def test_missing_file_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "missing")


def test_file_that_has_become_a_fifo_since_it_was_looked_at_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    regular = os.stat(__file__)
    os.mkfifo(tmp_path / "odd")
    monkeypatch.setattr(os, "stat", lambda name: regular)
    with pytest.raises(NotRegular):
        open_regular(tmp_path / "odd")
