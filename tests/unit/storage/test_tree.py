from __future__ import annotations

import pytest

from ftpd.errors import Busy, NotFound, Unsupported
from ftpd.paths import VirtualPath
from ftpd.storage.memory import MemoryFilesystem
from ftpd.storage.tree import PortableRemoval
from ftpd.testing.fakes import finish
from ftpd.testing.filesystem_abilities import Allowing
from ftpd.testing.server import Server
from ftpd.values import Ability

TREE = VirtualPath.parse("/t")


@pytest.fixture
def server():
    return Server(files={"/t/a": b"", "/t/b": b"", "/t/d/a": b"", "/t/e": None})


def removed(files):
    """The whole of a removal: files, directories, and what stays."""
    removal = finish(PortableRemoval.begin(files, TREE, Allowing()))
    gone, directories, kept = 0, 0, []
    for _ in range(1000):
        batch = finish(removal.next_batch())
        gone, directories, kept = gone + batch.files, directories + batch.directories, kept + list(batch.kept)
        if batch.is_over:
            return gone, directories, sorted(str(error.path) for error in kept)
    raise AssertionError("the removal does not end")


def test_a_store_with_links_has_to_do_it_by_itself(server, monkeypatch):
    monkeypatch.setattr(MemoryFilesystem, "abilities", Ability.LINKS)
    with pytest.raises(Unsupported):
        removed(server.everything())
    assert "/t/a" in server.tree()


def test_what_others_remove_first_is_no_fault(server, monkeypatch):
    remove = MemoryFilesystem.remove_file

    async def too_late(files, path):
        await remove(files, path)
        raise NotFound(path)

    monkeypatch.setattr(MemoryFilesystem, "remove_file", too_late)
    assert removed(server.everything()) == (0, 3, [])


def test_a_directory_that_others_remove_first_is_no_fault(server, monkeypatch):
    listed = MemoryFilesystem.open_directory

    async def gone(files, path):
        if path.name == "d":
            raise NotFound(path)
        return await listed(files, path)

    monkeypatch.setattr(MemoryFilesystem, "open_directory", gone)
    files, directories, kept = removed(server.everything())
    assert (files, directories, kept) == (2, 1, ["/t"])


def test_what_cannot_be_removed_stays_with_what_holds_it(server, monkeypatch):
    async def busy(files, path):
        raise Busy(path)

    monkeypatch.setattr(MemoryFilesystem, "remove_file", busy)
    assert removed(server.everything()) == (0, 1, ["/t/a", "/t/b", "/t/d/a"])


def test_a_directory_that_cannot_be_listed_stays(server, monkeypatch):
    listed = MemoryFilesystem.open_directory

    async def busy(files, path):
        if path.name == "d":
            raise Busy(path)
        return await listed(files, path)

    monkeypatch.setattr(MemoryFilesystem, "open_directory", busy)
    assert removed(server.everything()) == (2, 1, ["/t/d"])


def test_a_removal_that_is_closed_has_nothing_more_to_do(server):
    removal = finish(PortableRemoval.begin(server.everything(), TREE, Allowing()))
    finish(removal.close())
    assert finish(removal.next_batch()) == (0, 0, (), True)
    assert "/t/a" in server.tree()
