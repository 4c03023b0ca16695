from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ftpd.errors import NotADirectory, NotPermitted
from ftpd.paths import ROOT, VirtualPath
from ftpd.spi import Filesystem
from ftpd.storage.memory import MemoryStore
from ftpd.storage.readonly import ReadOnly, ReadOnlyFilesystem
from ftpd.testing.fakes import finish
from ftpd.testing.filesystem_abilities import Allowing
from ftpd.values import Ability, Account, Attributes, WriteMode

A = VirtualPath.parse("/a")


@pytest.fixture
def files() -> ReadOnlyFilesystem:
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


class _Shut:
    """A filesystem of which nothing may be entered."""

    async def enter(self, path: VirtualPath) -> None:
        raise NotPermitted(path)


def test_what_the_store_keeps_shut_is_not_entered() -> None:
    with pytest.raises(NotPermitted):
        finish(ReadOnlyFilesystem(_Shut()).enter(A))  # type: ignore[arg-type]


def test_a_store_that_keeps_nothing_shut_is_entered(files: Filesystem) -> None:
    finish(files.enter(ROOT))  # type: ignore[attr-defined]


def test_it_has_no_room_and_makes_no_links_and_removes_no_trees(files: ReadOnlyFilesystem) -> None:
    assert files.abilities is Ability.NONE
    assert finish(files.available_bytes(ROOT)) == 0
    with pytest.raises(NotADirectory):
        finish(files.available_bytes(A))
    with pytest.raises(NotPermitted):
        finish(files.make_link(VirtualPath.parse("/l"), A))
    with pytest.raises(NotPermitted):
        finish(files.remove_tree(A, Allowing()))
