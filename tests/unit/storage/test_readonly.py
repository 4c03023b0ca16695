from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ftpd.errors import NotPermitted
from ftpd.paths import ROOT, VirtualPath
from ftpd.spi import Filesystem
from ftpd.storage.memory import MemoryStore
from ftpd.storage.readonly import ReadOnly
from ftpd.testing.fakes import finish
from ftpd.values import Ability, Account, Attributes, WriteMode

A = VirtualPath.parse("/a")


@pytest.fixture
def files() -> Filesystem:
    store = MemoryStore()
    upload = finish(finish(store.open(Account("ann"))).open_write(A, mode=WriteMode.REPLACE))
    finish(upload.write_at(0, b"content"))
    finish(upload.commit())
    return finish(ReadOnly(store).open(Account("ann")))


def test_reading_passes(files: Filesystem) -> None:
    assert finish(files.stat(A)).size == 7
    assert finish(finish(files.open_read(A)).read_at(0, 100)) == b"content"
    assert [info.name for info in finish(finish(files.open_directory(ROOT)).next_batch())] == ["a"]


@pytest.mark.parametrize(
    "change",
    [
        lambda files: files.open_write(A, mode=WriteMode.REPLACE),
        lambda files: files.open_write(VirtualPath.parse("/b"), mode=WriteMode.UNIQUE),
        lambda files: files.make_directory(VirtualPath.parse("/d")),
        lambda files: files.remove_directory(VirtualPath.parse("/d")),
        lambda files: files.remove_file(A),
        lambda files: files.rename(A, VirtualPath.parse("/b")),
        lambda files: files.set_attributes(A, Attributes(mode=0)),
    ],
)
def test_every_change_is_refused(files: Filesystem, change: Callable[[Filesystem], Coroutine[Any, Any, object]]) -> None:
    with pytest.raises(NotPermitted, match="read-only"):
        finish(change(files))


def test_no_resumption_is_offered(files: Filesystem) -> None:
    assert Ability.RESUME not in files.abilities
