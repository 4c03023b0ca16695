"""Every store of the house keeps the contract, and the one on disk in each of its ways of working."""

from __future__ import annotations

import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest

from ftpd.paths import VirtualPath
from ftpd.schema import FilePath
from ftpd.spi import Store
from ftpd.storage import creation, kernel
from ftpd.storage.local import LocalSettings, LocalStore
from ftpd.storage.memory import MemoryStore
from ftpd.storage.readonly import ReadOnly
from ftpd.storage.resolve import KernelResolver, Resolver, WalkResolver
from ftpd.storage.tree import PortableRemoval
from ftpd.testing.fakes import InlineThreads
from ftpd.testing.filesystem_abilities import Allowing, CreationContract, LinkingContract, MeasuredContract, TreeContract
from ftpd.testing.filesystem_contract import (
    READ_ONLY_TREE,
    FilesystemContract,
    KeptPartContract,
    ReadOnlyContract,
    StagedUploadContract,
)
from tests.contract.threads import OnThreads

T = TypeVar("T")


def keeps_creation(folder: Path) -> bool:
    number = os.open(folder, os.O_RDONLY)
    try:
        return creation.can_set(number)
    finally:
        os.close(number)


class TestMemory(KeptPartContract, CreationContract, MeasuredContract):
    def make_store(self) -> Store:
        return MemoryStore()


class TestPortableRemoval(FilesystemContract, TreeContract):
    """Of a store that cannot remove trees by itself."""

    def make_store(self) -> Store:
        return MemoryStore()

    def begin_removal(self, path: VirtualPath, rules: Allowing) -> Coroutine[Any, Any, PortableRemoval]:
        return PortableRemoval.begin(self.ann, path, rules)


class OnDisk(FilesystemContract):
    settings: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(autouse=True)
    def _root(self, tmp_path: Path, request: pytest.FixtureRequest) -> None:
        self.root = tmp_path
        if request.function.__qualname__.startswith(f"{CreationContract.__name__}.") and not keeps_creation(tmp_path):
            pytest.skip("machine: this disk keeps no attributes of users")

    def make_store(self) -> Store:
        return LocalStore(self.make_settings(), InlineThreads(), resolver=self.make_resolver())

    def make_settings(self) -> LocalSettings:
        # fdatasync costs milliseconds each: two of the classes below pay them.
        return LocalSettings(root=FilePath(str(self.root)), **{"durable": "none", **self.settings})

    def make_resolver(self) -> Resolver:
        return WalkResolver()


@pytest.mark.skipif(not kernel.has_openat2(), reason="machine: this kernel or sandbox has no openat2")
class TestLocalByKernel(OnDisk, KeptPartContract, CreationContract, LinkingContract, MeasuredContract, TreeContract):
    def make_resolver(self) -> Resolver:
        return KernelResolver()


class TestLocalByWalk(OnDisk, KeptPartContract, CreationContract, LinkingContract, MeasuredContract, TreeContract):
    pass


class TestLocalInFullDurability(OnDisk, KeptPartContract):
    settings: ClassVar[dict[str, Any]] = {"durable": "full"}


class TestLocalWithoutLinks(OnDisk, KeptPartContract):
    settings: ClassVar[dict[str, Any]] = {"symlinks": "deny"}


class TestLocalDiscardingCutUploads(OnDisk, StagedUploadContract):
    settings: ClassVar[dict[str, Any]] = {"cut_upload": "discard", "symlinks": "hide"}


class TestLocalInPlace(OnDisk):
    settings: ClassVar[dict[str, Any]] = {"in_place": True}


class OnDiskByThreads(OnThreads, OnDisk):
    def make_store(self) -> Store:
        return LocalStore(self.make_settings(), self.pool)


class TestLocalOnThreads(OnDiskByThreads, KeptPartContract, CreationContract, LinkingContract, MeasuredContract, TreeContract):
    settings: ClassVar[dict[str, Any]] = {"durable": "file"}


class TestLocalTakenForANetworkDisk(
    OnDiskByThreads, KeptPartContract, CreationContract, LinkingContract, MeasuredContract, TreeContract
):
    settings: ClassVar[dict[str, Any]] = {"network_file_system": "yes"}


class TestReadOnly(ReadOnlyContract):
    @pytest.fixture(autouse=True)
    def _root(self, tmp_path: Path) -> None:
        self.root = tmp_path

    def make_store(self) -> Store:
        for name, content in READ_ONLY_TREE.items():
            file = self.root / name.removeprefix("/")
            (file if content is None else file.parent).mkdir(parents=True, exist_ok=True)
            if content is not None:
                file.write_bytes(content)
        return ReadOnly(LocalStore(LocalSettings(root=FilePath(str(self.root))), InlineThreads()))
