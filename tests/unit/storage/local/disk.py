"""Disk: a store over a directory, and the words of the tests of one."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from ftpd.errors import FileTransferError
from ftpd.paths import VirtualPath
from ftpd.schema import FilePath
from ftpd.storage.local import LocalFilesystem, LocalSettings, LocalStore
from ftpd.storage.local_upload import LocalUpload
from ftpd.testing.fakes import InlineThreads, finish
from ftpd.values import Account, Attributes, WriteMode


def path(text: str) -> VirtualPath:
    return VirtualPath.parse(text)


class Disk:
    """A store over a directory, whose calls end at once."""

    def __init__(self, top: Path, **settings: Any) -> None:
        self.top = top
        self.store = LocalStore(LocalSettings(root=FilePath(str(top)), **{"durable": "none", **settings}), InlineThreads())
        self.files = self.open("ann")

    def open(self, name: str, **facts: Any) -> LocalFilesystem:
        return finish(self.store.open(Account(name, **facts)))

    def begin(self, text: str, mode: WriteMode = WriteMode.REPLACE, **more: Any) -> LocalUpload:
        return finish(self.files.open_write(path(text), mode=mode, **more))

    def put(self, text: str, data: bytes, mode: WriteMode = WriteMode.REPLACE, **more: Any) -> None:
        upload = self.begin(text, mode, **more)
        finish(upload.write_at(upload.start, data))
        finish(upload.commit())

    def cut(self, text: str, data: bytes) -> None:
        upload = self.begin(text)
        finish(upload.write_at(0, data))
        finish(upload.abandon())

    def get(self, text: str) -> bytes:
        file = finish(self.files.open_read(path(text)))
        data = finish(file.read_at(0, 1000))
        finish(file.close())
        return data

    def names(self, text: str = "/") -> list[str]:
        async def read() -> list[str]:
            found: list[str] = []
            async with await self.files.open_directory(path(text)) as directory:
                while batch := await directory.next_batch():
                    found += [info.name for info in batch]
            return sorted(found)

        return finish(read())

    def stat(self, text: str) -> Any:
        return finish(self.files.stat(path(text)))

    def created(self, text: str) -> int | None:
        return finish(self.files.created_ns(path(text)))

    def date(self, text: str, created_ns: int, **more: Any) -> None:
        finish(self.files.set_attributes(path(text), Attributes(created_ns=created_ns, **more)))


def fails(error: type[FileTransferError], coroutine: Coroutine[Any, Any, object]) -> FileTransferError:
    with pytest.raises(error) as caught:
        finish(coroutine)
    return caught.value
