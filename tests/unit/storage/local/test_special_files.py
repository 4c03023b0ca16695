"""Files that are none: what a FIFO or a socket answers, without a wait."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from ftpd.errors import Unsupported
from ftpd.testing.fakes import finish
from ftpd.values import FileKind, WriteMode
from tests.unit.storage.local.disk import Disk, fails, path


def test_a_fifo_is_refused_without_waiting(disk: Disk, top: Path) -> None:
    os.mkfifo(top / "fifo")
    fails(Unsupported, disk.files.open_read(path("/fifo")))
    for mode in (WriteMode.REPLACE, WriteMode.APPEND, WriteMode.RESUME):
        fails(Unsupported, disk.files.open_write(path("/fifo"), mode=mode))
    assert disk.stat("/fifo").kind is FileKind.OTHER
    finish(disk.files.remove_file(path("/fifo")))


def test_a_fifo_is_refused_where_uploads_go_in_place(top: Path) -> None:
    os.mkfifo(top / "fifo")
    disk = Disk(top, in_place=True)
    fails(Unsupported, disk.files.open_write(path("/fifo"), mode=WriteMode.REPLACE))


def test_a_socket_is_refused(disk: Disk, top: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(top / "socket"))
        fails(Unsupported, disk.files.open_read(path("/socket")))
        fails(Unsupported, disk.files.open_write(path("/socket"), mode=WriteMode.REPLACE))
