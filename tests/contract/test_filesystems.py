"""Every store of the house keeps the contract, and the one on disk in each of its ways of working."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from twisted.internet.epollreactor import EPollReactor

from ftpd.schema import FilePath
from ftpd.spi import Store
from ftpd.storage import kernel
from ftpd.storage.local import LocalSettings, LocalStore
from ftpd.storage.memory import MemoryStore
from ftpd.storage.resolve import KernelResolver, Resolver, WalkResolver
from ftpd.testing.fakes import InlineThreads, spin
from ftpd.testing.filesystem_contract import FilesystemContract
from ftpd.threads import Pool

T = TypeVar("T")


class TestMemory(FilesystemContract):
    def make_store(self) -> Store:
        return MemoryStore()


class OnDisk(FilesystemContract):
    settings: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(autouse=True)
    def _root(self, tmp_path: Path) -> None:
        self.root = tmp_path

    def make_store(self) -> Store:
        settings = LocalSettings(root=FilePath(str(self.root)), **self.settings)
        return LocalStore(settings, InlineThreads(), resolver=self.make_resolver())

    def make_resolver(self) -> Resolver:
        return WalkResolver()


@pytest.mark.skipif(not kernel.has_openat2(), reason="this kernel or sandbox has no openat2")
class TestLocalByKernel(OnDisk):
    def make_resolver(self) -> Resolver:
        return KernelResolver()


class TestLocalByWalk(OnDisk):
    pass


class TestLocalInFullDurability(OnDisk):
    settings: ClassVar[dict[str, Any]] = {"durable": "full"}


class TestLocalWithoutDurability(OnDisk):
    settings: ClassVar[dict[str, Any]] = {"durable": "none", "symlinks": "deny"}


class TestLocalDiscardingCutUploads(OnDisk):
    keeps_parts = False
    settings: ClassVar[dict[str, Any]] = {"cut_upload": "discard", "symlinks": "hide"}


class TestLocalInPlace(OnDisk):
    keeps_parts = False
    is_staged = False
    settings: ClassVar[dict[str, Any]] = {"in_place": True}


class OnThreads(OnDisk):
    """The same over real threads, with results that really have to be waited for."""

    @pytest.fixture(autouse=True)
    def _reactor(self) -> Iterator[None]:
        self.reactor = EPollReactor()
        self.pool = Pool(self.reactor, "contract", 4)
        yield
        self.pool.close()

    def make_store(self) -> Store:
        return LocalStore(LocalSettings(root=FilePath(str(self.root)), **self.settings), self.pool)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return spin(self.reactor, coroutine)


class TestLocalOnThreads(OnThreads):
    pass


class TestLocalTakenForANetworkDisk(OnThreads):
    settings: ClassVar[dict[str, Any]] = {"network_file_system": "yes"}
