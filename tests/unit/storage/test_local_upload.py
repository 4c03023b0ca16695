"""LocalUpload on a disk that turns slow between two looks at it; what uploads do to files is in the filesystem contract and local/."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from ftpd.disks import Disk
from ftpd.paths import ROOT, VirtualPath
from ftpd.storage.lane import LocalLane
from ftpd.storage.local_upload import LocalUpload
from ftpd.testing.fakes import HeldThreads
from ftpd.values import FileInfo, FileKind


class TurningDisk(Disk):
    """Quick at the first look, and slow ever after, as where a thread finds out meanwhile."""

    looks = 0

    @property
    def is_slow(self) -> bool:
        self.looks += 1
        return self.looks > 1


class Draft:
    """A draft that remembers whether its descriptor was open when it was published."""

    start = 0
    disk: Disk | None = None
    is_small = False

    def __init__(self, number: int) -> None:
        self.path: VirtualPath = ROOT.child("file")
        self.number = number
        self.was_open = False

    def publish(self, *, is_inline: bool) -> os.stat_result:
        status = os.fstat(self.number)
        self.was_open = True
        return status

    def drop(self, *, is_inline: bool, keeps: bool = True) -> None: ...

    def close(self) -> None: ...


def test_cancelled_commit_leaves_its_descriptor_to_the_thread(tmp_path: Path) -> None:
    threads = HeldThreads()
    draft = Draft(os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT))
    lane = LocalLane(threads, TurningDisk(1))
    upload = LocalUpload(draft, lane, lambda name, status, target: FileInfo(name, FileKind.FILE))
    ends: list[Any] = []
    commit = Deferred.fromCoroutine(upload.commit())
    commit.addBoth(ends.append)
    commit.cancel()
    assert [type(end.value) for end in ends] == [CancelledError]
    assert len(threads.calls) == 1  # no close, which another thread could make first
    threads.finish()
    assert draft.was_open
    threads.finish()  # now the close, in a thread as the disk is slow
    assert threads.calls == []
