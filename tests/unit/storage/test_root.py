"""How the root's calls ask for names, by the disk that they are on."""

from __future__ import annotations

import os
from typing import Any

import pytest

from ftpd.disks import Disk
from ftpd.storage.lane import Descriptor
from ftpd.storage.mount import Devices
from ftpd.storage.root import Ground, View
from ftpd.testing.fakes import HeldThreads, InlineThreads


class Asked:
    """A resolver that remembers how it was asked."""

    def __init__(self) -> None:
        self.waits: list[bool] = []

    def open(
        self, root: int, path: bytes, flags: int, *, follows_links: bool = True, stays: bool = False, waits: bool = True
    ) -> int:
        self.waits.append(waits)
        return -1

    def look(self, directory: int, name: bytes, *, stays: bool = False, waits: bool = True) -> os.stat_result | None:
        self.waits.append(waits)
        return None


@pytest.mark.parametrize(("is_memory", "is_inline", "waits"), [(False, True, False), (False, False, True), (True, True, True)])
def test_only_names_that_may_be_on_a_disk_are_asked_for(is_memory: bool, is_inline: bool, waits: bool) -> None:
    asked = Asked()
    threads: Any = InlineThreads()
    ground = Ground(asked, "follow", Devices(), threads)
    view = View(Descriptor(-1), ground, Disk(0, is_memory=is_memory), is_inline=is_inline)
    view.open(b"name", os.O_RDONLY)
    assert asked.waits == [waits]


def test_where_every_name_is_in_memory_no_directory_is_remembered() -> None:
    asked = Asked()
    threads: Any = InlineThreads()
    view = View(Descriptor(-1), Ground(asked, "follow", Devices(), threads), Disk(0, is_memory=True), is_inline=True)
    assert view.place(b"name", follows_last=False).seen is None  # and no status is asked of the directory, which is none
    assert asked.waits == [True, True]


def test_a_local_disk_that_hangs_keeps_no_thread_of_another() -> None:
    class Separated(InlineThreads):
        def __init__(self) -> None:
            super().__init__()
            self.pools: dict[str, HeldThreads] = {}

        def separate(self, name: str) -> Any:
            return self.pools.setdefault(name, HeldThreads())

    threads = Separated()
    ground = Ground(Asked(), "follow", Devices(), threads)
    for disk in (Disk(1), Disk(2)):
        ground.lane(disk).blocking(os.getpid)
    assert [len(pool.calls) for pool in threads.pools.values()] == [1, 1]
    assert threads.calls == 0
