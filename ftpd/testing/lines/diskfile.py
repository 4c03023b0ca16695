"""DiskFile: a file of the test, opened as a store opens it.

Apart from the stores: a pump that is tried alone has none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ftpd.errors import from_oserror
from ftpd.paths import ROOT, VirtualPath
from ftpd.values import FileInfo, FileKind

__all__ = ["DiskFile", "opened"]


class DiskFile:
    """A file of the test, as both `spi.ReadableFile` and the part of `spi.WritableFile` that pumps use."""

    path = VirtualPath(("file",))
    start = 0
    ceiling = None

    def __init__(self, os_path: Path | str) -> None:
        self._number = os.open(os_path, os.O_RDWR | os.O_CREAT, 0o600)
        self.info = FileInfo("file", FileKind.FILE, size=os.fstat(self._number).st_size)

    def descriptor(self) -> int:
        return self._number

    async def read_at(self, offset: int, length: int) -> bytes:
        return os.pread(self._number, length, offset)

    async def write_at(self, offset: int, data: Any) -> None:
        try:
            while data:
                written = os.pwrite(self._number, data, offset)
                data, offset = data[written:], offset + written
        except OSError as error:
            raise from_oserror(error, ROOT) from error

    async def commit(self) -> FileInfo:
        return self.info

    async def abandon(self, *, keeps: bool = True) -> None:
        await self.close()

    async def close(self) -> None:
        number, self._number = self._number, -1
        if number != -1:
            os.close(number)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()


@contextmanager
def opened(os_path: Path) -> Iterator[DiskFile]:
    """Open a file as stores do, and close it."""
    file = DiskFile(os_path)
    try:
        yield file
    finally:
        os.close(file.descriptor())
