"""The sweep: what dead processes and outdated uploads have left goes, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ftpd.schema import Seconds
from ftpd.storage import staging
from ftpd.testing.fakes import finish
from tests.unit.storage.local.disk import Disk


def age(file: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(file, (then, then))


def test_a_listing_sweeps_outdated_parts(top: Path) -> None:
    disk = Disk(top, partial_lifetime=Seconds(1000))
    disk.cut("/a", b"half")
    (part,) = top.iterdir()
    age(part, 900)
    assert disk.names() == []
    assert part.exists()
    age(part, 1100)
    assert disk.names() == []
    assert not part.exists()


@pytest.mark.parametrize(("setting", "stays"), [("auto", False), ("yes", True)])
def test_a_dead_process_s_staging_file_is_swept_and_a_live_one_s_is_not(top: Path, setting: str, stays: bool) -> None:
    disk = Disk(top, network_file_system=setting)
    upload = disk.begin("/a")
    (alive,) = top.iterdir()
    age(alive, 10**6)
    dead = top / (".ftpd." + "0" * 32 + ".new")
    dead.write_text("x")
    age(dead, 10**6)
    fresh = top / (".ftpd." + "1" * 32 + ".new")
    fresh.write_text("x")
    disk.names()
    assert set(top.iterdir()) == {alive, fresh} if stays else {alive}
    finish(upload.commit())


def test_sweep_reaches_directories_nobody_lists(disk: Disk, top: Path) -> None:
    (top / "d" / "e").mkdir(parents=True)
    dead = top / "d" / "e" / (".ftpd." + "0" * 32 + ".new")
    dead.write_text("x")
    finish(disk.store.sweep())
    assert not dead.exists()


def test_sweep_leaves_what_can_be_resumed(disk: Disk, top: Path) -> None:
    disk.cut("/a", b"half")
    finish(disk.store.sweep())
    assert disk.stat("/a").size == 4


def test_an_upload_that_a_sweep_meets_as_it_begins_is_stored(disk: Disk, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, swept = staging.lock, []

    def late_lock(number: int) -> bool:
        if not swept:
            swept.extend(top.iterdir())
            finish(disk.store.sweep())
        return lock(number)

    monkeypatch.setattr(staging, "lock", late_lock)
    disk.put("/a", b"whole")
    assert len(swept) == 1
    assert (os.listdir(top), disk.get("/a")) == (["a"], b"whole")
