"""What the choice of a pump hands on; which pump it is, is in the pump contract and in the dialogues."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from unittest.mock import patch

from ftpd.disks import Disk
from ftpd.spi import Wanted
from ftpd.testing.lines import Line, crews_of, drive, opened, private_reactor, started
from ftpd.transfer import carried, choose_download
from ftpd.values import Outcome


def test_disk_that_the_store_tells_is_not_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    with private_reactor() as reactor, closing(Line(reactor)) as line, opened(tmp_path / "file") as file:
        told = patch.object(file, "disk", Disk(0, is_memory=True), create=True)
        with told, patch.object(carried, "disk_of", side_effect=AssertionError):
            pump = choose_download(crews_of(reactor), line.below, file, Wanted())
        assert drive(reactor, started(pump), line.read).outcome is Outcome.FINISHED
