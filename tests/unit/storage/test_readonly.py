from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ftpd.errors import NotADirectory, NotPermitted
from ftpd.paths import ROOT, VirtualPath
from ftpd.spi import Filesystem, ReadableFile
from ftpd.storage.memory import MemoryStore
from ftpd.storage.readonly import ReadOnly, ReadOnlyFilesystem
from ftpd.storage.simple import SimpleFilesystem
from ftpd.testing.fakes import finish
from ftpd.testing.filesystem_abilities import Allowing
from ftpd.values import Ability, Account, Attributes, FileInfo, FileKind, WriteMode

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


class _Dated(SimpleFilesystem):
    """A filesystem whose times of creation have to be asked for."""

    abilities = Ability.CREATION_TOLD | Ability.CREATION_SET

    async def find(self, path: VirtualPath) -> FileInfo | None:
        return FileInfo(path.name, FileKind.DIRECTORY)

    async def entries(self, directory: VirtualPath) -> list[FileInfo]:
        return []

    async def open_file(self, path: VirtualPath, info: FileInfo) -> ReadableFile:
        raise NotPermitted(path)

    async def created_ns(self, path: VirtualPath) -> int | None:
        return 5


def test_times_of_creation_are_told_and_not_set(files: ReadOnlyFilesystem) -> None:
    dated = ReadOnlyFilesystem(_Dated())
    assert dated.abilities == Ability.CREATION_TOLD
    assert finish(dated.created_ns(A)) == 5
    assert finish(files.stat(A)).created_ns is not None
    assert finish(files.created_ns(A)) is None  # who tells them at once has nobody to ask
    with pytest.raises(NotPermitted):
        finish(dated.set_attributes(A, Attributes(created_ns=6)))


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
    assert files.abilities == Ability.CREATION_TOLD
    assert finish(files.available_bytes(ROOT)) == 0
    with pytest.raises(NotADirectory):
        finish(files.available_bytes(A))
    with pytest.raises(NotPermitted):
        finish(files.make_link(VirtualPath.parse("/l"), A))
    with pytest.raises(NotPermitted):
        finish(files.remove_tree(A, Allowing()))
