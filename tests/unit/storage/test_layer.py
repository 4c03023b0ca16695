from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from ftpd.errors import NotFound
from ftpd.paths import ROOT, VirtualPath
from ftpd.storage.layer import Layer, LayeredUpload
from ftpd.storage.memory import MemoryStore
from ftpd.testing.fakes import finish
from ftpd.testing.filesystem_abilities import CreationContract
from ftpd.testing.filesystem_contract import KeptPartContract
from ftpd.values import Account, FileInfo, FileKind, WriteMode


class _Store(MemoryStore):
    """A store in memory, seen through a layer from /inside on."""

    async def open(self, account):
        files = await super().open(
            Account(account.name, VirtualPath(("inside", *account.home.parts)), is_anonymous=account.is_anonymous)
        )
        if account.is_confined:
            return Layer(files)
        return Layer(await super().open(Account(account.name, is_anonymous=account.is_anonymous)), VirtualPath(("inside",)))


class TestLayer(KeptPartContract, CreationContract):
    def make_store(self):
        return _Store()


def memory(*names):
    files = finish(MemoryStore().open(Account("")))
    for name in names:
        finish(files.make_directory(VirtualPath.parse(name)))
    return files


def begun(files, name):
    return finish(files.open_write(VirtualPath.parse(name), mode=WriteMode.REPLACE))


def test_an_error_names_what_the_client_sees():
    files = Layer(memory("/home"), VirtualPath.parse("/home"))
    with pytest.raises(NotFound) as missing:
        finish(files.stat(VirtualPath.parse("/none")))
    assert str(missing.value.path) == "/none"


def test_an_upload_has_the_name_that_the_client_sees():
    files = memory("/home")
    upload = begun(Layer(files, VirtualPath.parse("/home")), "/f")
    assert str(upload.path) == "/f"
    finish(upload.commit())
    assert finish(files.stat(VirtualPath.parse("/home/f"))).size == 0


class Told(LayeredUpload):
    def __init__(self, file):
        super().__init__(file, file.path)
        self.told = []
        self.done = Deferred()

    async def published(self, info):
        self.told.append(info.size)
        await self.done


def test_published_is_called_once_when_the_file_has_its_name():
    upload = Told(begun(memory(), "/f"))
    finish(upload.write_at(0, b"abc"))
    upload.done.callback(None)
    finish(upload.commit())
    finish(upload.commit())
    assert upload.told == [3]


def test_published_is_not_called_for_what_was_abandoned():
    upload = Told(begun(memory(), "/f"))
    finish(upload.abandon())
    finish(upload.commit())
    assert upload.told == []


def test_a_cancel_lets_published_finish():
    upload = Told(begun(memory(), "/f"))
    results = []
    commit = Deferred.fromCoroutine(upload.commit()).addBoth(results.append)
    commit.cancel()
    assert results == []
    upload.done.callback(None)
    assert results[0].size == 0


def test_what_published_raises_is_the_end_of_the_commit():
    upload = Told(begun(memory(), "/f"))
    upload.done.errback(NotFound(ROOT))
    with pytest.raises(NotFound):
        finish(upload.commit())


class Dated(Layer):
    """A filesystem in which each file was created as many nanoseconds after the epoch as its path has letters."""

    async def stat(self, path):
        return FileInfo(path.name, FileKind.FILE)

    async def created_ns(self, path):
        return len(str(path))


class Hiding(Layer):
    async def stat(self, path):
        raise NotFound(path)


def test_a_time_of_creation_is_asked_for_below_the_home():
    files = Layer(Dated(memory()), VirtualPath.parse("/home"))
    assert finish(files.created_ns(VirtualPath.parse("/a"))) == len("/home/a")


def test_no_time_of_creation_is_told_of_what_a_subclass_hides():
    with pytest.raises(NotFound):
        finish(Hiding(Dated(memory())).created_ns(VirtualPath.parse("/a")))
