"""FilesystemTrial: the store under trial, two people who use it, and what a test says in one word.

Apart from the promises, which all stand on it.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from ftpd.errors import FileTransferError
from ftpd.paths import VirtualPath
from ftpd.spi import Filesystem, RowDirectory, RowFormat, Store, WritableFile
from ftpd.testing.fakes import finish
from ftpd.values import Account, FileInfo, WriteMode

__all__ = ["FilesystemTrial", "path"]

T = TypeVar("T")


def path(text: str) -> VirtualPath:
    return VirtualPath.parse(text)


class FilesystemTrial:
    """What the tests say in one word: `ann` is who works, `bob` is somebody else."""

    _files: Filesystem | None = None
    _opened: tuple[Filesystem, ...] = ()

    @pytest.fixture(autouse=True)
    def _end(self) -> Iterator[None]:
        """Close what a test has opened: a thousand tests hold many descriptors, and select() ends at number 1023."""
        yield
        self.close_all()

    def close_all(self) -> None:
        """Close what was opened; to be called by who has to end something behind it, such as threads."""
        for files in self._opened:
            self.run(files.close())
        self._opened = ()
        if hasattr(self, "_store"):
            self.run(self._store.close())
            del self._store

    def make_store(self) -> Store:
        """Return a new, empty store."""
        raise NotImplementedError

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return the result of *coroutine*; by default it must not have to wait."""
        return finish(coroutine)

    @property
    def store(self) -> Store:
        if not hasattr(self, "_store"):
            self._store = self.make_store()
        return self._store

    @property
    def ann(self) -> Filesystem:
        if self._files is None:
            self._files = self.open("ann")
        return self._files

    @property
    def bob(self) -> Filesystem:
        return self.open("bob")

    def open(self, name: str, **facts: Any) -> Filesystem:
        files = self.run(self.store.open(Account(name, **facts)))
        self._opened += (files,)
        return files

    def begin(
        self, text: str, mode: WriteMode = WriteMode.REPLACE, offset: int = 0, files: Filesystem | None = None, **more: Any
    ) -> WritableFile:
        return self.run((files or self.ann).open_write(path(text), mode=mode, offset=offset, **more))

    def write(self, upload: WritableFile, data: bytes) -> None:
        self.run(upload.write_at(upload.start, data))

    def put(self, text: str, data: bytes, mode: WriteMode = WriteMode.REPLACE, offset: int = 0) -> FileInfo:
        upload = self.begin(text, mode, offset)
        self.write(upload, data)
        return self.run(upload.commit())

    def cut(self, text: str, data: bytes, files: Filesystem | None = None, mode: WriteMode = WriteMode.REPLACE) -> None:
        upload = self.begin(text, mode, files=files)
        if data:
            self.write(upload, data)
        self.run(upload.abandon())

    def get(self, text: str, files: Filesystem | None = None) -> bytes:
        async def read() -> bytes:
            async with await (files or self.ann).open_read(path(text)) as file:
                return await file.read_at(0, 10_000_000)

        return self.run(read())

    def stat(self, text: str, files: Filesystem | None = None) -> FileInfo:
        return self.run((files or self.ann).stat(path(text)))

    def entries(self, text: str = "/", files: Filesystem | None = None) -> dict[str, FileInfo]:
        async def read() -> dict[str, FileInfo]:
            found: dict[str, FileInfo] = {}
            async with await (files or self.ann).open_directory(path(text)) as directory:
                while batch := await directory.next_batch():
                    assert len(batch) <= 1024
                    for info in batch:
                        assert info.name not in found
                        found[info.name] = info
            return found

        return self.run(read())

    def rows(self, form: RowFormat, text: str) -> list[str]:
        """The rows of a directory in *form*, sorted, from the store where it writes them."""

        async def read() -> list[str] | None:
            async with await self.ann.open_directory(path(text)) as directory:
                if not isinstance(directory, RowDirectory):
                    return None
                found: list[str] = []
                next_rows = directory.rows(form)
                while rows := await next_rows():
                    assert len(rows) <= 4096
                    found += rows
                return found

        written = self.run(read())
        return sorted(self.described(form, text) if written is None else written)

    def described(self, form: RowFormat, text: str) -> list[str]:
        """The rows of a directory in *form*, sorted, from what the store tells of its entries."""
        return sorted(form.row(info) for info in self.entries(text).values())

    def fails(self, error: type[FileTransferError], coroutine: Coroutine[Any, Any, object], names: str | None = None) -> None:
        with pytest.raises(error) as caught:
            self.run(coroutine)
        if names is not None:
            assert caught.value.path == path(names)
