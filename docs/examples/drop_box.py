"""A drop-box: `python docs/examples/drop_box.py DIRECTORY` takes files, on loopback, and calls back for each that is complete.

The client hears 226 when the callback is done.  If it fails the file is removed and the client told: 552 with `OverQuota` or `NoSpace`, 451 with any
other `FileTransferError`, in its words; whatever else is raised is 451 without them, and a traceback in the log.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeAlias

from ftpd.errors import NotFound, OverQuota
from ftpd.paths import VirtualPath
from ftpd.spi import Filesystem, Store, WritableFile
from ftpd.storage.layer import Layer, LayeredUpload
from ftpd.values import Account, FileInfo

Arrived: TypeAlias = Callable[[Account, VirtualPath, Filesystem], Awaitable[None]]


class DropBox:
    """A `spi.Store` over *store* that awaits *arrived* for each upload before it is a success; who may do what is the accounts' affair."""

    def __init__(self, store: Store, arrived: Arrived) -> None:
        self._store = store
        self._arrived = arrived

    async def open(self, account: Account) -> Filesystem:
        return DropBoxFiles(await self._store.open(account), account, self._arrived)

    async def sweep(self) -> None:
        await self._store.sweep()

    async def close(self) -> None:
        await self._store.close()


class DropBoxFiles(Layer):
    """What *account* sees of it."""

    def __init__(self, files: Filesystem, account: Account, arrived: Arrived) -> None:
        super().__init__(files)
        self._account = account
        self._arrived = arrived

    async def open_write(self, path: VirtualPath, **wanted: Any) -> WritableFile:
        return Dropped(await super().open_write(path, **wanted), self._told)

    async def _told(self, path: VirtualPath) -> None:
        try:
            await self._arrived(self._account, path, self._files)
        except BaseException:
            with suppress(NotFound):  # the callback may have removed it
                await self._files.remove_file(path)
            raise


class Dropped(LayeredUpload):
    def __init__(self, file: WritableFile, told: Callable[[VirtualPath], Awaitable[None]]) -> None:
        super().__init__(file, file.path)
        self._told = told

    async def published(self, info: FileInfo) -> None:
        await self._told(self.path)


if __name__ == "__main__":
    from serving import serve
    from twisted.internet import reactor

    from ftpd.storage.local import LocalSettings, LocalStore
    from ftpd.threads import Pool

    async def print_digest(account: Account, path: VirtualPath, files: Filesystem) -> None:
        digest, offset = hashlib.sha256(), 0
        async with await files.open_read(path) as file:
            while piece := await file.read_at(offset, 256 * 1024):
                digest.update(piece)
                offset += len(piece)
        if not offset:
            raise OverQuota(path, "An empty file is of no use here")
        print(account.name, path, digest.hexdigest(), flush=True)

    box = DropBox(LocalStore(LocalSettings(root=sys.argv[1]), Pool(reactor, "storage")), print_digest)
    serve(box, "list", "create")
